//! A timer finer than the milliseconds of `epoll_wait`: a schedule at a high rate needs microseconds.

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

/// Wakes the loop up. It is registered edge-triggered, so that it need not be read.
pub(super) struct Alarm(TimerFd);

impl Alarm {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Wakes up after this time; what was set before is forgotten.
    pub(super) fn set(&self, time: Duration) {
        let time = Expiration::OneShot(TimeSpec::from_duration(time));
        // Only a wrong descriptor or time could fail; then the loop's own patience ends the wait.
        let _ = self.0.set(time, TimerSetTimeFlags::empty());
    }
}
