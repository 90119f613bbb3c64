//! Messages at times that were set beforehand, and how long each took from the time that was set for it: a server that is held up is
//! charged for all who had to wait.

use crate::child::Server;
use anyhow::{Context, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use weir_capacity::measure::Cpu;

/// How long the last may take.
const STUCK: Duration = Duration::from_secs(10);
const PREFIX: usize = 4;

/// Clients of one server.
pub(crate) struct Paced {
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
    /// Times are counted from here.
    epoch: Instant,
    frame: Vec<u8>,
    /// The first of them publishes, all others receive.
    group: bool,
}

struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One slice.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// CPU time of the server, in microseconds a message or delivery.
    pub(crate) cost: f64,
    pub(crate) latencies: Latencies,
}

/// How long each message took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    /// In nanoseconds, sorted.
    sorted: Vec<u64>,
}

impl Latencies {
    /// In microseconds.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let at = ((self.sorted.len() as f64 * part) as usize).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(at).map_or(f64::NAN, |nanoseconds| *nanoseconds as f64 / 1e3)
    }
}

impl Paced {
    pub(crate) fn connect(
        address: SocketAddr,
        count: usize,
        size: usize,
        group: bool,
    ) -> anyhow::Result<Self> {
        ensure!(size >= 8, "a payload carries its time");
        let poll = Poll::new()?;
        let mut peers = Vec::new();
        for at in 0..count {
            let stream = std::net::TcpStream::connect(address).context("a connection")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(at), Interest::READABLE)?;
            peers.push(Peer { stream, buffer: Vec::new() });
        }
        let mut frame = u32::try_from(size)?.to_be_bytes().to_vec();
        frame.resize(PREFIX + size, b'm');
        Ok(Self { poll, events: Events::with_capacity(1024), peers, epoch: Instant::now(), frame, group })
    }

    /// Sends so many messages a second to that server for so long, by the clients in turn, or by the publisher.
    pub(crate) fn slice(&mut self, server: &Server, rate: f64, time: Duration) -> anyhow::Result<Slice> {
        let before = Cpu::of(server.pid())?;
        let latencies = self.run(rate, time)?;
        let cpu = Cpu::of(server.pid())? - before;
        Ok(Slice { cost: cpu.used.as_secs_f64() * 1e6 / latencies.sorted.len() as f64, latencies })
    }

    fn run(&mut self, rate: f64, time: Duration) -> anyhow::Result<Latencies> {
        let begun = self.epoch.elapsed();
        let total = (rate * time.as_secs_f64()).ceil() as u64;
        let copies = if self.group { self.peers.len() as u64 - 1 } else { 1 };
        let (mut sent, mut latencies) = (0, Vec::with_capacity((total * copies) as usize));
        while (latencies.len() as u64) < total * copies {
            let now = self.epoch.elapsed().saturating_sub(begun);
            while sent < total && now.as_secs_f64() * rate >= sent as f64 {
                let due = begun + Duration::from_secs_f64(sent as f64 / rate);
                let from = if self.group { 0 } else { sent as usize % self.peers.len() };
                self.frame[PREFIX..PREFIX + 8].copy_from_slice(&(due.as_nanos() as u64).to_le_bytes());
                let written = self.peers[from].stream.write(&self.frame).context("sending")?;
                ensure!(written == self.frame.len(), "the server does not keep up");
                sent += 1;
            }
            if now > time + STUCK {
                bail!(
                    "{} of {} messages did not come",
                    total * copies - latencies.len() as u64,
                    total * copies
                );
            }
            self.receive(&mut latencies)?;
        }
        latencies.sort_unstable();
        Ok(Latencies { sorted: latencies })
    }

    /// What is there, without waiting: the next message is due soon.
    fn receive(&mut self, latencies: &mut Vec<u64>) -> anyhow::Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let frame = self.frame.len();
        let mut part = [0; 16 * 1024];
        for event in &self.events {
            let peer = &mut self.peers[event.token().0];
            loop {
                match peer.stream.read(&mut part) {
                    Ok(0) => bail!("the server ended a connection"),
                    Ok(length) => peer.buffer.extend(&part[..length]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
            let now = self.epoch.elapsed().as_nanos() as u64;
            let whole = peer.buffer.len() / frame * frame;
            for message in peer.buffer[..whole].chunks_exact(frame) {
                let due = message[PREFIX..].first_chunk().copied().map_or(0, u64::from_le_bytes);
                latencies.push(now.saturating_sub(due));
            }
            peer.buffer.drain(..whole);
        }
        Ok(())
    }
}
