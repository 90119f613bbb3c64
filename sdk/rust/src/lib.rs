//! Write plugins for [Weir](https://github.com/weir-gateway/weir), the programmable gateway for long-lived connections.
//!
//! A plugin looks at whole messages and answers each with a [`Verdict`]. One that needs no state is a function:
//!
//! ```
//! use weir_sdk::{Message, Verdict, plugin};
//!
//! #[plugin]
//! fn no_secrets(message: &Message) -> Verdict {
//!     match message.text() {
//!         Some(text) if text.contains("password") => Verdict::drop("secret"),
//!         _ => Verdict::forward(),
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! One with a config, state, timers or an interest in sessions implements [`Plugin`]:
//!
//! ```
//! use weir_sdk::{Message, Plugin, Verdict, config, log, plugin};
//!
//! /// What the operator may write in `config = { … }`.
//! #[config]
//! struct Limits {
//!     /// Longest message, in bytes.
//!     longest: usize,
//! }
//!
//! struct Shorter {
//!     limits: Limits,
//!     refused: u64,
//! }
//!
//! #[plugin(description = "Drops long messages")]
//! impl Plugin for Shorter {
//!     type Config = Limits;
//!
//!     fn new(limits: Limits) -> Result<Self, String> {
//!         if limits.longest == 0 {
//!             return Err("`longest` must be at least 1".into());
//!         }
//!         Ok(Self { limits, refused: 0 })
//!     }
//!
//!     fn on_message(&mut self, message: &Message) -> Verdict {
//!         if message.payload().len() <= self.limits.longest {
//!             return Verdict::forward();
//!         }
//!         self.refused += 1;
//!         log::info!("{} messages refused so far", self.refused);
//!         Verdict::drop("too-long")
//!     }
//! }
//!
//! // In `cargo test`, a mock host stands in for the gateway.
//! # fn main() {
//! use weir_sdk::test::Harness;
//! let mut harness = Harness::<Shorter>::new(r#"{"longest": 5}"#);
//! assert_eq!(harness.message("short").verdict(), &Verdict::forward());
//! assert_eq!(harness.message("longer").verdict(), &Verdict::drop("too-long"));
//! # }
//! ```
//!
//! `cargo build --release --target wasm32-unknown-unknown` makes the file that the gateway loads.
//!
//! # What a plugin can do
//!
//! [`log`], [`clock`], [`attributes`] and [`metrics`] are there for every plugin. [`random`], [`messaging`],
//! [`groups`], [`kv`] and [`timers`] are capabilities: a plugin that calls one imports it, and the gateway loads such a
//! plugin only where the binding grants it. A plugin imports what it calls and nothing else.
//!
//! What a plugin asks for in [`messaging`], [`groups`], [`attributes`] and [`timers`] are *effects*: they happen in the
//! order asked for, after the call has returned and before the message goes on. After a panic none of them happens. [`kv`] and
//! [`metrics`] act at once.
//!
//! Every duration is in milliseconds.

#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract by tests/bindings.rs"
)]
#[rustfmt::skip]
#[doc(hidden)]
pub mod bindings;

mod batch;
mod capability;
mod config;
mod export;
mod message;
mod plugin;
mod session;
mod verdict;

#[cfg(not(target_arch = "wasm32"))]
pub mod test;

pub use bindings::weir::plugin::types::{
    Direction, Forwarding, Kind, Manifest, Message, Rejection, SessionId, SessionInfo as Session, Target,
    TlsInfo, Transport, Verdict,
};
pub use capability::{attributes, clock, groups, kv, log, messaging, metrics, random, timers};
pub use config::Config;
pub use message::MessageId;
pub use plugin::{Plugin, Registered};
pub use weir_sdk_macros::{config, plugin};

// What `#[config]` derives with; for plugins that derive by hand, so that there is one version of each.
pub use {schemars, serde, serde_json};

/// What the attributes expand to. Not part of the API.
#[doc(hidden)]
pub mod __rt {
    pub use crate::bindings;
    pub use crate::bindings::exports::weir::plugin::{batch, handler::Guest};
    pub use crate::export::{Slot, close, configure, describe, message, messages, open, timer};
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
