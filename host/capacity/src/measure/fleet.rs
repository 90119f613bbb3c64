//! Connections of one thread that send prepared frames and count what comes back: one `recv` and one `send` for whatever is there, so
//! that the other side and not this is what is measured.

use super::{MeasureError, Wire};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a run that hangs is told from one that is slow.
pub(super) const STUCK: Duration = Duration::from_secs(20);
/// What one read takes.
const BUFFER: usize = 256 * 1024;

/// Connections to one address, each with so many equal messages in flight.
#[derive(Debug)]
pub struct Fleet {
    wire: Wire,
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
            wire,
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

    /// Answers the server's pings, or heartbeat messages, for so long; gives how many.
    ///
    /// # Errors
    /// A connection ended or brought something else.
    pub fn pongs(&mut self, time: Duration) -> Result<u64, MeasureError> {
        let begun = Instant::now();
        let mut done = 0;
        while begun.elapsed() < time {
            self.wait()?;
            for event in &self.events {
                let peer = &mut self.peers[event.token().0];
                flush(peer)?;
                let Some(length) = read(peer, &mut self.buffer)? else { continue };
                let mut rest = &self.buffer[..length];
                while let Some((pong, taken)) = self.wire.pong(rest) {
                    send(peer, &pong)?;
                    (done, rest) = (done + 1, &rest[taken..]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server of so many connections that answers whatever was read with what `answer` makes of it, until the clients go.
    fn server(connections: usize, answer: fn(&[u8]) -> Vec<u8>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0; 1_000];
                    while let Ok(length @ 1..) = stream.read(&mut buffer) {
                        if stream.write_all(&answer(&buffer[..length])).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    #[test]
    fn every_echo_is_counted_wherever_the_reads_end() {
        let address = server(3, <[u8]>::to_vec);
        let mut fleet = Fleet::connect(Wire::Tcp, address, 3, 16, &[b'm'; 300]).unwrap();
        // Each has its messages once at least, and always all of them.
        let done = fleet.echo(Duration::ZERO).unwrap();
        assert_eq!(done, 48);
        let done = fleet.echo(Duration::from_millis(20)).unwrap();
        assert!(done >= 48 && done.is_multiple_of(16), "{done}");
    }

    #[test]
    fn what_is_no_echo_is_no_figure() {
        let other = server(1, |bytes| bytes.iter().map(|byte| byte ^ 1).collect());
        let mut fleet = Fleet::connect(Wire::Tcp, other, 1, 1, b"message").unwrap();
        let error = fleet.echo(Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("something else came back"), "{error}");
        let gone = server(1, |_| Vec::new());
        let mut fleet = Fleet::connect(Wire::Tcp, gone, 1, 1, b"message").unwrap();
        fleet.peers[0].stream.shutdown(std::net::Shutdown::Both).unwrap();
        assert!(fleet.echo(Duration::ZERO).is_err());
    }
}
