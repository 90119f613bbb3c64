//! The validated configuration: what the gateway is wired from.

use crate::cluster::Cluster;
use crate::listener::Listener;
use crate::overload::Overload;
use crate::plugin::{Binding, Plugins};
use crate::tap::Tap;
use crate::words::{LogAccess, LogFormat, LogLevel};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration. Everything that one part says about another (a chain's bindings, a route's cluster) has been checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads and how they end.
    pub runtime: Runtime,
    /// What is done when the process runs short of something.
    pub overload: Overload,
    /// Where metrics, health and the admin API are served.
    pub admin: Admin,
    /// What `weir tap` may show of messages.
    pub tap: Tap,
    /// What is logged, and how.
    pub log: Log,
    /// Where plugins come from.
    pub plugins: Plugins,
    /// Named uses of plugins, in the order of the file.
    pub bindings: Vec<Binding>,
    /// In the order of the file. Names differ; so do addresses within TCP and within UDP.
    pub listeners: Vec<Listener>,
    /// In the order of the file. Names differ.
    pub clusters: Vec<Cluster>,
}

/// Threads and how they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Threads with an event loop of their own.
    pub workers: Workers,
    /// How the process ends.
    pub drain: Drain,
}

/// How many workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// One per core.
    #[default]
    Auto,
    /// So many, from 1 to 256.
    Count(usize),
}

/// How the process ends: `/readyz` fails at once, after `ready_delay` nothing is accepted and sessions are closed, after `window`
/// what is left is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// From the failing `/readyz` to the end of accepting, at most 10 minutes.
    pub ready_delay: Duration,
    /// For how long sessions may take to end, at most an hour.
    pub window: Duration,
    /// How long clients are told to wait at most before they connect again, at most an hour; zero: they are told nothing.
    pub retry: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            ready_delay: Duration::from_secs(2),
            window: Duration::from_secs(30),
            retry: Duration::from_secs(10),
        }
    }
}

/// Where metrics, health and the admin API are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The address.
    pub bind: AdminBind,
    /// A file with the bearer token that requests must carry. Present whenever `bind` is a TCP address off loopback.
    pub token_file: Option<PathBuf>,
}

/// The admin server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminBind {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe line that is written.
    pub level: LogLevel,
    /// Its form.
    pub format: LogFormat,
    /// Records of sessions, which are lines of level `info`.
    pub access: LogAccess,
}
