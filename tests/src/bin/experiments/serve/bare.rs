//! One thread, one epoll, no tasks: what is under everything else. What is to be written may wait for more.

use super::{LISTENER, Options, READ, accept, announce, anywhere, listen, wait};
use crate::frames::{Deframer, work};
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A peer that reads so little is let go, in bytes.
const MOST_QUEUED: usize = 16 << 20;

struct Connection {
    stream: TcpStream,
    deframer: Deframer,
    /// Whole messages.
    queue: Vec<u8>,
    /// Where each of them ends, where they are to be written in parts.
    ends: Vec<usize>,
    /// Whether it stands among those that wait to be written.
    waits: bool,
}

struct Loop {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    /// Connections with something to write, and since when; the oldest first, because all wait equally long.
    dirty: VecDeque<(Instant, usize)>,
    options: Options,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let listener = listen(anywhere())?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    announce(&listener)?;
    Loop { epoll, listener, connections: Vec::new(), dirty: VecDeque::new(), options: options.clone() }
        .serve()
}

impl Loop {
    fn serve(mut self) -> anyhow::Result<()> {
        let mut buffer = vec![0; READ];
        let mut events = Vec::with_capacity(1024);
        loop {
            events.clear();
            let timeout = self.timeout();
            wait(&self.epoll, &mut events, timeout.as_ref())?;
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    token => self.read(token as usize, &mut buffer),
                }
            }
            self.flush();
        }
    }

    /// Until the oldest has waited long enough; `None`: for ever.
    fn timeout(&self) -> Option<Timespec> {
        let (since, _) = self.dirty.front()?;
        let left = (*since + self.options.delay).saturating_duration_since(Instant::now());
        Some(Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() })
    }

    /// All who wait: whoever connected before something was published is to receive it.
    fn accept(&mut self) -> anyhow::Result<()> {
        while let Some(stream) = accept(&self.listener, &self.options)? {
            let token = self.connections.len() as u64;
            epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
            self.connections.push(Some(Connection {
                stream,
                deframer: Deframer::default(),
                queue: Vec::new(),
                ends: Vec::new(),
                waits: false,
            }));
        }
        Ok(())
    }

    fn read(&mut self, at: usize, buffer: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return };
        let length = match connection.stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Ok(length) if length > 0 => length,
            _ => return self.connections[at] = None,
        };
        let Connection { deframer, queue, ends, .. } = connection;
        let (group, parts, time) = (self.options.group, self.options.flush > 0, self.options.work);
        let mut published = Vec::new();
        let taken = deframer.take(&buffer[..length], |message| {
            work(time);
            let to = if group { &mut published } else { &mut *queue };
            to.extend_from_slice(message);
            if parts {
                ends.push(to.len());
            }
        });
        if taken.is_none() {
            return self.connections[at] = None;
        }
        let now = Instant::now();
        if !group {
            return self.mark(at, now);
        }
        if published.is_empty() {
            return;
        }
        for other in (0..self.connections.len()).filter(|other| *other != at) {
            if let Some(connection) = &mut self.connections[other] {
                connection.queue.extend_from_slice(&published);
                if connection.queue.len() > MOST_QUEUED {
                    self.connections[other] = None;
                    continue;
                }
            }
            self.mark(other, now);
        }
    }

    fn mark(&mut self, at: usize, now: Instant) {
        if let Some(connection) = &mut self.connections[at]
            && !connection.waits
            && !connection.queue.is_empty()
        {
            connection.waits = true;
            self.dirty.push_back((now, at));
        }
    }

    /// Writes for all that have waited long enough.
    fn flush(&mut self) {
        let now = Instant::now();
        let delay = self.options.delay;
        while let Some((since, at)) = self.dirty.front().copied() {
            if delay > Duration::ZERO && since + delay > now {
                return;
            }
            self.dirty.pop_front();
            let Some(connection) = &mut self.connections[at] else { continue };
            connection.waits = false;
            match write(connection, self.options.flush) {
                Ok(true) => {}
                // The socket is full: again in the next turn.
                Ok(false) => {
                    self.mark(at, now);
                    return;
                }
                Err(_) => self.connections[at] = None,
            }
        }
    }
}

/// All that waits, in one write, or in writes of so many messages. False: the socket did not take all of it.
fn write(connection: &mut Connection, parts: usize) -> std::io::Result<bool> {
    let mut queue = std::mem::take(&mut connection.queue);
    let ends = std::mem::take(&mut connection.ends);
    let mut begin = 0;
    let chunks = ends.chunks(parts.max(1)).filter_map(|chunk| chunk.last().copied());
    let all = [queue.len()];
    let stops: Vec<usize> = if parts > 0 { chunks.collect() } else { all.to_vec() };
    for end in stops {
        while begin < end {
            match connection.stream.write(&queue[begin..end]) {
                Ok(written) => begin += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    connection.ends =
                        ends.iter().filter(|stop| **stop > begin).map(|stop| stop - begin).collect();
                    connection.queue = queue.split_off(begin);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(true)
}
