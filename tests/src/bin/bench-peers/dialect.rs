//! How a server is spoken to: how a connection begins, and what a message is on the wire.

use anyhow::{Context as _, Result, bail, ensure};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// By which a message is known again, wherever it stands in what a server sends. It does not overlap itself.
pub(crate) const MARK: &[u8; 4] = b"#m~:";

/// For each step of a beginning.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many connections begin together: far fewer than wait in any server's backlog.
const TOGETHER: usize = 64;

type Bytes = Rc<dyn Fn(usize) -> Vec<u8>>;
type Frame = Rc<dyn Fn(usize, &[u8]) -> Vec<u8>>;

/// One way to speak to one address.
#[derive(Clone)]
pub(crate) struct Dialect {
    pub(crate) address: SocketAddr,
    /// The path of the upgrade, where it is WebSocket.
    upgrade: Option<&'static str>,
    /// What a connection says first, by its number.
    hello: Bytes,
    /// The connection is ready when it has heard this.
    ready: &'static [u8],
    /// A message of the connection, as it goes on the wire.
    frame: Frame,
    /// The server ends a connection behind each request.
    pub(crate) fresh: bool,
    /// The same for `weir bench`: its arguments, where it can speak this.
    pub(crate) bench: Vec<String>,
}

impl Dialect {
    fn new(address: SocketAddr, upgrade: Option<&'static str>, frame: Frame) -> Self {
        Self {
            address,
            upgrade,
            hello: Rc::new(|_| Vec::new()),
            ready: b"",
            frame,
            fresh: false,
            bench: Vec::new(),
        }
    }

    /// WebSocket, binary messages.
    pub(crate) fn websocket(address: SocketAddr, path: &'static str) -> Self {
        Self {
            bench: vec![format!("ws://{address}{path}")],
            ..Self::new(address, Some(path), Rc::new(|_, payload| masked(0x82, payload)))
        }
    }

    /// TCP with length prefixes of 32 bits, big endian.
    pub(crate) fn prefixed(address: SocketAddr) -> Self {
        let frame = |_, payload: &[u8]| [&(payload.len() as u32).to_be_bytes(), payload].concat();
        Self { bench: vec![format!("tcp://{address}")], ..Self::new(address, None, Rc::new(frame)) }
    }

    /// TCP, as it is.
    pub(crate) fn bytes(address: SocketAddr) -> Self {
        Self::new(address, None, Rc::new(|_, payload| payload.to_vec()))
    }

