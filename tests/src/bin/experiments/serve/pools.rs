//! Threads that are given connections, or messages of them, as they are ready; and a thread for each connection.

use super::{LISTENER, Options, READ, accept, announce, anywhere, listen, wait};
use crate::frames::{Deframer, work};
use rustix::event::{PollFd, PollFlags, epoll, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Jobs that wait for a thread: then the one that reads waits.
const WAITING: usize = 1024;

/// One thread reads; so many others are given what it read, each always the same connections, so that nothing overtakes. They write.
pub(super) fn handoff(options: &Options) -> anyhow::Result<()> {
    let listener = listen(anywhere())?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let workers: Vec<SyncSender<(Arc<TcpStream>, Vec<u8>)>> = (0..options.threads)
        .map(|_| {
            let (sender, jobs) = sync_channel::<(Arc<TcpStream>, Vec<u8>)>(WAITING);
            let time = options.work;
            std::thread::spawn(move || {
                for (stream, messages) in jobs {
                    let mut out = Vec::with_capacity(messages.len());
                    Deframer::default().take(&messages, |message| {
                        work(time);
                        out.extend_from_slice(message);
                    });
                    // Whoever has gone away is found out by the one that reads.
                    let _ = write_all(&stream, &out);
                }
            });
            sender
        })
        .collect();
    announce(&listener)?;
    let mut connections: Vec<Option<(Arc<TcpStream>, Deframer)>> = Vec::new();
    let mut buffer = vec![0; READ];
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        wait(&epoll, &mut events, None)?;
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                if let Some(stream) = accept(&listener, options)? {
                    let token = epoll::EventData::new_u64(connections.len() as u64);
                    epoll::add(&epoll, &stream, token, epoll::EventFlags::IN)?;
                    connections.push(Some((Arc::new(stream), Deframer::default())));
                }
                continue;
            }
            let at = token as usize;
            let Some((stream, deframer)) = &mut connections[at] else { continue };
            let length = match (&**stream).read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Ok(length) if length > 0 => length,
                _ => {
                    connections[at] = None;
                    continue;
                }
            };
            let mut whole = Vec::new();
            if deframer.take(&buffer[..length], |message| whole.extend_from_slice(message)).is_none() {
                connections[at] = None;
            } else if !whole.is_empty() {
                let _ = workers[at % workers.len()].send((stream.clone(), whole));
            }
        }
    }
}

struct Ready {
    stream: TcpStream,
    deframer: Mutex<Deframer>,
}

/// So many threads wait on the same epoll; each takes whatever connection is ready, alone, and puts it back.
pub(super) fn ready(options: &Options) -> anyhow::Result<()> {
    let listener = listen(anywhere())?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let once = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), once)?;
    announce(&listener)?;
    let connections: Mutex<Vec<Option<Arc<Ready>>>> = Mutex::new(Vec::new());
    let all = || connections.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| -> anyhow::Result<()> {
                let mut buffer = vec![0; READ];
                let mut events = Vec::with_capacity(64);
                loop {
                    events.clear();
                    wait(&epoll, &mut events, None)?;
                    for event in &events {
                        let token = event.data.u64();
                        if token == LISTENER {
                            if let Some(stream) = accept(&listener, options)? {
                                let mut all = all();
                                let token = epoll::EventData::new_u64(all.len() as u64);
                                epoll::add(&epoll, &stream, token, once)?;
                                all.push(Some(Arc::new(Ready { stream, deframer: Mutex::default() })));
                            }
                            epoll::modify(&epoll, &listener, epoll::EventData::new_u64(LISTENER), once)?;
                            continue;
                        }
                        let Some(ready) = all().get(token as usize).cloned().flatten() else { continue };
                        if turn(&ready, &mut buffer, options) {
                            epoll::modify(&epoll, &ready.stream, epoll::EventData::new_u64(token), once)?;
                        } else {
                            all()[token as usize] = None;
                        }
                    }
                }
            });
        }
    });
    Ok(())
}

/// Reads and answers once. False: it is over.
fn turn(ready: &Ready, buffer: &mut [u8], options: &Options) -> bool {
    let length = match (&ready.stream).read(buffer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
        Ok(length) if length > 0 => length,
        _ => return false,
    };
    let mut out = Vec::new();
    let mut deframer = ready.deframer.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = deframer.take(&buffer[..length], |message| {
        work(options.work);
        out.extend_from_slice(message);
    });
    taken.is_some() && write_all(&ready.stream, &out).is_ok()
}

/// A thread for each connection, which waits in `read`.
pub(super) fn threads(options: &Options) -> anyhow::Result<()> {
    let listener = listen(anywhere())?;
    listener.set_nonblocking(false)?;
    announce(&listener)?;
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(options.nodelay)?;
        let time = options.work;
        std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            let (mut deframer, mut buffer, mut out) = (Deframer::default(), vec![0; 16 * 1024], Vec::new());
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                out.clear();
                let taken = deframer.take(&buffer[..length], |message| {
                    work(time);
                    out.extend_from_slice(message);
                });
                if taken.is_none() || stream.write_all(&out).is_err() {
                    return;
                }
            }
        })?;
    }
}

/// A thread of a pool may wait for a peer: it holds up those that it was given.
fn write_all(mut stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&stream, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
