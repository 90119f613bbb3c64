//! What a plugin can ask of the gateway: a module for each interface of the contract. On a wasm target the calls go to
//! the gateway, elsewhere to the mock host of [`crate::test`].

#[cfg(target_arch = "wasm32")]
use crate::bindings::weir::plugin as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::mock as host;

pub mod attributes;
pub mod clock;
pub mod groups;
pub mod kv;
pub mod log;
pub mod messaging;
pub mod metrics;
pub mod random;
pub mod timers;
