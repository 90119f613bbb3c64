//! The configuration: from TOML to validated types.
//!
//! [`load`] reads `weir.toml` and `conf.d/*.toml` beside it, and gives a [`Config`] in which everything has been checked that can be
//! checked without sockets, plugins and certificates; or all [`Errors`] that it found, each with its place and what to do. What the
//! gateway does without a file is [`Config::zero`].
//!
//! This crate opens no sockets, compiles no plugins and reads no certificates. It reads the files that it is named and nothing else.

mod cluster;
mod config;
mod diff;
mod error;
mod field;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod json;
mod listener;
mod load;
mod merge;
mod offload;
mod overload;
mod plugin;
mod raw;
#[cfg(test)]
mod reference;
mod rollout;
mod schema;
mod shape;
mod source;
mod tap;
mod validate;
mod value;
mod words;
mod zero;

pub use cluster::{Cluster, ClusterProtocol, ClusterTls, Endpoint};
pub use config::{Admin, AdminBind, Config, Drain, Log, Runtime, Workers};
pub use diff::{Applies, Change, Difference};
pub use error::{ConfigError, Errors};
pub use listener::{ChainSpec, Listener, Pointer, Protocol, Resume, RouteSpec, TlsFiles};
pub use load::{load, sidecar};
pub use offload::Placement;
pub use overload::{MemoryLimit, Overload, Steps};
pub use plugin::{Binding, Cache, PluginSettings, Plugins, When};
pub use rollout::{Pin, Rollback, Rollout};
pub use schema::schema;
pub use tap::Tap;
pub use weir_codec::{Framing, Prefix};
pub use words::{Balance, Compression, Grant, LogAccess, LogFormat, LogLevel};
