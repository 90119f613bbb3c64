//! Listeners for TCP, TLS, WebSocket, QUIC and WebTransport, and one driver for all connections.
//!
//! This crate owns sockets and handshakes. What a message means, where it goes and why a connection ends is weir-core's; the plugin
//! engine and the configuration file are nobody's here.
//!
//! A process [binds](bind) its listeners once, and gives each worker thread its [`Share`] of them. On the worker's thread a [`Local`]
//! holds the worker; [`Share::serve`] spawns the accept loops on the thread's `LocalSet`, and every session that they open is a
//! [`Driver`]. Upstream connections, which others make, are driven by [`Driver`]s too. The thread also runs [`Local::run_timers`].

#![deny(unsafe_code)]

mod carrier;
mod drive;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod line;
mod listen;
mod local;
mod quic;
mod record;
mod resume;
pub mod tls;
mod upgrade;
mod webtransport;

pub use drive::{Driver, Finished, Input, Link, StreamLink, WriteError};
pub use listen::{BindError, ListenerSpec, Listeners, Overload, Protocol, Serving, Share, bind};
pub use local::Local;
pub use resume::{Crossing, Tokens, crossings};
