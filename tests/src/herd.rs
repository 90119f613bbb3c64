//! Many quiet WebSocket clients in one thread: they answer pings, send some, and notice when they are cut off.

use crate::latency::Latency;
use crate::raw::UPGRADE;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a client masks with; nothing here hides anything.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// How a herd that hangs is told from one that is slow.
const STUCK: Duration = Duration::from_mins(2);

/// The clients of one thread.
#[derive(Debug)]
pub struct Herd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    began: Instant,
    addresses: Vec<SocketAddr>,
    clients: Vec<Client>,
    /// Those whose handshakes are not done.
    under_way: usize,
    /// Those that are to be connected again, for it failed.
    again: Vec<usize>,
    /// What came of it.
    pub tally: Tally,
    /// How long the gateway took to answer the pings of these clients.
    pub latency: Latency,
}

/// Counts of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sessions now.
    pub open: usize,
    /// Connections that ended before they were sessions.
    pub failed: u64,
    /// Sessions that the gateway ended.
    pub ended: u64,
    /// Pings of the gateway, all answered.
    pub answered: u64,
    /// Pings sent.
    pub asked: u64,
    /// Pongs that came for them.
    pub pongs: u64,
    /// Pings that were due while the one before was not answered: they are not sent.
    pub late: u64,
    /// Data frames that came.
    pub messages: u64,
}

#[derive(Debug, Default)]
struct Client {
    stream: Option<TcpStream>,
    stage: Stage,
    /// A ping of it has no pong yet.
    asks: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Gone,
    /// Waits for the connection, to ask for a WebSocket.
    ExpectConnected,
    /// Waits for the rest of the answer, of which so many bytes are there.
    ExpectAnswer(u16),
    Open,
}

