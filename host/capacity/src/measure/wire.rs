//! Frames as a client and as a server send them, and what answers a ping.

use super::fleet::STUCK;
use mio::net::TcpStream;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

/// RFC 6455, section 5.3: any four bytes mask.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// RFC 6455, section 5.2: a whole message in one frame, of these kinds.
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// docs/wire-formats.md, heartbeats on framed TCP: how one begins, what stage it is of, and how long it is without a filler.
const HEARTBEAT: [u8; 4] = *b"\0WHB";
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const HEARTBEAT_LENGTH: usize = 13;

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
    pub(super) fn request(self, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::WebSocket => masked(BINARY, payload),
            Self::Tcp => self.response(payload),
        }
    }

    /// A frame as a server sends it.
    pub(super) fn response(self, payload: &[u8]) -> Vec<u8> {
        let mut frame = match self {
            Self::WebSocket => head(BINARY, payload.len(), 0),
            Self::Tcp => (payload.len() as u32).to_be_bytes().to_vec(),
        };
        frame.extend(payload);
        frame
    }

    /// What answers the ping that these bytes of a server begin with, and how long that ping is. `None`: they begin with something else,
    /// or with a part of one.
    pub(super) fn pong(self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        match self {
            Self::WebSocket => {
                let (&[first, length], rest) = bytes.split_first_chunk()?;
                let carried = rest.get(..usize::from(length)).filter(|_| first == PING && length <= 125)?;
                // RFC 6455, section 5.5.3: a pong carries what the ping did.
                Some((masked(PONG, carried), 2 + carried.len()))
            }
            Self::Tcp => {
                let (length, rest) = bytes.split_first_chunk()?;
                let asked = rest.first_chunk::<HEARTBEAT_LENGTH>()?;
                let mut answer = *asked;
                let (beginning, stage) = (asked.starts_with(&HEARTBEAT), &mut answer[HEARTBEAT.len()]);
                if u32::from_be_bytes(*length) as usize != asked.len() || !beginning || *stage != REQUEST {
                    return None;
                }
                *stage = RESPONSE;
                Some((self.request(&answer), length.len() + asked.len()))
            }
        }
    }

    pub(super) fn connect(self, address: SocketAddr) -> Result<TcpStream, std::io::Error> {
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

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len(), 0x80);
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_short_as_they_can_be() {
        for (length, beginning) in [
            (125, &[BINARY, 125][..]),
            (126, &[BINARY, 126, 0, 126]),
            (65_535, &[BINARY, 126, 0xff, 0xff]),
            (65_536, &[BINARY, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Wire::WebSocket.response(&vec![0; length]);
            assert!(frame.starts_with(beginning) && frame.len() == beginning.len() + length, "{length}");
            // A client's has the bit, and four bytes more.
            let frame = Wire::WebSocket.request(&vec![0; length]);
            assert_eq!((frame[1], frame.len()), (beginning[1] | 0x80, beginning.len() + 4 + length));
        }
        assert_eq!(Wire::Tcp.request(b"ab"), b"\0\0\0\x02ab");
    }

    #[test]
    fn a_ping_is_answered_with_what_it_carries() {
        let two = [&[PING, 2, b'a', b'b'][..], &[PING, 0]].concat();
        let (pong, taken) = Wire::WebSocket.pong(&two).unwrap();
        assert_eq!((&pong[..6], taken), (&[PONG, 0x82, 0x37, 0xfa, 0x21, 0x3d][..], 4));
        assert_eq!(pong[6..], [b'a' ^ 0x37, b'b' ^ 0xfa]);
        assert_eq!(Wire::WebSocket.pong(&two[4..]).map(|(_, taken)| taken), Some(2));
        let beat = b"\0\0\0\x0d\0WHB\x0112345678";
        assert_eq!(Wire::Tcp.pong(beat), Some((b"\0\0\0\x0d\0WHB\x0212345678".to_vec(), beat.len())));
    }

    #[test]
    fn what_is_no_ping_is_not_answered() {
        let beat = b"\0\0\0\x0d\0WHB\x0112345678";
        for cut in 0..beat.len() {
            assert_eq!(Wire::Tcp.pong(&beat[..cut]), None);
        }
        for other in
            [&b"\0\0\0\x0d\0WHB\x0212345678"[..], b"\0\0\0\x0c\0WHB\x0112345678", b"\0\0\0\x0dmessage of 13"]
        {
            assert_eq!(Wire::Tcp.pong(other), None);
        }
        for other in [&[][..], &[PING], &[PING, 2, 0], &[BINARY, 0], &[PING, 126, 0, 0]] {
            assert_eq!(Wire::WebSocket.pong(other), None);
        }
    }
}
