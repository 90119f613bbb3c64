//! Validated clusters.

use crate::Framing;
use crate::words::Balance;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use weir_core::Kind;

/// A named set of upstream addresses. Each session has a connection of its own.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Unique among clusters; 1 to 64 of `A-Z a-z 0-9 . _ -`, and none of the words that a route knows.
    pub name: String,
    /// What is spoken there.
    pub protocol: ClusterProtocol,
    /// `None`: plain.
    pub tls: Option<ClusterTls>,
    /// At least one; none twice.
    pub endpoints: Vec<Endpoint>,
    /// How an endpoint is chosen for a session.
    pub balance: Balance,
    /// For TCP, TLS and upgrade together; not zero.
    pub connect_timeout: Duration,
    /// Bytes that wait for one upstream connection before reading from its client stops.
    pub queue: usize,
    /// For how long an upstream may take nothing of what waits for it, at most a day; zero: as long as it likes.
    pub write_timeout: Duration,
}

/// What a cluster's endpoints speak.
#[derive(Clone, Debug)]
pub enum ClusterProtocol {
    /// Frames over TCP, or over TLS.
    Tcp {
        /// How bytes become frames.
        framing: Framing,
        /// Of every message from upstream.
        kind: Kind,
    },
    /// RFC 6455 over HTTP/1.1.
    WebSocket {
        /// Of the upgrade request; begins with `/`.
        path: String,
        /// The `Host` header; `None`: the endpoint as it is written.
        host: Option<String>,
        /// Bytes of a message from upstream.
        message: usize,
    },
}

/// TLS towards a cluster. Certificates are always verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTls {
    /// PEM: the authorities to trust; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// The name that is sent and verified; `None`: the endpoint's host.
    pub server_name: Option<String>,
}

/// An upstream address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Connected to as it is.
    Address(SocketAddr),
    /// Resolved before it is connected to.
    Name {
        /// A DNS name, in lower case.
        host: String,
        /// Not zero.
        port: u16,
    },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
