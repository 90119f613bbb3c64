//! The timer of a binding. A capability: `timers`.

use super::host::timers;

/// Lets [`Plugin::on_timer`](crate::Plugin::on_timer) be called every so many milliseconds, at least 10. The last call
/// counts.
pub fn every(milliseconds: u32) {
    timers::every(milliseconds);
}

/// Stops the timer.
pub fn stop() {
    timers::every(0);
}
