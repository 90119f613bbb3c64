//! Runs: a gateway in a process of its own, on one core; a client in this one, on another; what a message cost the gateway.
//!
//! Only the gateway's CPU time is taken, so a client that is the slower of the two does not hide it. `weir bench` answers more
//! questions than this client does, the latency of each message above all. Here it is to take as little of the machine as it can, and
//! to bring messages together exactly as asked for.

mod clock;
mod fleet;
mod gateway;
mod probe;
mod wire;

pub use clock::{Cpu, cores, open_files, pin, pin_here};
pub use fleet::Fleet;
pub use gateway::{Gateway, Plugged};
pub use probe::{Probe, Run, Setup};
pub use wire::Wire;

use std::io;
use thiserror::Error;

/// Why there is no figure.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The gateway did not start, or said no address; with the end of its log.
    #[error("the gateway that was to be measured did not start: {0}")]
    Start(String),
    /// A connection failed or brought something else.
    #[error("a connection to the gateway that is measured: {0}")]
    Talk(String),
    /// The kernel refused something.
    #[error("cannot {what}: {error}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// Its answer.
        error: io::Error,
    },
}

impl MeasureError {
    fn kernel(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Kernel { what, error }
    }
}
