//! The imports of the contract on the mock host, with the signatures of the generated bindings.

pub(crate) mod log {
    use crate::{
        log::Level,
        test::{LogLine, host::Host},
    };

    #[track_caller]
    pub(crate) fn log(level: Level, text: &str) {
        Host::current("log", |state| state.call.logs.push(LogLine { level, text: text.to_owned() }));
    }
}

pub(crate) mod clock {
    use crate::test::host::Host;

    #[track_caller]
    pub(crate) fn now() -> u64 {
        Host::current("clock::now", |state| state.now)
    }

    #[track_caller]
    pub(crate) fn monotonic() -> u64 {
        Host::current("clock::monotonic", |state| state.monotonic)
    }
}

pub(crate) mod random {
    use crate::test::host::Host;

    /// `SplitMix64`: even, and the same for the same seed.
    #[track_caller]
    pub(crate) fn bytes(count: u32) -> Vec<u8> {
        Host::current("random", |state| {
            let mut bytes = Vec::new();
            while bytes.len() < count as usize {
                state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut word = state.random;
                word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                bytes.extend((word ^ word >> 31).to_le_bytes());
            }
            bytes.truncate(count as usize);
            bytes
        })
    }
}

pub(crate) mod attributes {
    use crate::{
        SessionId,
        test::{Effect, host::Host},
    };

    #[track_caller]
    pub(crate) fn get(session: SessionId, name: &str) -> Option<String> {
        Host::current("attributes::get", |state| state.attribute(session, name))
    }

    #[track_caller]
    pub(crate) fn set(session: SessionId, name: &str, value: &str) {
        check_name(name);
        assert!(
            value.len() <= 1024,
            "attribute {name:?}: a value has at most 1024 bytes, this one {}",
            value.len()
        );
        change("attributes::set", session, name, Some(value.to_owned()));
    }

    #[track_caller]
    pub(crate) fn remove(session: SessionId, name: &str) {
        check_name(name);
        change("attributes::remove", session, name, None);
    }

    #[track_caller]
    fn change(function: &str, session: SessionId, name: &str, value: Option<String>) {
        let name = name.to_owned();
        Host::current(function, |state| state.call.effects.push(Effect::Attribute { session, name, value }));
    }

    #[track_caller]
    fn check_name(name: &str) {
        assert!(!name.is_empty() && name.len() <= 64, "attribute {name:?}: a name has 1 to 64 bytes");
        assert!(!name.starts_with("weir."), "attribute {name:?}: those of `weir.` are the gateway's own");
    }
}

pub(crate) mod messaging {
    use crate::test::{
        Effect,
        host::{Host, check_target, check_verdict},
    };
    use crate::{Direction, Kind, MessageId, SessionId, Target, Verdict};

    #[track_caller]
    pub(crate) fn send(to: &Target, kind: Kind, payload: &[u8]) {
        check_target(to);
        let effect = Effect::Send { to: to.clone(), kind, payload: payload.to_vec() };
        Host::current("messaging::send", |state| {
            assert!(
                *to != Target::Echo || state.call.session.is_some(),
                "messaging::send: `Target::Echo` is the session of the call in hand, and this call has none"
            );
            state.call.effects.push(effect);
        });
    }

    #[track_caller]
    pub(crate) fn release(session: SessionId, direction: Direction, sequence: u64, verdict: &Verdict) {
        check_verdict(verdict);
        let message = MessageId { session, direction, sequence };
        let effect = Effect::Release { message, verdict: verdict.clone() };
        Host::current("messaging::release", |state| state.call.effects.push(effect));
    }
}

pub(crate) mod groups {
    use crate::{
        SessionId,
        test::{
            Effect,
            host::{Host, check_group},
        },
    };

    #[track_caller]
    pub(crate) fn join(session: SessionId, group: &str) {
        check_group(group);
        let group = group.to_owned();
        Host::current("groups::join", |state| state.call.effects.push(Effect::Join { session, group }));
    }

    #[track_caller]
    pub(crate) fn leave(session: SessionId, group: &str) {
        check_group(group);
        let group = group.to_owned();
        Host::current("groups::leave", |state| state.call.effects.push(Effect::Leave { session, group }));
    }

    #[track_caller]
    pub(crate) fn members(group: &str) -> u64 {
        Host::current("groups::members", |state| {
            state.groups.get(group).map_or(0, |members| members.len() as u64)
        })
    }
}

pub(crate) mod kv {
    use crate::test::host::Host;

    #[track_caller]
    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        Host::current("kv::get", |state| state.store.get(state.monotonic, key).map(<[u8]>::to_vec))
    }

    #[track_caller]
    pub(crate) fn set(key: &str, value: &[u8], ttl_ms: Option<u64>) {
        Host::current("kv::set", |state| state.store.set(state.monotonic, key, value, ttl_ms));
    }

    #[track_caller]
    pub(crate) fn delete(key: &str) -> bool {
        Host::current("kv::delete", |state| state.store.delete(state.monotonic, key))
    }

    #[track_caller]
    pub(crate) fn increment(key: &str, by: i64, ttl_ms: Option<u64>) -> i64 {
        Host::current("kv::increment", |state| state.store.increment(state.monotonic, key, by, ttl_ms))
    }

    #[track_caller]
    pub(crate) fn compare_and_set(
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: Option<u64>,
    ) -> bool {
        Host::current("kv::compare_and_set", |state| {
            state.store.compare_and_set(state.monotonic, key, expected, value, ttl_ms)
        })
    }
}

pub(crate) mod metrics {
    use crate::test::host::Host;

    #[track_caller]
    pub(crate) fn count(name: &str, by: u64) {
        record("metrics::count", name, by as f64);
    }

    #[track_caller]
    pub(crate) fn gauge(name: &str, value: f64) {
        record("metrics::gauge", name, value);
    }

    #[track_caller]
    pub(crate) fn observe(name: &str, value: f64) {
        record("metrics::observe", name, value);
    }

    #[track_caller]
    fn record(function: &str, name: &str, value: f64) {
        let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(
            (1..=64).contains(&name.len()) && name.bytes().all(fit),
            "metric {name:?}: 1 to 64 of [a-z0-9_]"
        );
        Host::current(function, |state| {
            state.metrics.entry(name.to_owned()).or_default().push(value);
            assert!(state.metrics.len() <= 64, "metric {name:?}: a binding has at most 64 names");
        });
    }
}

pub(crate) mod timers {
    use crate::test::host::{Host, Timer};

    #[track_caller]
    pub(crate) fn every(milliseconds: u32) {
        assert!(milliseconds == 0 || milliseconds >= 10, "timers::every: at least 10 ms, or 0 to stop");
        let period = u64::from(milliseconds);
        Host::current("timers::every", |state| {
            state.timer = (period > 0).then(|| Timer { period, due: state.monotonic + period });
        });
    }
}
