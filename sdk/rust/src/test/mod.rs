//! A mock host for `cargo test` on the author's own machine: not on wasm targets.
//!
//! A [`Harness`] holds one instance of a plugin, makes the calls that the gateway would make, and says what came of
//! each: the verdict, the effects in their order, and the lines logged. Behind it stands a [`Host`] with attributes,
//! groups, a kv store, metrics, a timer and a clock that moves only when it is told to.
//!
//! ```
//! use weir_sdk::{Message, Plugin, Rejection, Session, Verdict, groups, plugin};
//! use weir_sdk::test::{Effect, Harness, session};
//!
//! struct Lobby;
//!
//! #[plugin]
//! impl Plugin for Lobby {
//!     fn new((): ()) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!     fn on_open(&mut self, session: &Session) -> Result<(), Rejection> {
//!         groups::join(session.id, "lobby");
//!         Ok(())
//!     }
//!     fn on_message(&mut self, _: &Message) -> Verdict {
//!         Verdict::forward()
//!     }
//! }
//!
//! # fn main() {
//! let mut harness = Harness::<Lobby>::new("{}");
//! let opened = harness.open(session(7));
//! assert_eq!(opened.effects, [Effect::Join { session: 7, group: "lobby".into() }]);
//! assert_eq!(harness.host().members("lobby"), [7]);
//! # }
//! ```
//!
//! The mock keeps the limits of the contract (lengths of names, values and reasons) and panics where a plugin breaks
//! one. It has no deadline, no memory limit and no grants: those are the gateway's.

mod harness;
mod host;
pub(crate) mod mock;
mod outcome;
mod store;

pub use harness::{Harness, session};
pub use host::Host;
pub use outcome::{Effect, LogLine, Outcome};
