//! Validated: how a new version of a plugin takes over.

use std::time::Duration;

/// Whom a new version meets at first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rollout {
    /// Every session.
    #[default]
    All,
    /// A share of the sessions, above 0 and below 1, for so long; then every session.
    Canary {
        /// Of the sessions.
        share: f64,
        /// For how long.
        window: Duration,
    },
}

/// Which version the sessions meet that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Whether they stay with the one that they began with.
    pub sessions: bool,
    /// For how long after it was replaced, from a second to a day.
    pub drain: Duration,
}

impl Default for Pin {
    fn default() -> Self {
        Self { sessions: false, drain: Duration::from_mins(10) }
    }
}

/// When a new version is taken back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rollback {
    /// For how long a version is watched that every session meets; zero: not at all.
    pub window: Duration,
    /// Fewer failed calls are never a reason; 0: failures are none.
    pub failures: u64,
    /// Such a part of the calls is too much, from 0 to 1.
    pub failed_share: f64,
    /// Calls that are so many times as slow are too slow; 0: none is.
    pub latency_factor: u64,
    /// Calls that are slower by less are no reason.
    pub latency_slack: Duration,
    /// So much larger may the part of the messages be that are dropped, from 0 to 1.
    pub drop_difference: f64,
    /// Calls without which latency and drops are not compared.
    pub calls: u64,
    /// So many looks on end must find it outside.
    pub looks: u32,
}

impl Default for Rollback {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(1),
            failures: 5,
            failed_share: 0.05,
            latency_factor: 4,
            latency_slack: Duration::from_micros(20),
            drop_difference: 0.25,
            calls: 50,
            looks: 2,
        }
    }
}
