//! How fast messages may come, as token buckets whose burst is one second's worth.
//!
//! A bucket is one number: when it will be full again, in nanoseconds (GCRA). So it costs eight bytes, a rate that changes holds from
//! the next message on, and a bucket that nobody uses needs nobody to fill it.

mod meter;
mod shared;

pub(crate) use meter::{Meter, Taken};
pub(crate) use shared::Pools;

use crate::time::Time;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

/// So much in a second, and as much at once; 0: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Messages.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
}

/// A rate that sessions of a listener have in common: those with the same value of an attribute. Exact over all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRate {
    /// Whose value it is. A session without the attribute is not limited by this.
    pub attribute: Arc<str>,
    /// What each value has.
    pub rate: Rate,
}

/// What happens to a client above its rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RatePolicy {
    /// It is not read until it may send again: nothing is lost.
    #[default]
    Pause,
    /// The message is dropped and counted.
    Drop,
    /// The session is closed.
    Close,
}

impl Rate {
    pub(crate) const fn is_limited(self) -> bool {
        self.messages > 0 || self.bytes > 0
    }

    /// What a message of so many bytes takes, in nanoseconds of each bucket.
    pub(crate) fn cost(self, length: usize) -> Cost {
        // What has a price is never free. A length is at most some hundred MiB: no overflow.
        let of = |amount: u64, rate: u64| (amount * SECOND).checked_div(rate).map_or(0, |cost| cost.max(1));
        Cost { messages: of(1, self.messages), bytes: of(length as u64, self.bytes) }
    }
}

/// What a message takes from the buckets of a rate, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Whether a bucket that is full at `full` has so much at `now`. One that is full has enough for anything: what costs more than a
/// second's worth would otherwise never pass.
const fn allows(full: u64, now: u64, cost: u64) -> bool {
    cost == 0 || full <= now || full + cost <= now + SECOND
}

/// A bucket after something was taken. It may owe.
const fn after(full: u64, now: u64, cost: u64) -> u64 {
    if cost == 0 {
        return full;
    }
    (if full > now { full } else { now }).saturating_add(cost)
}

/// When there is so much in a bucket again.
const fn ready(full: u64, needed: u64) -> u64 {
    full.saturating_add(needed).saturating_sub(SECOND)
}

const fn nanoseconds(time: Time) -> u64 {
    time.0.saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_seconds_worth_at_once_and_then_the_rate() {
        let Cost { messages: cost, .. } = Rate { messages: 10, bytes: 0 }.cost(5);
        let (mut full, start) = (0, 50 * SECOND);
        let mut given = 0;
        // Asked every millisecond for ten seconds.
        for now in (0..10_000).map(|at| start + at * 1_000_000) {
            while allows(full, now, cost) {
                full = after(full, now, cost);
                given += 1;
            }
            if now == start {
                assert_eq!(given, 10);
            }
            assert!(ready(full, cost) > now);
        }
        assert_eq!(given, 10 + 99);
    }

    #[test]
    fn what_costs_more_than_a_second_passes_a_full_bucket_and_is_paid_for() {
        let Cost { messages, bytes } = Rate { messages: 0, bytes: 100 }.cost(300);
        assert_eq!((messages, bytes), (0, 3 * SECOND));
        let now = 7 * SECOND;
        assert!(allows(now, now, bytes) && !allows(now + 1, now, bytes));
        let full = after(now, now, bytes);
        assert_eq!(ready(full, 1), now + 2 * SECOND + 1);
        // No limit is no price.
        assert_eq!((after(5, now, 0), allows(u64::MAX, now, 0)), (5, true));
    }

    #[test]
    fn nothing_that_has_a_price_is_free() {
        let cost = Rate { messages: u64::MAX, bytes: u64::MAX }.cost(1);
        assert_eq!((cost.messages, cost.bytes), (1, 1));
        let longest = Rate { messages: 0, bytes: 1 }.cost(256 << 20);
        assert_eq!(longest.bytes, (256 << 20) * SECOND);
    }
}
