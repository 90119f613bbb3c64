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
    let words = words_of(3);
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

    for name in ["passthrough", "wordfilter"] {
        let config = if name == "wordfilter" { words_of(3) } else { Value::Null };
        several(&generation(&runtime, name, config), name);
    }

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

fn words_of(count: usize) -> Value {
    json!({ "words": &["spam", "Straße", "eel"][..count], "action": "mask" })
}

/// Messages that come together: a call for each, against one call for all. The calls for each are in the same rounds.
fn several(generation: &Arc<Generation>, name: &str) {
    println!(
        "\n{:<55} {:>9} {:>9} {:>9}",
        format!("{name}: 128 B of text, nanoseconds a message"),
        "alone",
        "together",
        "ratio"
    );
    for count in [1, 8, 64] {
        let session = SessionId::from_raw(0x1_0000_0001);
        let mut instance = generation.instantiate(&seat(), &mut Vec::new()).expect("a start");
        let messages: Vec<_> =
            (1..=count).map(|sequence| message(session, sequence, Kind::Text, CLEAN.as_bytes())).collect();
        let mut call = Call::default();
        let mut verdicts = Vec::new();
        let times = CALLS / count as u32;
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            for _ in 0..times {
                for message in &messages {
                    call.session = Some((session, Arc::default()));
                    black_box(instance.message(message, &mut call).expect("a verdict"));
                }
            }
            alone.push(begun.elapsed().as_nanos() as f64 / f64::from(times) / count as f64);
            let begun = Instant::now();
            for _ in 0..times {
                verdicts.clear();
                instance.messages(&messages, &mut call, &mut verdicts).expect("verdicts");
                assert_eq!(black_box(&verdicts).len(), messages.len());
            }
            together.push(begun.elapsed().as_nanos() as f64 / f64::from(times) / count as f64);
        }
        let (alone, together) = (median(&mut alone), median(&mut together));
        println!("{:<55} {alone:>9.0} {together:>9.0} {:>9.2}", format!("{count} at once"), alone / together);
    }
}

fn message(session: SessionId, sequence: u64, kind: Kind, payload: &[u8]) -> Message<'_> {
    Message {
        session,
        sequence,
        direction: Direction::Inbound,
        kind,
        payload: Payload::Borrowed(payload),
        lane: None,
        hops: 0,
        pressed: false,
    }
}

impl Case {
    fn round(&mut self) -> f64 {
        let session = SessionId::from_raw(0x1_0000_0001);
        let attributes = Arc::default();
        let mut call = Call::default();
        let message = message(session, 7, self.kind, self.payload);
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
        when: None,
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
