//! When a call is ended: by the processor time that it took, not by the time that passed.
//!
//! On a machine with more to do than it can, a worker may be held up for longer than a deadline in the midst of a call, and ending
//! that call would punish a plugin that did nothing wrong, and drop its message. Reading the thread's clock costs a system call, too
//! much for every call; so a call is looked at for the first time after one to two epochs, and its processor time is counted from
//! there. A call that is really running cannot have used more than that before, and no plugin that behaves gets there.
//!
//! In a replay fuel takes the place of time: see [`Script`](crate::Script).

use crate::host_interfaces::{Host, Phase};
use crate::script::FUEL_PER_MILLISECOND;
use cpu_time::ThreadTime;
use std::time::Duration;
use wasmtime::{Store, UpdateDeadline};

/// Length of an epoch: the grain of every deadline.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Epochs until the first look. The one under way is not a whole one.
const FIRST_LOOK: u64 = 2;
/// So much less than the limit is the limit: not worth another epoch.
const SLACK: Duration = Duration::from_micros(125);

/// What one call used so far.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    limit: Duration,
    /// The thread's clock at the first look.
    first_look: Option<Duration>,
}

impl Deadline {
    fn begin(&mut self, limit: Duration) {
        self.limit = limit;
        self.first_look = None;
    }

    /// How much longer the call may run; `None`: no longer. `clock` reads the thread's processor time.
    fn look(&mut self, clock: Duration) -> Option<Duration> {
        let first = *self.first_look.get_or_insert(clock);
        let used = TICK + clock.saturating_sub(first);
        self.limit.checked_sub(used).filter(|left| *left > SLACK)
    }
}

/// Once for each instance.
pub(crate) fn watch(store: &mut Store<Host>) {
    if store.data().clock.script().is_some() {
        return;
    }
    store.epoch_deadline_callback(|mut store| {
        let left = store.data_mut().deadline.look(ThreadTime::now().as_duration());
        Ok(left.map_or(UpdateDeadline::Interrupt, |left| UpdateDeadline::Continue(epochs(left))))
    });
}

/// Before each call: the state of the host, and when the call is looked at.
pub(crate) fn begin(store: &mut Store<Host>, phase: Phase) {
    let host = store.data_mut();
    host.begin(phase);
    let limit = limit(host);
    if host.clock.script().is_some() {
        // An error would say that the engine counts no fuel; with a script it does.
        let counted = store.set_fuel(fuel_of(limit));
        debug_assert!(counted.is_ok(), "{counted:?}");
        return;
    }
    host.deadline.begin(limit);
    store.set_epoch_deadline(FIRST_LOOK);
}

/// How long what the instance does may take.
pub(crate) fn limit(host: &Host) -> Duration {
    match host.phase {
        Phase::Setup => host.limits.setup_deadline,
        Phase::Call => host.limits.deadline,
    }
}

/// The fuel that stands for a deadline.
pub(crate) fn fuel_of(limit: Duration) -> u64 {
    let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
    micros.saturating_mul(FUEL_PER_MILLISECOND / 1000)
}

/// Fuel that was used since [`begin`]; 0 where none is counted.
pub(crate) fn fuel_used(store: &Store<Host>) -> u64 {
    let host = store.data();
    if host.clock.script().is_none() {
        return 0;
    }
    store.get_fuel().map_or(0, |left| fuel_of(limit(host)).saturating_sub(left))
}

fn epochs(left: Duration) -> u64 {
    left.as_nanos().div_ceil(TICK.as_nanos()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_call_that_runs_all_the_time_ends_at_its_limit() {
        let mut deadline = Deadline::default();
        deadline.begin(ms(10));
        assert_eq!(deadline.look(ms(500)), Some(ms(9)));
        assert_eq!(deadline.look(ms(505)), Some(ms(4)));
        assert_eq!(deadline.look(ms(509)), None);
        deadline.begin(ms(10));
        assert_eq!(deadline.look(ms(600)), Some(ms(9)), "a new call begins anew");
    }

    #[test]
    fn a_call_that_was_held_up_goes_on() {
        let mut deadline = Deadline::default();
        deadline.begin(ms(10));
        // Whenever the first look is, and however many there are: what counts is the thread's own clock.
        assert_eq!(deadline.look(ms(500)), Some(ms(9)));
        for _ in 0..100 {
            assert_eq!(deadline.look(ms(501)), Some(ms(8)));
        }
    }

    #[test]
    fn epochs_are_whole() {
        assert_eq!(epochs(ms(9)), 9);
        assert_eq!(epochs(Duration::from_micros(126)), 1);
    }
}
