//! WebSocket by hand, for clients that break the rules.

use crate::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A connection whose bytes the test writes itself.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Opcode and payload.
    Frame(u8, Vec<u8>),
    /// A close frame's code.
    Close(u16),
    /// The end of the stream, in order or not.
    End,
}

impl Raw {
    /// Connects and says nothing.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("a connection"))
    }

    /// Over a connection that is there, on which nothing was said.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        Self { stream, read: Vec::new() }
    }

    /// Connects and asks for a WebSocket, which is granted.
    pub fn websocket(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address);
        raw.upgrade();
        raw
    }

    /// Asks for a WebSocket, which is granted.
    pub fn upgrade(&mut self) {
        let (status, head) = self.request(&format!("GET / HTTP/1.1\r\nHost: gateway\r\n{UPGRADE}\r\n"));
        assert_eq!(status, 101, "{head}");
    }

    /// Writes bytes; false when the other side is gone.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Writes a request as it is and reads the answer's head.
    pub fn request(&mut self, head: &str) -> (u16, String) {
        self.write(head.as_bytes());
        let mut read = 0;
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill() && read < 1000, "no answer: {:?}", String::from_utf8_lossy(&self.read));
            read += 1;
        };
        let rest = self.read.split_off(end);
        let head = String::from_utf8_lossy(&std::mem::replace(&mut self.read, rest)).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, head)
    }

    /// The next frame of the server, or the end.
    pub fn frame(&mut self) -> Frame {
        loop {
            if let Some((opcode, payload, length)) = parse(&self.read) {
                self.read.drain(..length);
                if opcode == 8 {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    return Frame::Close(code);
                }
                return Frame::Frame(opcode, payload);
            }
            if !self.fill() {
                return Frame::End;
            }
        }
    }

    /// The reason of the close frame, which is the next that is no ping.
    pub fn close_reason(&mut self) -> String {
        loop {
            if let Some((opcode, payload, length)) = parse(&self.read) {
                self.read.drain(..length);
                match opcode {
                    8 => return String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned(),
                    9 => continue,
                    _ => panic!("opcode {opcode} before the close frame"),
                }
            }
            assert!(self.fill(), "the stream ended without a close frame");
        }
    }

    /// Reads until the end of the stream and gives all.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.read)
    }

    /// No more from this side.
    pub fn finish(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing comes, and no end"),
            Err(_) => false,
        }
    }
}

/// The headers of an upgrade, without `Host`.
pub const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A masked frame as a client sends it; the first byte as it is.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=0x7d => frame.push(0x80 | length as u8),
        length @ 0x7e..=0xffff => {
            frame.push(0xfe);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Opcode, payload and whole length of an unmasked frame that has arrived.
fn parse(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert!(second < 0x80, "a server does not mask");
    let (length, head) = match second {
        126 => (u16::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 4),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 10),
        short => (short as usize, 2),
    };
    Some((first & 0x0f, bytes.get(head..head + length)?.to_vec(), head + length))
}
