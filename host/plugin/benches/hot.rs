//! A call of a plugin, through everything that a worker's call goes through short of the chain. It is the one that ships and does nothing
//! (`make plugins`): compiling it takes seconds where instructions are counted, and minutes for another. `calls` has those.

use serde_json::Value;
use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use weir_core::{
    BindingId, Call, Direction, Directory, Instance, Kind, Message, OnFailure, Payload, Program as _, Seat,
    SessionId, WorkerId,
};
use weir_plugin::{
    BindingSpec, BindingStore, Generation, Grants, PluginLimits, RolloutPolicy, Runtime, RuntimeOptions,
};
use weir_proof::hot::Case;

const CASES: &[Case] = &[
    Case { name: "passthrough: 128 B, alone", of: 64, make: || call(alone) },
    Case { name: "passthrough: 128 B, 64 in one call", of: 64, make: || call(together) },
];

/// Where instructions are counted, a call takes fifty times as long.
const LONG: Duration = Duration::from_secs(10);

const TEXT: &[u8] =
    b"The river is up to the second mark this morning, and the lower weir has been opened by a hand; \
                      we will look at it again at noon.";

type Ask = fn(&mut dyn Instance, &[Message<'_>], &mut Call);

/// Compiled once.
fn generation() -> Arc<Generation> {
    static ONCE: OnceLock<(Runtime, Arc<Generation>)> = OnceLock::new();
    let (_, generation) = ONCE.get_or_init(|| {
        let options = RuntimeOptions { compile_time: 60 * LONG, ..RuntimeOptions::default() };
        let runtime = Runtime::new(options).expect("an engine");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/passthrough.wasm");
        let bytes = std::fs::read(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; run: make plugins", file.display()));
        let spec = BindingSpec {
            id: BindingId(0),
            sha256: None,
            name: "passthrough".into(),
            config: Value::Null,
            limits: PluginLimits { deadline: LONG, setup_deadline: LONG, ..PluginLimits::default() },
            grants: Grants::all(),
            rollout: RolloutPolicy::default(),
            on_failure: OnFailure::Closed,
            when: None,
        };
        let store = Arc::new(BindingStore::new(runtime.options()));
        let generation = runtime.prepare(&bytes, &spec, &store).expect("a generation");
        (runtime, generation)
    });
    Arc::clone(generation)
}

/// 64 messages are asked for.
fn call(ask: Ask) -> Box<dyn FnMut()> {
    let seat = Seat { worker: WorkerId(0), directory: Arc::new(Directory::new(1)) };
    let mut instance = generation().instantiate(&seat, &mut Vec::new()).expect("a start");
    let mut call = Call::default();
    Box::new(move || {
        let messages: Vec<_> = (1..=64).map(message).collect();
        ask(&mut *instance, &messages, &mut call);
    })
}

fn message(sequence: u64) -> Message<'static> {
    Message {
        session: SessionId::from_raw(0x1_0000_0001),
        sequence,
        direction: Direction::Inbound,
        kind: Kind::Text,
        payload: Payload::Borrowed(&TEXT[..128]),
        lane: None,
        hops: 0,
        pressed: false,
    }
}

fn alone(instance: &mut dyn Instance, messages: &[Message<'_>], call: &mut Call) {
    for message in messages {
        call.session = Some((message.session, Arc::default()));
        black_box(instance.message(message, call).expect("a verdict"));
    }
}

fn together(instance: &mut dyn Instance, messages: &[Message<'_>], call: &mut Call) {
    let mut verdicts = Vec::new();
    instance.messages(messages, call, &mut verdicts).expect("verdicts");
    assert_eq!(black_box(&verdicts).len(), messages.len());
}

weir_proof::hot!(CASES);
