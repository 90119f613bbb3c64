//! Sessions that say nothing, over each transport.

use crate::fleet::{Fleet, Wire};
use rustls::pki_types::ServerName;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use weir_tests::certificate::Authority;
use weir_tests::client::over_quic;
use weir_tests::raw::{Frame, Raw, UPGRADE, masked};

/// What idle sessions come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Plain(Wire),
    /// WebSocket that has agreed to permessage-deflate, and has sent and received a compressed message.
    Compressed,
    /// WebSocket over TLS 1.3.
    Tls,
    Quic,
}

/// They are let go when this is dropped.
pub(crate) enum Crowd {
    Plain(Wire, Box<Fleet>),
    Compressed(Vec<Raw>),
    Tls(Vec<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>, Arc<rustls::ClientConfig>),
    Quic(Box<Quic>),
}

/// Connections without a stream.
pub(crate) struct Quic {
    runtime: tokio::runtime::Runtime,
    endpoint: quinn::Endpoint,
    connections: Vec<quinn::Connection>,
}

impl Over {
    /// For what is printed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain(wire) => wire.name(),
            Self::Compressed => "compressed WebSocket",
            Self::Tls => "WebSocket over TLS",
            Self::Quic => "QUIC",
        }
    }

    /// Of user-space memory, in bytes a session.
    pub(crate) const fn bar(self) -> Option<f64> {
        match self {
            Self::Plain(Wire::WebSocket) => Some(1280.0),
            Self::Tls => Some(12.0 * 1024.0),
            Self::Plain(Wire::Tcp) | Self::Compressed | Self::Quic => None,
        }
    }

    /// For a listener's configuration; certificates are those that [`Authority::write`] writes.
    pub(crate) fn config(self) -> String {
        let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
        match self {
            Self::Plain(wire) => wire.config().to_owned(),
            Self::Compressed => "protocol = \"websocket\"\ncompression = \"permessage-deflate\"".to_owned(),
            Self::Tls => format!("protocol = \"websocket\"\n{tls}"),
            Self::Quic => format!("protocol = \"quic\"\n{tls}"),
        }
    }

    /// Nobody yet.
    pub(crate) fn crowd(self, address: SocketAddr, authority: &Authority) -> Crowd {
        match self {
            Self::Plain(wire) => {
                Crowd::Plain(wire, Box::new(Fleet::connect(wire, address, 0, 1, &[b'm'; 64])))
            }
            Self::Compressed => Crowd::Compressed(Vec::new()),
            Self::Tls => Crowd::Tls(Vec::new(), Arc::new(authority.client(false))),
            Self::Quic => {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let mut config = over_quic(authority.client(false));
                let mut transport = quinn::TransportConfig::default();
                // Half an hour: the gateway's word counts.
                transport.max_idle_timeout(Some(quinn::VarInt::from_u32(1_800_000).into()));
                config.transport_config(Arc::new(transport));
                let mut endpoint = runtime
                    .block_on(async { quinn::Endpoint::client("127.0.0.1:0".parse().expect("an address")) })
                    .expect("an endpoint");
                endpoint.set_default_client_config(config);
                Crowd::Quic(Box::new(Quic { runtime, endpoint, connections: Vec::new() }))
            }
        }
    }
}

impl Crowd {
    /// Connects until there are so many.
    pub(crate) fn grow(&mut self, addresses: &[SocketAddr], count: usize) {
        match self {
            Self::Plain(wire, fleet) => fleet.grow(*wire, addresses, count),
            Self::Compressed(all) => {
                while all.len() < count {
                    all.push(compressed(addresses[all.len() % addresses.len()]));
                }
            }
            Self::Tls(all, config) => {
                while all.len() < count {
                    all.push(tls(addresses[all.len() % addresses.len()], config));
                }
            }
            Self::Quic(quic) => quic.grow(addresses[0], count),
        }
    }
}

/// One that has talked once, compressed both ways.
fn compressed(address: SocketAddr) -> Raw {
    let mut raw = Raw::connect(address);
    let (status, head) = raw.request(&format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    ));
    assert!(status == 101 && head.contains("permessage-deflate"), "{head}");
    // RFC 7692, section 7.2.3.3: a block that is stored as it is, and the beginning of the empty one that is left out at the end.
    let message = [b'm'; 200];
    let length = message.len() as u16;
    let stored = [&[0], &length.to_le_bytes()[..], &(!length).to_le_bytes(), &message, &[0]].concat();
    assert!(raw.write(&masked(0xc1, &stored)));
    match raw.frame() {
        Frame::Frame(1, payload) => assert!(payload.len() < message.len(), "it comes back compressed"),
        other => panic!("{other:?}"),
    }
    raw
}

fn tls(
    address: SocketAddr,
    config: &Arc<rustls::ClientConfig>,
) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("an option");
    let name = ServerName::try_from("localhost").expect("a name");
    let client = rustls::ClientConnection::new(Arc::clone(config), name).expect("a configuration");
    let mut stream = rustls::StreamOwned::new(client, stream);
    stream
        .write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}\r\n").as_bytes())
        .expect("a handshake");
    let mut answer = Vec::new();
    let mut part = [0; 512];
    while !answer.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut part).expect("an answer");
        assert!(length > 0, "the gateway refused: {}", String::from_utf8_lossy(&answer));
        answer.extend(&part[..length]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

impl Quic {
    /// A few at once: above 64 the gateway asks for more.
    fn grow(&mut self, address: SocketAddr, count: usize) {
        const AT_ONCE: usize = 16;
        let Self { runtime, endpoint, connections } = self;
        runtime.block_on(async {
            while connections.len() < count {
                let some = AT_ONCE.min(count - connections.len());
                let connecting: Vec<_> = (0..some)
                    .map(|_| endpoint.connect(address, "localhost").expect("a connection"))
                    .collect();
                for one in connecting {
                    connections.push(one.await.expect("a handshake"));
                }
            }
        });
    }
}
