//! Validated listeners.

use crate::{Compression, Framing};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use weir_core::{Kind, Limits};

/// A bound address and how its bytes become messages.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Unique among listeners; 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// Unique among the listeners over TCP, and among those over UDP.
    pub bind: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
    /// `None`: plain, or for QUIC and WebTransport (then `bind` is loopback) a self-signed certificate made at start.
    pub tls: Option<TlsFiles>,
    /// The bindings that its messages meet.
    pub chain: ChainSpec,
    /// Where a message goes that no plugin sent elsewhere.
    pub route: RouteSpec,
    /// Groups that each session is in from the beginning.
    pub join: Vec<String>,
    /// What a session may use. `message` bounds all but TCP; over TCP it equals the framing's maximum.
    pub limits: Limits,
    /// Where a payload says what it is about; present whenever the limits conflate.
    pub conflate: Option<Pointer>,
    /// Connections accepted a second, over all workers, before TLS; at least 1.
    pub accept_rate: u32,
    /// Whether sessions wait for clients that lost their connections.
    pub resume: Option<Resume>,
}

/// How sessions wait for clients that lost their connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// For how long.
    pub window: Duration,
    /// Bytes of messages that a session keeps until its client confirms them; at most the limits' `queue`.
    pub buffer: usize,
    /// Sessions that wait at once, over all workers; at least 1.
    pub sessions: usize,
    /// A client may come back to any listener of the same scope.
    pub scope: String,
    /// For how long a token is good.
    pub token_lifetime: Duration,
}

/// A place in a JSON document (RFC 6901), below its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(pub(crate) Vec<String>);

impl Pointer {
    /// Deeper documents are not looked into.
    const DEPTH: usize = 16;
    /// What is right, for whoever wrote something else.
    pub const HELP: &str =
        "RFC 6901: names with \"/\" before each, at most 16; \"~1\" is a \"/\" in a name, \"~0\" a \"~\"";

    /// Reads a pointer. `None`: it is none (RFC 6901, section 3), or the document itself, or deeper than 16.
    pub fn parse(text: &str) -> Option<Self> {
        let names: Option<Vec<String>> = text.strip_prefix('/')?.split('/').map(unescape).collect();
        names.filter(|names| names.len() <= Self::DEPTH).map(Self)
    }

    /// The names, or numbers, on the way: at least one.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }
}

/// What a listener speaks.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// Frames over TCP, or over TLS.
    Tcp {
        /// How bytes become frames.
        framing: Framing,
        /// Of every message.
        kind: Kind,
    },
    /// RFC 6455 over HTTP/1.1. The kind of a message is its frame's.
    WebSocket {
        /// Of the upgrade request; begins with `/`.
        path: String,
        /// Origins that browsers may connect from, as `scheme://host[:port]` in lower case. Empty: the same origin only. Clients
        /// that send no `Origin` are no browsers and may always connect.
        origins: Vec<String>,
        /// In order of preference; empty: none is negotiated.
        subprotocols: Vec<String>,
        /// Agreed to with clients that offer it.
        compression: Compression,
    },
    /// RFC 9000.
    Quic {
        /// Of every message.
        kind: Kind,
    },
    /// WebTransport over HTTP/3.
    WebTransport {
        /// Of the request for a session; begins with `/`.
        path: String,
        /// As for WebSocket.
        origins: Vec<String>,
        /// Of every message.
        kind: Kind,
    },
}

impl Protocol {
    /// Whether it is spoken over UDP, by QUIC, which is always encrypted.
    pub const fn is_quic(&self) -> bool {
        matches!(self, Self::Quic { .. } | Self::WebTransport { .. })
    }
}

/// The files of a TLS server. None has been opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate, then its chain.
    pub cert: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
    /// PEM: when present, clients must show a certificate that one of these signed.
    pub client_ca: Option<PathBuf>,
    /// Clients may come back without a whole handshake.
    pub session_tickets: bool,
}

/// The chain of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainSpec {
    /// Every plugin of the directory, ordered by file name.
    Auto,
    /// These bindings, in inbound order; each exists in [`Config::bindings`](crate::Config::bindings), none twice.
    Named(Vec<String>),
}

/// The route of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteSpec {
    /// A cluster that exists in [`Config::clusters`](crate::Config::clusters).
    Cluster(String),
    /// Published to the group.
    Group(String),
    /// Back to the sender.
    Echo,
    /// Nowhere, counted.
    Drop,
}

/// RFC 6901, section 4. `None`: a `~` that escapes nothing.
fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(1)?;
        plain.push(match escaped {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn names_are_unescaped_as_the_rfc_says() {
        for (token, plain) in [
            ("", Some("")),
            ("a~1b", Some("a/b")),
            ("~01", Some("~1")),
            ("~", None),
            ("a~2", None),
            ("~ü", None),
        ] {
            assert_eq!(unescape(token).as_deref(), plain, "{token}");
        }
    }
}
