//! What a cluster is made from.

use crate::Endpoint;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use weir_codec::{Framing, Kind, websocket};

/// A named set of upstream addresses that all speak the same.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// For logs and metrics.
    pub name: Arc<str>,
    /// What is spoken there.
    pub protocol: Protocol,
    /// `None`: plain.
    pub tls: Option<ClientTls>,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    /// How an endpoint is chosen for a connection.
    pub balance: Balance,
    /// For resolving, TCP, TLS and upgrade together, the second endpoint's included; not zero.
    pub connect_timeout: Duration,
}

/// What a cluster's endpoints speak.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// Frames over TCP, or over TLS. The framing has the limit of a message.
    Tcp {
        /// How bytes become frames.
        framing: Arc<Framing>,
        /// Of every message from upstream.
        kind: Kind,
    },
    /// RFC 6455 over HTTP/1.1.
    WebSocket {
        /// Of the upgrade request: begins with `/`, and may have a query.
        path: String,
        /// The `Host` header; `None`: the endpoint as it is written.
        host: Option<String>,
        /// Offered in this order; the server may take one or none.
        subprotocols: Vec<String>,
        /// Of messages from upstream.
        limits: websocket::Limits,
    },
}

/// TLS towards a cluster. Certificates are always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// PEM: the authorities to trust. `None`: those that this machine trusts.
    pub ca: Option<PathBuf>,
    /// The name that is sent and verified. `None`: the endpoint's host.
    pub server_name: Option<String>,
}

/// How an endpoint is chosen among those that are not passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// Two at random, and of these the one with fewer connections: near to the least loaded, without all workers running to the
    /// same one.
    #[default]
    P2c,
    /// Each in its turn, over all workers.
    RoundRobin,
    /// The one with the fewest connections; among equals, one at random.
    LeastConnections,
}
