//! What is done when the process runs short of something, validated.

use std::time::Duration;

/// The steps against overload. Pressure is what is used, as a part of what there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Overload {
    /// False: nothing is done.
    pub enabled: bool,
    /// What the process may have.
    pub memory: MemoryLimit,
    /// The lateness of workers that is a pressure of 1, from 10 ms to a minute; zero: lateness is no pressure.
    pub delay: Duration,
    /// From which pressure on each step is taken.
    pub steps: Steps,
    /// So much lower must pressure be for a step to end; less than any of the steps.
    pub leave: f64,
    /// For how long a step lasts at least, at most an hour.
    pub dwell: Duration,
    /// Without a message for so long a session is idle; at most a day.
    pub silent: Duration,
    /// Sessions that are closed in a second, as a part of all; above 0 and at most 1.
    pub share: f64,
    /// How long clients are told to wait at most, at most an hour; zero: they are told nothing.
    pub retry: Duration,
}

/// Memory that the process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// What it has and what is left, in its control group or on the machine.
    Auto,
    /// So many bytes, at least 16 MiB.
    Bytes(usize),
}

/// From which pressure on each step is taken: above 0, at most 1, none lower than the one before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Idle sessions are closed.
    pub idle: f64,
    /// Any sessions are closed.
    pub drain: f64,
    /// New connections are refused.
    pub refuse: f64,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            enabled: true,
            memory: MemoryLimit::Auto,
            delay: Duration::from_secs(1),
            steps: Steps { idle: 0.85, drain: 0.9, refuse: 0.95 },
            leave: 0.05,
            dwell: Duration::from_secs(10),
            silent: Duration::from_mins(1),
            share: 0.01,
            retry: Duration::from_secs(30),
        }
    }
}
