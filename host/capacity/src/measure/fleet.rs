//! Connections of one thread that send prepared frames and count what comes back: one `recv` and one `send` for whatever is there, so
//! that the other side and not this is what is measured.

use super::MeasureError;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a run that hangs is told from one that is slow.
const STUCK: Duration = Duration::from_secs(20);
/// What one read takes.
const BUFFER: usize = 256 * 1024;
/// RFC 6455, section 5.3: any four bytes mask.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Length prefixes of 32 bits, big endian.
    Tcp,
    /// Binary messages, each in one frame.
    WebSocket,
}

impl Wire {
    /// A frame as a client sends it.
    fn request(self, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::WebSocket => {
                let mut frame = head(0x82, payload.len(), 0x80);
                frame.extend(MASK);
                frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
                frame
            }
            Self::Tcp => self.response(payload),
        }
    }

    /// A frame as a server sends it.
    fn response(self, payload: &[u8]) -> Vec<u8> {
        let mut frame = match self {
            Self::WebSocket => head(0x82, payload.len(), 0),
            Self::Tcp => (payload.len() as u32).to_be_bytes().to_vec(),
        };
        frame.extend(payload);
        frame
    }

    fn connect(self, address: SocketAddr) -> Result<TcpStream, std::io::Error> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STUCK))?;
        if self == Self::WebSocket {
            stream.write_all(
                b"GET / HTTP/1.1\r\nHost: capacity\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )?;
            let mut answer = Vec::new();
            let mut part = [0; 512];
            while !answer.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut part)?;
                answer.extend(&part[..length]);
                if length == 0 || answer.len() > 4096 {
                    return Err(std::io::Error::other("no upgrade"));
                }
            }
            if !answer.starts_with(b"HTTP/1.1 101") {
                return Err(std::io::Error::other("the upgrade was refused"));
            }
        }
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from_std(stream))
    }
}