    /// NATS over WebSocket: each connection publishes to a subject of its own that it has subscribed to.
    pub(crate) fn nats_echo(address: SocketAddr) -> Self {
        let url = format!("ws://{address}/");
        let bench = [
            url.as_str(),
            "--hello",
            "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":false}\r\nSUB e{n} 1\r\nPING\r\n",
            "--ready",
            "PONG",
            "--publish",
            "PUB e{n} {size}\r\n{payload}\r\n",
        ];
        Self {
            bench: bench.map(str::to_owned).into(),
            ..Self::nats(
                address,
                Rc::new(|number| format!("e{number}")),
                Rc::new(|number| format!("e{number}")),
            )
        }
    }

    /// The same, all to one subject.
    pub(crate) fn nats_publish(address: SocketAddr) -> Self {
        Self::nats(address, Rc::new(|_| String::new()), Rc::new(|_| "group".to_owned()))
    }

    pub(crate) fn nats_member(address: SocketAddr) -> Self {
        Self::nats(address, Rc::new(|_| "group".to_owned()), Rc::new(|_| "none".to_owned()))
    }

    fn nats(
        address: SocketAddr,
        subscribe: Rc<dyn Fn(usize) -> String>,
        publish: Rc<dyn Fn(usize) -> String>,
    ) -> Self {
        let frame = move |number, payload: &[u8]| {
            let head = format!("PUB {} {}\r\n", publish(number), payload.len());
            masked(0x82, &[head.as_bytes(), payload, b"\r\n"].concat())
        };
        let hello = move |number| {
            let subject = subscribe(number);
            let subscription =
                if subject.is_empty() { String::new() } else { format!("SUB {subject} 1\r\n") };
            masked(
                0x82,
                format!(
                    "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":false}}\r\n{subscription}PING\r\n"
                )
                .as_bytes(),
            )
        };
        Self { hello: Rc::new(hello), ready: b"PONG", ..Self::new(address, Some("/"), Rc::new(frame)) }
    }

    /// MQTT 3.1.1: connects and subscribes, and says nothing more.
    pub(crate) fn mqtt_member(address: SocketAddr) -> Self {
        let hello = |number| {
            let id = format!("c{number}");
            // MQTT 3.1.1, section 3.1: clean session, no keep-alive. Section 3.8: one topic, at most once.
            let mut packet = vec![0x10, (12 + id.len()) as u8, 0, 4];
            packet.extend(b"MQTT\x04\x02\0\0\0");
            packet.push(id.len() as u8);
            packet.extend(id.as_bytes());
            packet.extend(b"\x82\x0a\0\x01\0\x05group\0");
            packet
        };
        // SUBACK.
        Self {
            hello: Rc::new(hello),
            ready: b"\x90\x03\0\x01",
            ..Self::new(address, None, Rc::new(|_, payload| payload.to_vec()))
        }
    }

    /// Pusher's protocol: connects and subscribes to a channel.
    pub(crate) fn pusher_member(address: SocketAddr) -> Self {
        let hello = |_| masked(0x81, br#"{"event":"pusher:subscribe","data":{"channel":"group"}}"#);
        Self {
            hello: Rc::new(hello),
            ready: b"subscription_succeeded",
            ..Self::new(
                address,
                Some("/app/bench-key?protocol=7&client=bench&version=1"),
                Rc::new(|_, payload| masked(0x81, payload)),
            )
        }
    }

    /// A member of a group behind pushpin, whose service answers with a word when it has subscribed it.
    pub(crate) fn pushpin_member(address: SocketAddr) -> Self {
        Self {
            hello: Rc::new(|_| masked(0x81, b"hello")),
            ready: b"welcome",
            ..Self::new(address, Some("/"), Rc::new(|_, payload| masked(0x81, payload)))
        }
    }

    /// Requests of HTTP made of a payload, each on a connection of its own.
    pub(crate) fn requests(address: SocketAddr, request: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Self {
        Self { fresh: true, ..Self::new(address, None, Rc::new(move |_, payload| request(payload))) }
    }

    /// A PUSH socket of `ZeroMQ` (ZMTP 3.0, mechanism NULL), whose messages are made of a payload.
    pub(crate) fn zeromq(address: SocketAddr, message: impl Fn(&[u8]) -> String + 'static) -> Self {
        let hello = |_| {
            let mut hello = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL".to_vec();
            hello.resize(64, 0);
            hello.extend(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH");
            hello
        };
        let frame = move |_, payload: &[u8]| {
            let body = message(payload);
            // A long frame: its length has eight bytes.
            [&[2], &(body.len() as u64).to_be_bytes()[..], body.as_bytes()].concat()
        };
        Self { hello: Rc::new(hello), ready: b"READY", ..Self::new(address, None, Rc::new(frame)) }
    }

    /// A message of connection `number`.
    pub(crate) fn message(&self, number: usize, payload: &[u8]) -> Vec<u8> {
        (self.frame)(number, payload)
    }

    /// Connects those of these numbers, and waits until they are ready. Some are under way together, or each would wait for a server that
    /// has just gone to sleep.
    pub(crate) fn connect(&self, numbers: Range<usize>) -> Result<Vec<TcpStream>> {
        let mut all = Vec::with_capacity(numbers.len());
        for begin in numbers.clone().step_by(TOGETHER) {
            let numbers = begin..numbers.end.min(begin + TOGETHER);
            let mut opening = numbers
                .map(|number| self.begin(number).with_context(|| format!("connection {number}")))
                .collect::<Result<Vec<_>>>()?;
            for one in &mut opening {
                self.say_hello(one).with_context(|| format!("connection {}", one.number))?;
            }
            for mut one in opening {
                one.hear(self.ready).with_context(|| format!("connection {}", one.number))?;
                all.push(one.stream);
            }
        }
        Ok(all)
    }

    /// Every 8,000 connections come from another address of loopback, which has ports enough.
    fn begin(&self, number: usize) -> Result<Opening> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        if number >= 8_000 {
            socket.set_reuse_address(true)?;
            let source = Ipv4Addr::new(127, 0, 1, (number / 8_000) as u8);
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        socket.connect_timeout(&self.address.into(), PATIENCE)?;
        let mut stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        if let Some(path) = self.upgrade {
            // In one write.
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                self.address
            );
            stream.write_all(request.as_bytes())?;
        }
        Ok(Opening { number, stream, heard: Vec::new() })
    }

    fn say_hello(&self, one: &mut Opening) -> Result<()> {
        if self.upgrade.is_some() {
            one.hear(b"\r\n\r\n")?;
            let heard = &one.heard;
            ensure!(heard.starts_with(b"HTTP/1.1 101"), "refused: {}", String::from_utf8_lossy(heard));
        }
        Ok(one.stream.write_all(&(self.hello)(one.number))?)
    }
}

/// A connection that is not ready yet.
struct Opening {
    number: usize,
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Opening {
    /// Reads until these bytes were there.
    fn hear(&mut self, awaited: &[u8]) -> Result<()> {
        let mut part = [0; 2048];
        while !awaited.is_empty() && memchr::memmem::find(&self.heard, awaited).is_none() {
            match self.stream.read(&mut part) {
                Ok(0) => {
                    bail!("the server ended a connection; it said: {}", String::from_utf8_lossy(&self.heard))
                }
                Ok(length) => self.heard.extend(&part[..length]),
                Err(error) => bail!(
                    "waited for {:?}: {error}; the server said: {}",
                    String::from_utf8_lossy(awaited),
                    String::from_utf8_lossy(&self.heard)
                ),
            }
        }
        Ok(())
    }
}

/// RFC 6455, section 5.2: a final frame of a client.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 0x7e);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A payload of so many bytes with one mark.
pub(crate) fn payload(bytes: usize) -> Vec<u8> {
    let mut payload = MARK.to_vec();
    payload.resize(bytes, b'm');
    payload
}
