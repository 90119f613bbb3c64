//! The time, in milliseconds. For every plugin. (`std::time` panics in a plugin: there is no clock but this one.)

use super::host::clock;

/// Milliseconds since 1970-01-01T00:00:00Z. May jump when the machine's clock is set.
pub fn now() -> u64 {
    clock::now()
}

/// Milliseconds since some fixed moment. Never goes back: for measuring how long something takes.
pub fn monotonic() -> u64 {
    clock::monotonic()
}