/// RFC 6455, section 5.2.
fn head(first: u8, length: usize, masked: u8) -> Vec<u8> {
    let mut head = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length <= 125 => head.push(masked | length),
        (_, Ok(length)) => {
            head.push(masked | 0x7e);
            head.extend(length.to_be_bytes());
        }
        _ => {
            head.push(masked | 0x7f);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

/// Connections to one address, each with so many equal messages in flight.
#[derive(Debug)]
pub struct Fleet {
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

#[derive(Debug)]
struct Peer {
    stream: TcpStream,
    /// How much of a response is here.
    partial: usize,
    /// Of the messages in flight, how many came back.
    back: usize,
    /// What the socket did not take at once.
    unsent: Vec<u8>,
}

impl Fleet {
    /// Connects `count` clients; `depth` messages of this payload are in flight on each.
    ///
    /// # Errors
    /// A connection is refused.
    pub fn connect(
        wire: Wire,
        address: SocketAddr,
        count: usize,
        depth: usize,
        payload: &[u8],
    ) -> Result<Self, MeasureError> {
        let (request, response) = (wire.request(payload), wire.response(payload));
        let poll = Poll::new().map_err(MeasureError::kernel("wait for sockets"))?;
        let mut peers = Vec::with_capacity(count);
        for at in 0..count {
            let talk = |error| MeasureError::Talk(format!("number {}: {error}", at + 1));
            let mut stream = wire.connect(address).map_err(talk)?;
            poll.registry()
                .register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)
                .map_err(talk)?;
            peers.push(Peer { stream, partial: 0, back: 0, unsent: Vec::new() });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            buffer: vec![0; BUFFER],
            peers,
            requests: request.repeat(depth),
            request: request.len(),
            responses: response.repeat(BUFFER / response.len() + 2),
            response: response.len(),
            depth,
        })
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Echo: each client sends all its messages in one write, and again when all have come back, for so long; then the last are waited
    /// for. Gives how many came back.
    ///
    /// # Errors
    /// A connection ended, brought something else, or stood still for 20 seconds.
    pub fn echo(&mut self, time: Duration) -> Result<u64, MeasureError> {
        let begun = Instant::now();
        for peer in &mut self.peers {
            send(peer, &self.requests)?;
        }
        let mut under_way = self.peers.len() * self.depth;
        let mut done = 0;
        while under_way > 0 {
            let more = begun.elapsed() < time;
            if begun.elapsed() > time + STUCK {
                return Err(MeasureError::Talk(format!("{under_way} echoes did not come")));
            }
            self.wait()?;
            for event in &self.events {
                let peer = &mut self.peers[event.token().0];
                flush(peer)?;
                let whole = receive(peer, &mut self.buffer, &self.responses, self.response)?;
                done += whole as u64;
                peer.back += whole;
                if peer.back < self.depth {
                    continue;
                }
                peer.back = 0;
                if more {
                    send(peer, &self.requests)?;
                } else {
                    under_way -= self.depth;
                }
            }
        }
        Ok(done)
    }

    /// Sends `count` messages on the first connection, at most `depth`.
    ///
    /// # Errors
    /// The connection ended.
    pub fn publish(&mut self, count: usize) -> Result<(), MeasureError> {
        let bytes = &self.requests[..count * self.request];
        send(&mut self.peers[0], bytes)
    }

    /// Reads what is there for all, once waited for. Gives how many messages came.
    ///
    /// # Errors
    /// A connection ended or brought something else.
    pub fn collect(&mut self) -> Result<u64, MeasureError> {
        self.wait()?;
        let mut done = 0;
        for event in &self.events {
            let peer = &mut self.peers[event.token().0];
            flush(peer)?;
            done += receive(peer, &mut self.buffer, &self.responses, self.response)? as u64;
        }
        Ok(done)
    }

    /// Answers the pings of a WebSocket server for so long; gives how many.
    ///
    /// # Errors
    /// A connection ended or brought something that is no ping.
    pub fn pongs(&mut self, time: Duration) -> Result<u64, MeasureError> {
        let begun = Instant::now();
        let mut done = 0;
        while begun.elapsed() < time {
            self.wait()?;
            for event in &self.events {
                let peer = &mut self.peers[event.token().0];
                let Some(length) = read(peer, &mut self.buffer)? else { continue };
                let mut rest = &self.buffer[..length];
                while let [0x89, size, more @ ..] = rest {
                    let Some((carried, more)) = more.split_at_checked(usize::from(*size)) else { break };
                    // RFC 6455, section 5.5.3: a pong carries what the ping did.
                    let mut pong = head(0x8a, carried.len(), 0x80);
                    pong.extend(MASK);
                    pong.extend(carried.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
                    send(peer, &pong)?;
                    (done, rest) = (done + 1, more);
                }
                if !rest.is_empty() {
                    return Err(MeasureError::Talk("something else than pings came".into()));
                }
            }
        }
        Ok(done)
    }

    fn wait(&mut self) -> Result<(), MeasureError> {
        match self.poll.poll(&mut self.events, Some(Duration::from_millis(100))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(MeasureError::kernel("wait for sockets")(error))
            }
            done => {
                if done.is_err() {
                    self.events.clear();
                }
                Ok(())
            }
        }
    }
}

/// One `recv`. `None`: there was nothing.
fn read(peer: &mut Peer, buffer: &mut [u8]) -> Result<Option<usize>, MeasureError> {
    match peer.stream.read(buffer) {
        Ok(0) => Err(MeasureError::Talk("the other side ended it".into())),
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(MeasureError::Talk(error.to_string())),
    }
}

/// The buffer takes all that can be under way, so that nothing is left behind. Every byte is compared with what is due. Gives how many
/// responses are whole now.
fn receive(
    peer: &mut Peer,
    buffer: &mut [u8],
    responses: &[u8],
    response: usize,
) -> Result<usize, MeasureError> {
    let mut whole = 0;
    // Edge-triggered: what is left behind would not be told of again.
    while let Some(length) = read(peer, buffer)? {
        let end = peer.partial + length;
        if buffer[..length] != responses[peer.partial..end] {
            return Err(MeasureError::Talk("something else came back than was sent".into()));
        }
        peer.partial = end % response;
        whole += end / response;
        if length < buffer.len() {
            break;
        }
    }
    Ok(whole)
}

fn send(peer: &mut Peer, bytes: &[u8]) -> Result<(), MeasureError> {
    if !peer.unsent.is_empty() {
        peer.unsent.extend(bytes);
        return flush(peer);
    }
    let written = write(peer, bytes)?;
    peer.unsent.extend(&bytes[written..]);
    Ok(())
}

fn flush(peer: &mut Peer) -> Result<(), MeasureError> {
    while !peer.unsent.is_empty() {
        let unsent = std::mem::take(&mut peer.unsent);
        let written = write(peer, &unsent)?;
        peer.unsent.extend(&unsent[written..]);
        if written == 0 {
            break;
        }
    }
    Ok(())
}

/// How much the socket took.
fn write(peer: &mut Peer, bytes: &[u8]) -> Result<usize, MeasureError> {
    match peer.stream.write(bytes) {
        Ok(written) => Ok(written),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(MeasureError::Talk(error.to_string())),
    }
}
