//! What the end-to-end tests share: a gateway in a process of its own, clients, and a look at its counters.
//!
//! The binary is `target/release/weir`, or what `WEIR_BIN` names; `make e2e` builds it with Weir's own assertions on.

pub mod artifact;
pub mod certificate;
pub mod client;
pub mod command;
pub mod forge;
pub mod gateway;
pub mod heartbeats;
pub mod herd;
pub mod latency;
pub mod machine;
pub mod metrics;
pub mod peer;
pub mod process;
pub mod raw;
pub mod stamp;
pub mod webtransport;

pub use gateway::Gateway;
pub use metrics::Metrics;
pub use peer::Peer;

use std::time::Duration;

/// How long a condition may take to come true before a test fails.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until a condition is true; panics with `what` when it does not become so within [`PATIENCE`].
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "waited in vain for: {what}");
        // A condition outside this process has nothing to wait on; this is how often it is looked at.
        std::thread::sleep(Duration::from_millis(5));
    }
}
