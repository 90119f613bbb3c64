//! The mock host: the state that outlives an instance, and what tests may look at or change.

use super::{
    outcome::{Effect, LogLine, Outcome},
    store::Store,
};
use crate::{MessageId, SessionId, Target, Verdict};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

thread_local! {
    /// The host of the call that is under way on this thread.
    static CURRENT: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// The mock host behind a [`Harness`](super::Harness). Clones are the same host: give one to a second harness
/// ([`Harness::with_host`](super::Harness::with_host)) to have two instances of one binding.
#[derive(Clone, Default)]
pub struct Host(Rc<RefCell<State>>);

/// The longest that the gateway holds a message, in milliseconds.
const LONGEST_HOLD: u32 = 3_600_000;

/// What a call may read and change.
#[derive(Default)]
pub(super) struct State {
    pub(super) now: u64,
    pub(super) monotonic: u64,
    pub(super) random: u64,
    pub(super) sessions: BTreeMap<SessionId, Open>,
    pub(super) groups: BTreeMap<String, BTreeSet<SessionId>>,
    pub(super) store: Store,
    pub(super) metrics: BTreeMap<String, Vec<f64>>,
    pub(super) timer: Option<Timer>,
    pub(super) held: BTreeMap<MessageId, u64>,
    pub(super) call: Call,
}

/// A session that is open.
pub(super) struct Open {
    pub(super) attributes: BTreeMap<String, String>,
    /// Messages so far, inbound and outbound.
    pub(super) sequences: [u64; 2],
}

/// The binding's timer, on the monotonic clock.
pub(super) struct Timer {
    pub(super) period: u64,
    pub(super) due: u64,
}

/// What the call under way has asked for.
#[derive(Default)]
pub(super) struct Call {
    pub(super) session: Option<SessionId>,
    pub(super) effects: Vec<Effect>,
    pub(super) logs: Vec<LogLine>,
}

impl Host {
    /// The wall clock, in milliseconds since 1970. Begins at 2026-01-01T00:00:00Z.
    pub fn now(&self) -> u64 {
        self.0.borrow().now
    }

    /// Sets the wall clock, as an operator might: neither timers nor times to live notice.
    /// [`Harness::advance`](super::Harness::advance) lets time pass.
    pub fn set_now(&self, milliseconds: u64) {
        self.0.borrow_mut().now = milliseconds;
    }

    /// Chooses what `random` gives from here on; the same seed gives the same bytes.
    pub fn seed_random(&self, seed: u64) {
        self.0.borrow_mut().random = seed;
    }

    /// An attribute of an open session.
    pub fn attribute(&self, session: SessionId, name: &str) -> Option<String> {
        self.0.borrow().attribute(session, name)
    }

    /// Sets an attribute of an open session, as another plugin might have done; also the gateway's own.
    ///
    /// # Panics
    /// Where no such session is open.
    #[track_caller]
    pub fn set_attribute(&self, session: SessionId, name: &str, value: &str) {
        let mut state = self.0.borrow_mut();
        let open = state.sessions.get_mut(&session);
        let open = open.unwrap_or_else(|| panic!("session {session} is not open"));
        open.attributes.insert(name.to_owned(), value.to_owned());
    }

    /// The members of a group, in order.
    pub fn members(&self, group: &str) -> Vec<SessionId> {
        self.0.borrow().groups.get(group).map(|members| members.iter().copied().collect()).unwrap_or_default()
    }

    /// The value of a key in the kv store.
    pub fn kv(&self, key: &str) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        state.store.get(state.monotonic, key).map(<[u8]>::to_vec)
    }

    /// Sets a key in the kv store.
    pub fn set_kv(&self, key: &str, value: impl AsRef<[u8]>) {
        let mut state = self.0.borrow_mut();
        let now = state.monotonic;
        state.store.set(now, key, value.as_ref(), None);
    }

    /// Everything that was counted, set or observed under a name of `metrics`, in order.
    pub fn metric(&self, name: &str) -> Vec<f64> {
        self.0.borrow().metrics.get(name).cloned().unwrap_or_default()
    }

    /// The sum of what was counted under a name of `metrics`.
    pub fn counted(&self, name: &str) -> f64 {
        self.metric(name).iter().sum()
    }

    /// The period of the timer in milliseconds, if it runs.
    pub fn timer(&self) -> Option<u64> {
        self.0.borrow().timer.as_ref().map(|timer| timer.period)
    }

    /// The messages that are held now.
    pub fn held(&self) -> Vec<MessageId> {
        self.0.borrow().held.keys().copied().collect()
    }

    pub(super) fn state<R>(&self, with: impl FnOnce(&mut State) -> R) -> R {
        with(&mut self.0.borrow_mut())
    }

    /// Makes a call on this host and applies its effects, which a panic leaves undone.
    pub(super) fn call<T>(&self, session: Option<SessionId>, call: impl FnOnce() -> T) -> Outcome<T> {
        struct Restore(Option<Host>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        self.state(|state| state.call = Call { session, ..Call::default() });
        let restore = Restore(CURRENT.replace(Some(self.clone())));
        let returned = call();
        drop(restore);
        self.state(|state| {
            let Call { effects, logs, .. } = std::mem::take(&mut state.call);
            for effect in &effects {
                state.apply(effect);
            }
            Outcome { returned, effects, logs }
        })
    }

    /// The host of the call under way, for the function of that name.
    #[track_caller]
    pub(super) fn current<R>(function: &str, with: impl FnOnce(&mut State) -> R) -> R {
        let host = CURRENT.with_borrow(Clone::clone).unwrap_or_else(|| {
            panic!(
                "{function} was called outside of a plugin's call: off the wasm target it works only in calls that \
                 weir_sdk::test::Harness makes"
            )
        });
        host.state(with)
    }
}

impl State {
    /// An attribute, with what the call under way has set.
    pub(super) fn attribute(&self, of: SessionId, named: &str) -> Option<String> {
        for effect in self.call.effects.iter().rev() {
            if let Effect::Attribute { session, name, value } = effect
                && *session == of
                && name == named
            {
                return value.clone();
            }
        }
        self.sessions.get(&of)?.attributes.get(named).cloned()
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Send { .. } => {}
            Effect::Release { message, verdict: Verdict::Hold(milliseconds) } => {
                let until = self.held_until(*milliseconds);
                self.held.entry(*message).and_modify(|held| *held = until);
            }
            Effect::Release { message, .. } => {
                self.held.remove(message);
            }
            Effect::Join { session, group } => {
                if self.sessions.contains_key(session) {
                    self.groups.entry(group.clone()).or_default().insert(*session);
                }
            }
            Effect::Leave { session, group } => self.leave(*session, group),
            Effect::Attribute { session, name, value } => {
                if let Some(open) = self.sessions.get_mut(session) {
                    match value {
                        Some(value) => open.attributes.insert(name.clone(), value.clone()),
                        None => open.attributes.remove(name),
                    };
                }
            }
        }
    }

    /// The end of a hold that begins now.
    pub(super) fn held_until(&self, milliseconds: u32) -> u64 {
        self.monotonic + u64::from(milliseconds.min(LONGEST_HOLD))
    }

    fn leave(&mut self, session: SessionId, group: &str) {
        if let Some(members) = self.groups.get_mut(group) {
            members.remove(&session);
            if members.is_empty() {
                self.groups.remove(group);
            }
        }
    }

    /// Forgets a session that has ended.
    pub(super) fn end(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.held.retain(|message, _| message.session != session);
        for group in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.leave(session, &group);
        }
    }
}

/// Refuses what the contract does not allow, so that a test finds it before the gateway does.
#[track_caller]
pub(super) fn check_verdict(verdict: &Verdict) {
    match verdict {
        Verdict::Close(rejection) => check_reason(&rejection.reason),
        Verdict::Forward(forwarding) => forwarding.route.iter().for_each(check_target),
        Verdict::Drop(_) | Verdict::Hold(_) => {}
    }
}

#[track_caller]
pub(super) fn check_reason(reason: &str) {
    assert!(
        reason.len() <= 123,
        "the reason of a close has at most 123 bytes, this one has {}",
        reason.len()
    );
}

#[track_caller]
pub(super) fn check_target(target: &Target) {
    match target {
        Target::Cluster(name) => check_name("cluster", name),
        Target::Group(name) => check_group(name),
        Target::Session(_) | Target::Echo => {}
    }
}

#[track_caller]
pub(super) fn check_group(name: &str) {
    check_name("group", name);
}

#[track_caller]
fn check_name(kind: &str, name: &str) {
    let length = name.len();
    assert!((1..=256).contains(&length), "the name of a {kind} has 1 to 256 bytes, not {length}");
}
