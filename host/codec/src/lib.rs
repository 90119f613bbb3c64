//! Bytes to frames to messages, and back.
//!
//! This crate does no I/O, reads no clock, starts no task and knows neither sockets nor plugins: bytes come in as slices, events
//! and bytes go out. It builds for wasm32 like any other library.
//!
//! Inbound, a [`Decoder`] is offered whatever has arrived and gives one [`Event`] at a time; what is left of a partial frame it
//! keeps itself, so an idle connection holds no buffer. Outbound, a [`Wire`] says how a message becomes a frame.

#![forbid(unsafe_code)]

mod buffer;
mod decoder;
pub mod error;
pub mod event;
pub mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod heartbeat;
pub mod http3;
pub mod session;
mod utf8;
pub mod websocket;
mod wire;

pub use decoder::Decoder;
pub use error::{EncodeError, WireError};
pub use event::{Decoded, Event, Kind, Payload};
pub use framing::{Framing, Prefix};
pub use wire::{Envelope, Wire};
