//! Connections of one thread that send prepared frames and count what comes back: one `recv` and one `send` for whatever is there, so
//! that the gateway and not this is what is measured.

use bytes::BytesMut;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_codec::framing::Prefix;
use weir_codec::websocket::Role;
use weir_codec::{Framing, Kind};

/// How a slice that hangs is told from one that is slow.
const STUCK: Duration = Duration::from_secs(20);
/// As the listeners have it.
const LONGEST: usize = 1 << 20;
/// What one read takes.
const BUFFER: usize = 256 * 1024;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    WebSocket,
    /// Length prefixes of 32 bits, big endian.
    Tcp,
}

impl Wire {
    /// For headings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "WebSocket",
            Self::Tcp => "TCP, u32be",
        }
    }

    /// For a listener's configuration.
    pub(crate) const fn config(self) -> &'static str {
        match self {
            Self::WebSocket => "protocol = \"websocket\"",
            Self::Tcp => {
                "protocol = \"tcp\"\nframing = { type = \"length\", prefix = \"u32be\", max = \"1MiB\" }"
            }
        }
    }

    /// A binary message as a client or the gateway sends it.
    fn frame(self, role: Role, payload: &[u8]) -> BytesMut {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let wire = match self {
            Self::WebSocket => weir_codec::Wire::WebSocket { role },
            Self::Tcp => {
                weir_codec::Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U32Be, max: LONGEST }))
            }
        };
        let mut frame = BytesMut::new();
        wire.encode(Kind::Binary, payload, MASK, &mut frame).expect("a payload that can be framed");
        frame
    }

    fn connect(self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STUCK))?;
        if self == Self::WebSocket {
            stream.write_all(
                b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )?;
            let mut answer = Vec::new();
            let mut part = [0; 512];
            while !answer.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut part)?;
                assert!(length > 0, "the gateway refused: {}", String::from_utf8_lossy(&answer));
                answer.extend(&part[..length]);
            }
            assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        }
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from_std(stream))
    }
}

/// Connections to one listener.
pub(crate) struct Fleet {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    peers: Vec<Peer>,
    request: usize,
    /// So many requests behind each other.
    requests: Vec<u8>,
    response: usize,
    /// Responses behind each other, more than one read takes.
    responses: Vec<u8>,
    depth: usize,
}

struct Peer {
    stream: TcpStream,
    /// How much of a response is here.
    partial: usize,
}

impl Fleet {
    /// Connects; `depth` messages are in flight on each connection.
    pub(crate) fn connect(
        wire: Wire,
        address: SocketAddr,
        count: usize,
        depth: usize,
        payload: &[u8],
    ) -> Self {
        let (request, response) = (wire.frame(Role::Client, payload), wire.frame(Role::Server, payload));
        let mut fleet = Self {
            poll: Poll::new().expect("epoll"),
            events: Events::with_capacity(1024),
            buffer: vec![0; BUFFER],
            peers: Vec::new(),
            requests: request.repeat(depth),
            request: request.len(),
            responses: response.repeat(BUFFER / response.len() + 2),
            response: response.len(),
            depth,
        };
        fleet.grow(wire, &[address], count);
        fleet
    }

    /// Connects until there are so many, in turn to each of the addresses.
    pub(crate) fn grow(&mut self, wire: Wire, addresses: &[SocketAddr], count: usize) {
        while self.peers.len() < count {
            let at = self.peers.len();
            let mut stream = wire.connect(addresses[at % addresses.len()]).expect("a connection");
            self.poll
                .registry()
                .register(&mut stream, Token(at), Interest::READABLE)
                .expect("epoll takes it");
            self.peers.push(Peer { stream, partial: 0 });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Echo: keeps the messages in flight for so long, then waits for the last. Gives how many came back.
    pub(crate) fn echo(&mut self, time: Duration) -> u64 {
        let begun = Instant::now();
        for peer in &mut self.peers {
            send(&mut peer.stream, &self.requests);
        }
        let mut under_way = self.peers.len() * self.depth;
        let mut done = 0;
        while under_way > 0 {
            let more = begun.elapsed() < time;
            assert!(begun.elapsed() < time + STUCK, "{under_way} echoes did not come");
            self.wait();
            for event in &self.events {
                let peer = &mut self.peers[event.token().0];
                let whole = receive(peer, &mut self.buffer, &self.responses, self.response);
                done += whole as u64;
                if more && whole > 0 {
                    send(&mut peer.stream, &self.requests[..whole * self.request]);
                } else {
                    under_way -= whole;
                }
            }
        }
        done
    }

    /// Sends `count` messages on the first connection, at most `depth`.
    pub(crate) fn publish(&mut self, count: usize) {
        send(&mut self.peers[0].stream, &self.requests[..count * self.request]);
    }

    /// Reads what is there for all, once waited for. Gives how many messages came.
    pub(crate) fn collect(&mut self) -> u64 {
        self.wait();
        let mut done = 0;
        for event in &self.events {
            let peer = &mut self.peers[event.token().0];
            done += receive(peer, &mut self.buffer, &self.responses, self.response) as u64;
        }
        done
    }

    fn wait(&mut self) {
        match self.poll.poll(&mut self.events, Some(Duration::from_secs(1))) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => panic!("epoll: {error}"),
        }
    }
}

/// One `recv`: the buffer takes all that can be under way, so that nothing is left behind. Every byte is compared with what is due.
/// Gives how many responses are whole now.
fn receive(peer: &mut Peer, buffer: &mut [u8], responses: &[u8], response: usize) -> usize {
    match peer.stream.read(buffer) {
        Ok(0) => panic!("the gateway ended a connection"),
        Ok(length) => {
            let end = peer.partial + length;
            assert!(buffer[..length] == responses[peer.partial..end], "something else came back");
            peer.partial = end % response;
            end / response
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("a connection broke: {error}"),
    }
}

/// What is in flight fits the socket's buffer, so it is taken whole.
fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let written = stream.write(bytes).expect("the gateway reads");
    assert_eq!(written, bytes.len(), "the socket took a part");
}
