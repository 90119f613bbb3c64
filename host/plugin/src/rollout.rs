//! How a new generation takes over, as the operator wants it.

use std::time::Duration;

/// Whom a new generation meets, and when it is taken back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolloutPolicy {
    /// The share of the sessions that meets it at first; `None`: all do.
    pub canary: Option<CanaryPolicy>,
    /// Sessions stay with the generation that they began with for so long after it was replaced; `None`: they do not.
    pub pin: Option<Duration>,
    /// When it is taken back.
    pub band: Band,
}

/// A trial with a share of the sessions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanaryPolicy {
    /// From 0 to 1.
    pub share: f64,
    /// For how long.
    pub window: Duration,
}

/// In which a new generation must stay, beside the one before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// For how long a generation is watched that all sessions meet; zero: not at all.
    pub window: Duration,
    /// Fewer failures never count; 0: none ever does.
    pub failures: u64,
    /// Failures per call that are too many, from 0 to 1; and twice as many as the generation before had.
    pub failed_share: f64,
    /// Calls that take so many times as long are too slow; 0: none is. Of nine calls in ten, measured in steps of two.
    pub latency_factor: u64,
    /// Calls that are slower by less are not too slow.
    pub latency_slack: Duration,
    /// So much larger may the part of the messages be that it drops, or closes the session for; from 0 to 1.
    pub drop_difference: f64,
    /// Answers, of both generations, without which neither latency nor drops are compared.
    pub calls: u64,
    /// So many looks on end must find it outside.
    pub looks: u32,
}

impl Default for Band {
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