impl Herd {
    /// Nobody yet; they will connect to these addresses in turn.
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            poll: Poll::new().expect("epoll"),
            events: Events::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            began: Instant::now(),
            addresses,
            clients: Vec::new(),
            under_way: 0,
            again: Vec::new(),
            tally: Tally::default(),
            latency: Latency::default(),
        }
    }

    /// Connects until there are so many sessions, `at_once` at the same time. Who fails tries again.
    pub fn grow(&mut self, count: usize, at_once: usize) {
        let begun = Instant::now();
        self.again = (0..count.max(self.clients.len())).rev().collect();
        self.clients.resize_with(count.max(self.clients.len()), Client::default);
        let wanted: Vec<usize> =
            self.again.drain(..).filter(|at| self.clients[*at].stage == Stage::Gone).collect();
        self.again = wanted;
        while self.tally.open < self.clients.len() {
            while self.under_way < at_once
                && let Some(next) = self.again.pop()
            {
                self.connect(next);
            }
            self.turn(Duration::from_millis(20));
            assert!(begun.elapsed() < STUCK, "only {} of {count} came in: {:?}", self.tally.open, self.tally);
        }
    }

    /// Lets all go, without a word.
    pub fn cut(&mut self) {
        for client in &mut self.clients {
            *client = Client::default();
        }
        self.under_way = 0;
        self.tally.open = 0;
    }

    /// Waits for events once, at most so long, and deals with them.
    pub fn turn(&mut self, longest: Duration) {
        match self.poll.poll(&mut self.events, Some(longest)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            Err(error) => panic!("epoll: {error}"),
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.ready(event.token().0);
        }
        self.events = events;
    }

    /// Everybody sends a ping each `every`, evenly spread, for so long; then waits until all are answered.
    pub fn beat(&mut self, every: Duration, time: Duration) {
        let (begun, count) = (Instant::now(), self.clients.len() as u128);
        let mut sent: u128 = 0;
        while begun.elapsed() < time {
            let due = begun.elapsed().as_nanos() * count / every.as_nanos();
            while sent < due {
                self.ping((sent % count) as usize);
                sent += 1;
            }
            self.turn(Duration::from_millis(1));
        }
        self.settle();
    }

    /// Waits until every ping is answered that was sent by who is still there.
    pub fn settle(&mut self) {
        let begun = Instant::now();
        while self.clients.iter().any(|client| client.asks) {
            assert!(begun.elapsed() < STUCK, "pongs that never came: {:?}", self.tally);
            self.turn(Duration::from_millis(20));
        }
    }

    /// One client sends a ping, unless it waits for a pong.
    pub fn ping(&mut self, at: usize) {
        let now = self.began.elapsed().as_micros() as u64;
        let client = &mut self.clients[at];
        if client.stage != Stage::Open {
            return;
        }
        if client.asks {
            self.tally.late += 1;
            return;
        }
        client.asks = true;
        self.tally.asked += 1;
        self.send(at, 0x89, &now.to_be_bytes());
    }

    /// One client sends a text message, of 125 bytes at most.
    pub fn say(&mut self, at: usize, text: &[u8]) {
        self.send(at, 0x81, text);
    }

    /// The memory of the process would show what nobody looks at any more: forgets what was measured.
    pub fn forget(&mut self) -> Latency {
        std::mem::take(&mut self.latency)
    }

    fn connect(&mut self, at: usize) {
        let address = self.addresses[at % self.addresses.len()];
        let mut stream = TcpStream::connect(address).expect("a socket");
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(at), interest).expect("epoll takes it");
        self.clients[at] = Client { stream: Some(stream), stage: Stage::ExpectConnected, asks: false };
        self.under_way += 1;
    }

    fn ready(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let Some(stream) = &mut client.stream else { return };
        if client.stage == Stage::ExpectConnected {
            let connected = match stream.take_error() {
                Ok(None) => stream.peer_addr(),
                Ok(Some(error)) | Err(error) => Err(error),
            };
            let asked = connected.and_then(|address| {
                stream.set_nodelay(true)?;
                stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}\r\n").as_bytes())
            });
            match asked {
                Ok(()) => client.stage = Stage::ExpectAnswer(0),
                Err(error) if error.kind() == ErrorKind::NotConnected => return,
                Err(_) => return self.lose(at),
            }
        }
        // Edges, not levels: until nothing is left.
        loop {
            let Some(stream) = &mut self.clients[at].stream else { return };
            let mut buffer = std::mem::take(&mut self.buffer);
            let whole = match stream.read(&mut buffer) {
                Ok(length) if length > 0 => {
                    self.take(at, &buffer[..length]);
                    length == buffer.len()
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                Ok(_) | Err(_) => {
                    self.lose(at);
                    false
                }
            };
            self.buffer = buffer;
            if !whole {
                return;
            }
        }
    }

    fn take(&mut self, at: usize, mut bytes: &[u8]) {
        if let Stage::ExpectAnswer(before) = self.clients[at].stage {
            // What is told here is only that it is granted: answers are short and come whole, but for a loaded machine's.
            let granted = before > 0 || bytes.starts_with(b"HTTP/1.1 101");
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            match end {
                _ if !granted => return self.lose(at),
                None => {
                    self.clients[at].stage = Stage::ExpectAnswer(before.saturating_add(bytes.len() as u16));
                    return;
                }
                Some(end) => bytes = &bytes[end + 4..],
            }
            self.clients[at].stage = Stage::Open;
            self.under_way -= 1;
            self.tally.open += 1;
        }
        while let [first, length, rest @ ..] = bytes {
            let length = usize::from(*length);
            assert!(length <= 125 && rest.len() >= length, "frames here are short and come whole: {bytes:?}");
            let (payload, after) = rest.split_at(length);
            match first & 0x0f {
                9 => {
                    self.tally.answered += 1;
                    let payload = payload.to_vec();
                    self.send(at, 0x8a, &payload);
                }
                10 => {
                    if let (Some(sent), true) = (payload.first_chunk(), self.clients[at].asks) {
                        let now = self.began.elapsed().as_micros() as u64;
                        self.latency.record(now.saturating_sub(u64::from_be_bytes(*sent)));
                        self.clients[at].asks = false;
                        self.tally.pongs += 1;
                    }
                }
                8 => return self.lose(at),
                _ => self.tally.messages += 1,
            }
            bytes = after;
        }
    }

    fn send(&mut self, at: usize, first: u8, payload: &[u8]) {
        let mut frame = vec![first, 0x80 | payload.len() as u8];
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        let Some(stream) = &mut self.clients[at].stream else { return };
        if !matches!(stream.write(&frame), Ok(length) if length == frame.len()) {
            self.lose(at);
        }
    }

    fn lose(&mut self, at: usize) {
        if self.clients[at].stage == Stage::Open {
            self.tally.open -= 1;
            self.tally.ended += 1;
        } else {
            self.under_way -= 1;
            self.tally.failed += 1;
            self.again.push(at);
        }
        self.clients[at] = Client::default();
    }
}
