//! What is done about overload, as it is written.

use crate::field::Field;
use crate::value::{Fraction, MemoryBound, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// What is done when the process runs short of something.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Overload {
    /// Whether anything is done.
    #[schemars(extend("default" = true))]
    pub(crate) enabled: Field<bool>,
    /// Memory that the process may have: a size, or "auto": what it has and what the machine, or the control group (cgroup v2), has
    /// left.
    #[schemars(extend("default" = "auto"))]
    pub(crate) memory: Field<MemoryBound>,
    /// How late workers may be, for a second on end, with what is due: that is a pressure of 1. From 10 ms to a minute; "0s": as late
    /// as they are.
    #[schemars(extend("default" = "1s"))]
    pub(crate) delay: Field<Time>,
    /// From which pressure on each step is taken.
    pub(crate) steps: Steps,
    /// So much lower than it began must pressure be for a step to end.
    #[schemars(extend("default" = 0.05))]
    pub(crate) leave: Field<Fraction>,
    /// For how long a step lasts at least. At most an hour.
    #[schemars(extend("default" = "10s"))]
    pub(crate) dwell: Field<Time>,
    /// A session without a message in either direction for so long is idle; at most a day.
    #[schemars(extend("default" = "1m"))]
    pub(crate) silent: Field<Time>,
    /// So much of the sessions is closed in a second, at most; one a second and worker at least.
    #[schemars(extend("default" = 0.01))]
    pub(crate) share: Field<Fraction>,
    /// Clients that are closed or refused are told to wait so long at most before they connect again, each another time; "0s":
    /// nothing is said. At most an hour.
    #[schemars(extend("default" = "30s"))]
    pub(crate) retry: Field<Time>,
}

/// From which pressure on each step is taken; none before the one above it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Steps {
    /// Idle sessions are closed, the longest silent first.
    #[schemars(extend("default" = 0.85))]
    pub(crate) idle: Field<Fraction>,
    /// Any sessions are closed, those that are reached badly first.
    #[schemars(extend("default" = 0.9))]
    pub(crate) drain: Field<Fraction>,
    /// New connections are refused.
    #[schemars(extend("default" = 0.95))]
    pub(crate) refuse: Field<Fraction>,
}
