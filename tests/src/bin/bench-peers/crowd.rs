//! Connections of one thread that keep messages in flight and count what comes back by its marks: one `recv` and one `send` for
//! whatever is there, so that the server and not this is what is measured. Any server can be loaded, whatever it wraps messages in.

use crate::dialect::{Dialect, MARK};
use crate::usage;
use anyhow::{Context as _, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::{BTreeSet, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

/// Without any answer for so long, messages were lost.
const STUCK: Duration = Duration::from_secs(5);
/// What one read takes.
const BUFFER: usize = 256 * 1024;
/// Connections of one request that are kept: more than have one under way.
const SPENT: usize = 256;
/// What may be left of a mark at the end of a read.
const CARRY: usize = MARK.len() - 1;

/// What was measured of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    /// Messages a second.
    pub(crate) rate: f64,
    /// CPU time of the server, with all that it started, in microseconds a message.
    pub(crate) cost: f64,
    /// The part of the time in which the server ran.
    pub(crate) busy: f64,
    /// The same of this process.
    pub(crate) own: f64,
}

/// A reading of the clocks.
pub(crate) struct Clocks {
    at: Instant,
    messages: u64,
    server: f64,
    own: f64,
}

impl Clocks {
    pub(crate) fn read(messages: u64, server: &BTreeSet<u32>) -> Self {
        let own = BTreeSet::from([std::process::id()]);
        Self { at: Instant::now(), messages, server: usage::cpu_us(server), own: usage::cpu_us(&own) }
    }

    pub(crate) fn slice(&self, end: &Self) -> Result<Slice> {
        let seconds = (end.at - self.at).as_secs_f64();
        let messages = (end.messages - self.messages) as f64;
        ensure!(messages > 0.0, "nothing came in {seconds:.1} s");
        Ok(Slice {
            rate: messages / seconds,
            cost: (end.server - self.server) / messages,
            busy: (end.server - self.server) / 1e6 / seconds,
            own: (end.own - self.own) / 1e6 / seconds,
        })
    }
}

/// What a connection sends when answers have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refill {
    /// As many messages as came.
    Each,
    /// All of its burst, when so many answers are there: some messages of it have none.
    Burst { answers: usize },
}

/// Connections to one server.
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    peers: Vec<Peer>,
    finder: memchr::memmem::Finder<'static>,
    refill: Refill,
    /// Messages of a connection's requests.
    depth: usize,
    /// Where each message that is published takes a connection of its own.
    fresh: Option<Fresh>,
}

/// Connections for one request each, because the server ends them behind it.
struct Fresh {
    dialect: Dialect,
    /// Those whose answers may be on their way still: one that is dropped too early takes its request with it.
    spent: VecDeque<std::net::TcpStream>,
}

impl Fresh {
    fn send(&mut self, request: &[u8]) -> Result<()> {
        let mut stream = self.dialect.connect(0..1)?.pop().context("a connection")?;
        stream.write_all(request)?;
        self.spent.push_back(stream);
        if self.spent.len() > SPENT {
            self.spent.pop_front();
        }
        Ok(())
    }
}

struct Peer {
    stream: TcpStream,
    /// So many messages behind each other.
    requests: Vec<u8>,
    /// The end of what was read last.
    carry: Vec<u8>,
    /// Answers that are there of the burst that is under way.
    answers: usize,
    /// When the last answer came, and how long it took at the longest from one to the next.
    last: Instant,
    gap: Duration,
    closed: bool,
}

impl Crowd {
    /// Connects; `depth` messages are in flight on each connection.
    pub(crate) fn connect(dialect: &Dialect, count: usize, depth: usize, payload: &[u8]) -> Result<Self> {
        let requests = |number: usize| dialect.message(number, payload).repeat(depth);
        Self::with(dialect, count, depth, Refill::Each, requests)
    }

    /// Connects; a burst of messages is under way on each connection, `answers` of which come back.
    pub(crate) fn bursts(dialect: &Dialect, count: usize, burst: &[Vec<u8>], answers: usize) -> Result<Self> {
        Self::with(dialect, count, burst.len(), Refill::Burst { answers }, |_| burst.concat())
    }

