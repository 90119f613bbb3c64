//! What every test needs: a runtime, a binding, an instance and calls of it.

use crate::guests::guest;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use weir_core::{
    BindingId, Call, Direction, Directory, Effect, Failure, Instance, Kind, Message, OnFailure, Payload,
    Program as _, Seat, SessionId, Verdict, WorkerId,
};
use weir_plugin::{
    BindingSpec, BindingStore, Generation, Grants, PluginLimits, Refusal, RolloutPolicy, Runtime,
    RuntimeOptions,
};

/// One runtime for all tests that do not need their own: every guest is compiled once.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new(RuntimeOptions { workers: 4, ..RuntimeOptions::default() }).unwrap());

/// The session in hand in all calls.
pub(crate) const SESSION: SessionId = SessionId::from_raw(0x1_0000_0001);

pub(crate) fn spec(name: &str) -> BindingSpec {
    BindingSpec {
        id: BindingId(0),
        sha256: None,
        name: name.into(),
        config: Value::Null,
        limits: PluginLimits::default(),
        grants: Grants::all(),
        on_failure: OnFailure::Closed,
        when: None,
        rollout: RolloutPolicy::default(),
    }
}

pub(crate) fn store() -> Arc<BindingStore> {
    Arc::new(BindingStore::new(RUNTIME.options()))
}

pub(crate) fn prepare(name: &str, spec: &BindingSpec) -> Result<Arc<Generation>, Refusal> {
    RUNTIME.prepare(&guest(name), spec, &store())
}

pub(crate) fn seat(worker: u8) -> Seat {
    Seat { worker: WorkerId(worker), directory: Arc::new(Directory::new(4)) }
}

/// An instance of a guest with these limits.
pub(crate) fn instance(name: &str, limits: PluginLimits) -> Plugin {
    Plugin::new(prepare(name, &BindingSpec { limits, ..spec(name) }).unwrap())
}

/// A generation and an instance of it.
pub(crate) struct Plugin {
    pub(crate) generation: Arc<Generation>,
    pub(crate) instance: Box<dyn Instance>,
    pub(crate) call: Call,
    pub(crate) configured: Vec<Effect>,
}

impl Plugin {
    pub(crate) fn new(generation: Arc<Generation>) -> Self {
        let mut configured = Vec::new();
        let instance = generation.instantiate(&seat(0), &mut configured).unwrap();
        Self { generation, instance, call: Call::default(), configured }
    }

    /// Calls it with a text message.
    pub(crate) fn say(&mut self, text: &str) -> Result<Verdict, Failure> {
        self.send(Kind::Text, text.as_bytes())
    }

    pub(crate) fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Verdict, Failure> {
        self.call.effects.clear();
        if self.call.session.is_none() {
            self.call.session = Some((SESSION, Arc::default()));
        }
        self.instance.message(&message(kind, payload), &mut self.call)
    }

    /// The reply to a text message, as text.
    pub(crate) fn reply(&mut self, text: &str) -> String {
        match self.say(text).unwrap() {
            Verdict::Forward(forwarding) => {
                String::from_utf8(forwarding.payload.expect("a payload").to_vec()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn renew(&mut self) {
        self.instance = self.generation.instantiate(&seat(0), &mut Vec::new()).unwrap();
    }
}

pub(crate) fn message(kind: Kind, payload: &[u8]) -> Message<'_> {
    Message {
        session: SESSION,
        sequence: 7,
        direction: Direction::Inbound,
        kind,
        payload: Payload::Borrowed(payload),
        lane: None,
        hops: 0,
        pressed: false,
    }
}

/// Log lines of the current thread while `run` runs.
pub(crate) fn logs(run: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, run);
    let bytes = sink.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(bytes).unwrap()
}
