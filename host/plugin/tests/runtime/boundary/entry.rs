//! What crosses from a plugin into the host, with the engine between them: a guest program does what bytes say (`tests/guests`, `puppet`).

use serde_json::Value;
use std::sync::Arc;
use weir_core::{
    BindingId, Call, Direction, Directory, Effect, Failure, FailureCause, Forwarding, Kind,
    MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTE_VALUE, MAX_GROUP_NAME, Message, OnFailure, Payload, Program as _,
    Rejection, Seat, SessionId, Target, Verdict, WorkerId,
};
use weir_plugin::{
    BindingSpec, BindingStore, Generation, Grants, PluginLimits, RolloutPolicy, Runtime, RuntimeOptions,
    Script,
};

const SESSION: SessionId = SessionId::from_raw(0x1_0000_0001);

/// What came of a call.
#[derive(Debug, PartialEq)]
pub(crate) struct Crossed {
    pub(crate) answer: Result<Verdict, Failure>,
    pub(crate) effects: Vec<Effect>,
    fuel: u64,
}

/// The puppet, compiled once.
pub(crate) struct Boundary {
    runtime: Runtime,
    file: Vec<u8>,
    /// As long as one generation is there, its module is not compiled again.
    _kept: Arc<Generation>,
}

impl Boundary {
    /// With the guest's file.
    pub(crate) fn new(file: Vec<u8>) -> Self {
        // A script ends calls at an instruction and not by the clock, so that what happens twice is the same.
        let options = RuntimeOptions { script: Some(Arc::new(Script::new(7))), ..RuntimeOptions::default() };
        let runtime = Runtime::new(options).expect("an engine");
        let kept = generation(&runtime, &file);
        Self { runtime, file, _kept: kept }
    }

    /// A byte says whether the message is text; the others are its payload, which the puppet does. Whatever that is, there is a verdict
    /// within the contract's bounds, or a failure that is told and leaves nothing behind; twice the same. Gives what it was.
    pub(crate) fn cross(&self, data: &[u8]) -> Option<Crossed> {
        let (kind, payload) = data.split_first()?;
        let kind = if kind % 2 == 0 { Kind::Text } else { Kind::Binary };
        let crossed = self.once(kind, payload);
        assert_eq!(crossed, self.once(kind, payload));
        Some(crossed)
    }

    fn once(&self, kind: Kind, payload: &[u8]) -> Crossed {
        let generation = generation(&self.runtime, &self.file);
        let seat = Seat { worker: WorkerId(0), directory: Arc::new(Directory::new(1)) };
        let mut instance = generation.instantiate(&seat, &mut Vec::new()).expect("a start");
        let message = Message {
            session: SESSION,
            sequence: 7,
            direction: Direction::Inbound,
            kind,
            payload: Payload::Borrowed(payload),
            lane: None,
            hops: 0,
            pressed: false,
        };
        let mut call = Call { session: Some((SESSION, Arc::default())), ..Call::default() };
        let answer = instance.message(&message, &mut call);
        assert!(call.session.is_some(), "the session is given back");
        match &answer {
            Ok(verdict) => {
                let bytes = of_verdict(verdict, kind == Kind::Text);
                let most = limits().max_output;
                assert!(bytes <= most, "a verdict of {bytes} bytes");
                assert!(call.effects.len() <= limits().max_effects, "{} effects", call.effects.len());
                let bytes: usize = call.effects.iter().map(of_effect).sum();
                assert!(bytes <= most, "effects of {bytes} bytes");
            }
            Err(failure) => {
                assert!((1..=2_048).contains(&failure.detail.len()), "{failure:?}");
                assert!(call.effects.is_empty(), "after {failure:?}: {:?}", call.effects);
                let again = instance.message(&message, &mut call).expect_err("it is not entered again");
                assert_eq!(again.cause, FailureCause::Trap);
            }
        }
        Crossed { answer, effects: call.effects, fuel: call.fuel }
    }
}

/// Small enough that a few calls of the host meet each of them.
fn limits() -> PluginLimits {
    PluginLimits {
        memory: 4 << 20,
        max_output: 64 << 10,
        kv_bytes: 64 << 10,
        kv_keys: 8,
        ..PluginLimits::default()
    }
}

/// With a store of its own: what one input leaves there is nothing for the next.
fn generation(runtime: &Runtime, file: &[u8]) -> Arc<Generation> {
    let spec = BindingSpec {
        id: BindingId(0),
        sha256: None,
        name: "puppet".into(),
        config: Value::Null,
        limits: limits(),
        grants: Grants::all(),
        on_failure: OnFailure::Closed,
        when: None,
        rollout: RolloutPolicy::default(),
    };
    runtime.prepare(file, &spec, &Arc::new(BindingStore::new(runtime.options()))).expect("a generation")
}

/// Checks it, and gives how many bytes it carries.
fn of_verdict(verdict: &Verdict, is_text: bool) -> usize {
    match verdict {
        Verdict::Forward(Forwarding { payload, route }) => {
            if let Some(payload) = payload.as_ref().filter(|_| is_text) {
                assert!(std::str::from_utf8(payload).is_ok(), "a text message stays text");
            }
            payload.as_ref().map_or(0, bytes::Bytes::len) + route.as_ref().map_or(0, of_target)
        }
        // Labels of counters, cut where they are too long.
        Verdict::Drop(reason) => {
            assert!(reason.len() <= 64, "a reason of {} bytes", reason.len());
            0
        }
        Verdict::Close(Rejection { code, reason }) => {
            assert!((1000..5000).contains(code) && reason.len() <= Rejection::MAX_REASON, "{code} {reason}");
            0
        }
        Verdict::Hold(milliseconds) => {
            assert!(*milliseconds <= 3_600_000, "an hour at most");
            0
        }
    }
}

fn of_target(target: &Target) -> usize {
    match target {
        Target::Cluster(name) | Target::Group(name) => of_name(name, MAX_GROUP_NAME),
        Target::Session(_) | Target::Echo => 0,
    }
}

fn of_name(name: &str, most: usize) -> usize {
    assert!((1..=most).contains(&name.len()), "a name of {} bytes", name.len());
    name.len()
}

/// The same.
fn of_effect(effect: &Effect) -> usize {
    match effect {
        // Whether its payload is text is the core's to look at.
        Effect::Send { to, payload, .. } => of_target(to) + payload.len(),
        Effect::Release { verdict, .. } => of_verdict(verdict, false),
        Effect::Join { group, .. } | Effect::Leave { group, .. } => of_name(group, MAX_GROUP_NAME),
        Effect::SetAttribute { name, value, .. } => {
            let length = value.as_ref().map_or(0, |value| value.len());
            assert!(length <= MAX_ATTRIBUTE_VALUE && !name.starts_with("weir."), "{name}: {length} bytes");
            of_name(name, MAX_ATTRIBUTE_NAME) + length
        }
        Effect::Every { milliseconds } => {
            assert!(*milliseconds == 0 || *milliseconds >= 10, "every {milliseconds} ms");
            0
        }
    }
}