    fn with(
        dialect: &Dialect,
        count: usize,
        depth: usize,
        refill: Refill,
        requests: impl Fn(usize) -> Vec<u8>,
    ) -> Result<Self> {
        let poll = Poll::new()?;
        let mut peers = Vec::new();
        for (number, stream) in dialect.connect(0..count)?.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
            peers.push(Peer {
                stream,
                requests: requests(number),
                carry: Vec::new(),
                answers: 0,
                last: Instant::now(),
                gap: Duration::ZERO,
                closed: false,
            });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            buffer: vec![0; CARRY + BUFFER],
            peers,
            finder: memchr::memmem::Finder::new(MARK),
            refill,
            depth,
            fresh: dialect.fresh.then(|| Fresh { dialect: dialect.clone(), spent: VecDeque::new() }),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Keeps the messages in flight, measures, and waits for the last.
    pub(crate) fn exchange(
        &mut self,
        warm_up: Duration,
        time: Duration,
        server: &BTreeSet<u32>,
    ) -> Result<Slice> {
        self.exchange_with(warm_up, time, server, |_| Ok(()))
    }

    /// The same; `meanwhile` is called again and again with the time that has gone by.
    pub(crate) fn exchange_with(
        &mut self,
        warm_up: Duration,
        time: Duration,
        server: &BTreeSet<u32>,
        mut meanwhile: impl FnMut(Duration) -> Result<()>,
    ) -> Result<Slice> {
        let begun = Instant::now();
        let (mut before, mut after) = (None, None);
        let (mut done, mut under_way) = (0_u64, self.len() * self.depth);
        for peer in &mut self.peers {
            peer.last = begun;
            peer.gap = Duration::ZERO;
            send(&mut peer.stream, &peer.requests)?;
        }
        let mut last = Instant::now();
        while under_way > 0 {
            let elapsed = begun.elapsed();
            if before.is_none() && elapsed >= warm_up {
                before = Some(Clocks::read(done, server));
                self.peers.iter_mut().for_each(|peer| peer.gap = Duration::ZERO);
            }
            if after.is_none() && elapsed >= warm_up + time {
                after = Some(Clocks::read(done, server));
            }
            if after.is_none() {
                meanwhile(elapsed)?;
            }
            self.wait()?;
            for event in &self.events {
                let at = event.token().0;
                let peer = &mut self.peers[at];
                if peer.closed {
                    continue;
                }
                let whole = receive(peer, &mut self.buffer, &self.finder)?;
                if peer.closed {
                    // What was under way there is lost, and said by `closed`.
                    let lost = match self.refill {
                        Refill::Each => self.depth - peer.answers,
                        Refill::Burst { .. } => self.depth,
                    };
                    under_way -= lost.min(under_way);
                    continue;
                }
                if whole == 0 {
                    continue;
                }
                let now = Instant::now();
                last = now;
                peer.gap = peer.gap.max(now - peer.last);
                peer.last = now;
                match self.refill {
                    Refill::Each => {
                        done += whole as u64;
                        if after.is_none() {
                            let unit = peer.requests.len() / self.depth;
                            send(&mut peer.stream, &peer.requests[..whole.min(self.depth) * unit])?;
                        } else {
                            peer.answers += whole;
                            under_way = under_way.saturating_sub(whole);
                        }
                    }
                    Refill::Burst { answers } => {
                        peer.answers += whole;
                        if peer.answers >= answers {
                            peer.answers -= answers;
                            done += self.depth as u64;
                            if after.is_none() {
                                send(&mut peer.stream, &peer.requests)?;
                            } else {
                                under_way -= self.depth;
                            }
                        }
                    }
                }
            }
            if last.elapsed() > STUCK {
                bail!("{under_way} messages are under way, and no answer came for {STUCK:?}");
            }
        }
        self.peers.iter_mut().for_each(|peer| peer.answers = 0);
        let (before, after) = before.zip(after).context("everything was closed")?;
        before.slice(&after)
    }

    /// The longest time from one answer to the next of any connection, since the warm-up.
    pub(crate) fn gap(&self) -> Duration {
        self.peers.iter().map(|peer| peer.gap).max().unwrap_or_default()
    }

    /// Connections that the server has ended.
    pub(crate) fn closed(&self) -> usize {
        self.peers.iter().filter(|peer| peer.closed).count()
    }

    /// Sends all of a burst on the first connection, and reads away what was answered before.
    pub(crate) fn publish(&mut self) -> Result<()> {
        let peer = self.peers.first_mut().context("a publisher")?;
        if let Some(fresh) = &mut self.fresh {
            let unit = peer.requests.len() / self.depth;
            return peer.requests.chunks(unit).try_for_each(|request| fresh.send(request));
        }
        while receive_raw(peer, &mut self.buffer)? > 0 {}
        ensure!(!peer.closed, "the publisher was closed");
        send(&mut peer.stream, &peer.requests)
    }

    /// Reads what is there for all, once waited for. Gives how many messages came.
    pub(crate) fn collect(&mut self) -> Result<u64> {
        self.wait()?;
        let mut done = 0;
        for event in &self.events {
            let peer = &mut self.peers[event.token().0];
            done += receive(peer, &mut self.buffer, &self.finder)? as u64;
            ensure!(!peer.closed, "a member was closed");
        }
        Ok(done)
    }

    fn wait(&mut self) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::from_millis(100))) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            Err(error) => Err(error).context("epoll"),
        }
    }
}

/// One `recv`: the buffer takes all that can be under way. Gives how many marks are whole now.
fn receive(peer: &mut Peer, buffer: &mut [u8], finder: &memchr::memmem::Finder<'_>) -> Result<usize> {
    let from = CARRY - peer.carry.len();
    buffer[from..CARRY].copy_from_slice(&peer.carry);
    let length = receive_raw(peer, buffer)?;
    if length == 0 {
        return Ok(0);
    }
    let heard = &buffer[from..CARRY + length];
    let mut whole = 0;
    let mut end = 0;
    for at in finder.find_iter(heard) {
        whole += 1;
        end = at + MARK.len();
    }
    // What a mark was made of is not looked at again.
    let rest = end.max(heard.len().saturating_sub(CARRY));
    peer.carry.clear();
    peer.carry.extend(&heard[rest..]);
    Ok(whole)
}

/// Reads behind the place for the carry.
fn receive_raw(peer: &mut Peer, buffer: &mut [u8]) -> Result<usize> {
    match peer.stream.read(&mut buffer[CARRY..]) {
        Ok(0) => {
            peer.closed = true;
            Ok(0)
        }
        Ok(length) => Ok(length),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            peer.closed = true;
            Ok(0)
        }
        Err(error) => Err(error).context("a connection broke"),
    }
}

/// What is in flight fits the socket's buffer, so it is taken whole.
fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    match stream.write(bytes) {
        Ok(written) => {
            ensure!(written == bytes.len(), "the socket took a part");
            Ok(())
        }
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Ok(()),
        Err(error) => Err(error).context("a connection broke"),
    }
}
