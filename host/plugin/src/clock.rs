//! The time that plugins see.

use crate::script::Script;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks: the machine's, of which the monotonic one begins with the runtime, or what a script says.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    Machine { start: Instant },
    Script(Arc<Script>),
}

impl Clock {
    pub(crate) fn start(script: Option<&Arc<Script>>) -> Self {
        script.map_or_else(|| Self::Machine { start: Instant::now() }, |script| Self::Script(script.clone()))
    }

    /// Milliseconds since the runtime began.
    pub(crate) fn monotonic(&self) -> u64 {
        match self {
            Self::Machine { start } => start.elapsed().as_millis() as u64,
            Self::Script(script) => script.moment().monotonic,
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn wall(&self) -> u64 {
        match self {
            Self::Machine { .. } => Self::now(),
            Self::Script(script) => script.moment().now,
        }
    }

    /// Milliseconds since 1970 by the machine's clock, whatever plugins see; 0 on a machine whose clock is before that.
    pub(crate) fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    /// The script, where there is one.
    pub(crate) fn script(&self) -> Option<&Arc<Script>> {
        match self {
            Self::Machine { .. } => None,
            Self::Script(script) => Some(script),
        }
    }
}
