//! What one call of a plugin costs, through everything that a worker's call goes through short of the chain.
//!
//! The plugins are those that ship (`make plugins`). Each figure is the median of rounds that take turns with the others, so that what
//! else the machine does meets all of them.

use serde_json::{Value, json};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use weir_core::{
    BindingId, Call, Direction, Directory, Instance, Kind, Message, OnFailure, Payload, Program as _, Seat,
    SessionId, Verdict, WorkerId,
};
use weir_plugin::{BindingSpec, BindingStore, Generation, Grants, PluginLimits, Runtime, RuntimeOptions};

const ROUNDS: usize = 31;
const CALLS: u32 = 20_000;

/// 128 bytes of a chat, in each of which the word filter finds one word or none, and a JSON object of as many.
const CLEAN: &str = "The river is up to the second mark this morning, and the lower weir has been opened by a hand; \
                     we will look at it again at noon.";
const DIRTY: &str = "The river is up to the second mark this morning, and the lower spam has been opened by a hand; \
                     we will look at it again at noon.";
const OBJECT: &str = r#"{"type":"reading","device":"gauge-0017","level":2.41,"unit":"m","flow":131.5,"valid":true,"note":"second mark, lower weir open"}"#;

struct Case {
    name: &'static str,
    instance: Box<dyn Instance>,
    kind: Kind,
    payload: &'static [u8],
    rewritten: bool,
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = Runtime::new(RuntimeOptions::default()).expect("an engine");
    let words = json!({ "words": ["spam", "Straße", "eel"], "action": "mask" });
    let fields = json!({ "fields": { "site": { "static": "north" } } });
    let start = |name, config| {
        generation(&runtime, name, config).instantiate(&seat(), &mut Vec::new()).expect("a start")
    };
    let mut cases = Vec::from([
        Case {
            name: "passthrough: 128 B, forwarded as it was",
            instance: start("passthrough", Value::Null),
            kind: Kind::Binary,
            payload: &[b'x'; 128],
            rewritten: false,
        },
        Case {
            name: "passthrough: 4 KiB, forwarded as it was",
            instance: start("passthrough", Value::Null),
            kind: Kind::Binary,
            payload: &[b'x'; 4096],
            rewritten: false,
        },
        Case {
            name: "wordfilter: 128 B, three words, none found",
            instance: start("wordfilter", words.clone()),
            kind: Kind::Text,
            payload: CLEAN.as_bytes(),
            rewritten: false,
        },
        Case {
            name: "wordfilter: 128 B, one found and masked (rewritten)",
            instance: start("wordfilter", words),
            kind: Kind::Text,
            payload: DIRTY.as_bytes(),
            rewritten: true,
        },
        Case {
            name: "enrich: 128 B of JSON, one field added (rewritten)",
            instance: start("enrich", fields),
            kind: Kind::Text,
            payload: OBJECT.as_bytes(),
            rewritten: true,
        },
    ]);
    // `cargo bench -p weir-plugin --bench calls -- passthrough`: only those, for a profiler.
    if let Some(part) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        cases.retain(|case| case.name.contains(part.as_str()));
    }
    let mut costs = vec![Vec::new(); cases.len()];
    let mut clocks = Vec::new();
    for _ in 0..ROUNDS {
        for (case, costs) in cases.iter_mut().zip(&mut costs) {
            costs.push(case.round());
        }
        clocks.push(per_call(|| {
            black_box(black_box(Instant::now()).elapsed());
        }));
    }
    println!("{:<55} {:>9} {:>9} {:>14}", "one call", "median ns", "best ns", "calls a second");
    for (case, costs) in cases.iter().zip(&mut costs) {
        let (median, best) = (median(costs), costs[0]);
        println!("{:<55} {median:>9.0} {best:>9.0} {:>14.0}", case.name, 1e9 / median);
    }
    println!("{:<55} {:>9.0} {:>9.0}", "of each: the clock, read twice", median(&mut clocks), clocks[0]);

    let generation = generation(&runtime, "passthrough", Value::Null);
    let mut starts: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..200 {
                drop(black_box(generation.instantiate(&seat(), &mut Vec::new()).expect("a start")));
            }
            begun.elapsed().as_nanos() as f64 / 200.0
        })
        .collect();
    println!("{:<55} {:>9.0} {:>9.0}", "instantiate, configure and drop", median(&mut starts), starts[0]);
}

impl Case {
    fn round(&mut self) -> f64 {
        let session = SessionId::from_raw(0x1_0000_0001);
        let attributes = Arc::default();
        let mut call = Call::default();
        let message = Message {
            session,
            sequence: 7,
            direction: Direction::Inbound,
            kind: self.kind,
            payload: Payload::Borrowed(self.payload),
            lane: None,
            hops: 0,
            pressed: false,
        };
        let rewritten = self.rewritten;
        per_call(|| {
            call.session = Some((session, Arc::clone(&attributes)));
            let verdict = self.instance.message(&message, &mut call).expect("a verdict");
            assert!(
                matches!(&verdict, Verdict::Forward(forwarding) if forwarding.payload.is_some() == rewritten),
                "{}: {verdict:?}",
                self.name
            );
            black_box(verdict);
        })
    }
}

fn generation(runtime: &Runtime, name: &str, config: Value) -> Arc<Generation> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/plugins/{name}.wasm"));
    let bytes =
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; run: make plugins", file.display()));
    let spec = BindingSpec {
        id: BindingId(0),
        sha256: None,
        name: name.into(),
        config,
        limits: PluginLimits::default(),
        grants: Grants::all(),
        rollout: weir_plugin::RolloutPolicy::default(),
        on_failure: OnFailure::Closed,
    };
    runtime.prepare(&bytes, &spec, &Arc::new(BindingStore::new(runtime.options()))).expect("a generation")
}

fn seat() -> Seat {
    Seat { worker: WorkerId(0), directory: Arc::new(Directory::new(1)) }
}

fn per_call(mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    (0..CALLS).for_each(|_| call());
    begun.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

/// Sorts them.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
