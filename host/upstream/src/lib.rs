//! Clusters: which endpoint a session's upstream connection goes to, and making it.
//!
//! This crate knows neither plugins nor listeners, and it moves no messages: [`Cluster::connect`] gives a connected byte stream with
//! the decoder for what comes from it, and the one driver of all connections does the rest.
//!
//! A [`Cluster`] is shared by all workers. Its counts of live connections are atomics, each held by a [`Lease`]; nothing here is on
//! the way of a message.
//!
//! What it does not do yet, and therefore nowhere promises: health checks on its own, breakers, connections shared by sessions,
//! a cache of resolved names.

#![forbid(unsafe_code)]

mod address;
mod balance;
mod cluster;
mod dial;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod health;
mod member;
mod random;
mod response;
mod spec;
mod stream;
mod tls;
mod upgrade;

pub use address::{BadEndpoint, Endpoint};
pub use cluster::{Cluster, Connected};
pub use error::{Cause, ConnectError, Error, Fault, Step};
pub use member::{EndpointStats, Lease};
pub use response::Refusal;
pub use spec::{Balance, ClientTls, ClusterSpec, Protocol};
pub use stream::Stream;
