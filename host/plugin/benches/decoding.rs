//! What a plugin pays for a format: the same message as JSON, Protocol Buffers and `FlatBuffers`, decoded inside a plugin.
//!
//! The plugins and the messages are those of tests/decoding; `make experiments ONLY=decoding` builds them, runs this, and puts what it
//! leaves in target/experiments/decoding.json into docs/experiments.md. Each figure is a median of rounds that take turns with the others;
//! `--short` has one round, and shows only that it runs.

use serde_json::json;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use weir_core::{
    BindingId, Call, Direction, Directory, Instance, Kind, Message, OnFailure, Payload, Program as _, Seat,
    SessionId, Verdict, WorkerId,
};
use weir_plugin::{BindingSpec, BindingStore, Generation, Grants, PluginLimits, Runtime, RuntimeOptions};

const ROUNDS: usize = 15;
/// Messages of a round.
const MESSAGES: usize = 6_400;
/// Messages of one call, where there are several.
const TOGETHER: usize = 64;
const FORMATS: [&str; 3] = ["json", "protobuf", "flatbuffers"];
/// Samples in a message: some 250 bytes of JSON, and some 2 KiB.
const SAMPLES: [u32; 2] = [4, 64];
const READS: [&str; 3] = ["nothing", "one", "all"];

/// One column of one row.
struct Case {
    instance: Box<dyn Instance>,
    payload: Arc<[u8]>,
    at_once: usize,
    nanoseconds: Vec<f64>,
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = Runtime::new(RuntimeOptions::default()).expect("an engine");
    let mut cases = Vec::new();
    for samples in SAMPLES {
        for format in FORMATS {
            let payload: Arc<[u8]> =
                read(&experiments().join(format!("samples/reading-{samples}.{format}"))).into();
            for what in READS {
                for at_once in [1, TOGETHER] {
                    let instance = generation(&runtime, format, what)
                        .instantiate(&seat(), &mut Vec::new())
                        .expect("a start");
                    cases.push(Case { instance, payload: payload.clone(), at_once, nanoseconds: Vec::new() });
                }
            }
        }
    }
    let (rounds, messages) = if std::env::args().any(|argument| argument == "--short") {
        (1, TOGETHER)
    } else {
        (ROUNDS, MESSAGES)
    };
    for round in 0..=rounds {
        for step in 0..cases.len() {
            // Now from the first, now from the last: none always finds what the same other one has left in the caches.
            let at = if round % 2 == 0 { step } else { cases.len() - 1 - step };
            let nanoseconds = cases[at].round(messages);
            // The first warms up.
            if round > 0 {
                cases[at].nanoseconds.push(nanoseconds);
            }
        }
    }
    let rows = rows(&cases);
    for row in &rows {
        println!("{}", row.join("  "));
    }
    let table = json!({
        "title": "One message of a gauge with 4 and with 64 samples, decoded by a plugin, through everything but the chain: nanoseconds a message, \
                  alone and 64 in one call; what the call takes without decoding is in the first columns, what decoding adds in the others \
                  (medians of 15 rounds; a ratio is of the same round, with the lowest and the highest)",
        "columns": [
            "samples", "format", "bytes", "no decoding", "of 64", "one field adds", "of 64", "all fields add", "of 64", "all, against JSON",
        ],
        "rows": rows,
    });
    std::fs::write(experiments().join("decoding.json"), table.to_string()).expect("a file");
}

/// A row for each format and size.
fn rows(cases: &[Case]) -> Vec<Vec<String>> {
    let each = READS.len() * 2;
    let mut json = Vec::new();
    cases
        .chunks(each)
        .enumerate()
        .map(|(at, cases)| {
            let [nothing, nothing_of_many, one, one_of_many, all, all_of_many] = cases else {
                unreachable!("as many as there are columns");
            };
            let format = FORMATS[at % FORMATS.len()];
            let decoding = all.adds(nothing);
            if format == "json" {
                json.clone_from(&decoding);
            }
            let ratios: Vec<f64> = decoding.iter().zip(&json).map(|(one, json)| one / json).collect();
            let (low, high) = ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), ratio| {
                (low.min(*ratio), high.max(*ratio))
            });
            let shown = |nanoseconds: &[f64]| format!("{:.0}", median(nanoseconds));
            vec![
                SAMPLES[at / FORMATS.len()].to_string(),
                format.to_owned(),
                nothing.payload.len().to_string(),
                shown(&nothing.nanoseconds),
                shown(&nothing_of_many.nanoseconds),
                shown(&one.adds(nothing)),
                shown(&one_of_many.adds(nothing_of_many)),
                shown(&decoding),
                shown(&all_of_many.adds(nothing_of_many)),
                if format == "json" {
                    "1".into()
                } else {
                    format!("{:.2} ({low:.2}–{high:.2})", median(&ratios))
                },
            ]
        })
        .collect()
}

impl Case {
    /// What it takes more than another, round by round: whatever else the machine did met both.
    fn adds(&self, to: &Self) -> Vec<f64> {
        self.nanoseconds.iter().zip(&to.nanoseconds).map(|(one, other)| one - other).collect()
    }

    /// Nanoseconds a message.
    fn round(&mut self, count: usize) -> f64 {
        let session = SessionId::from_raw(0x1_0000_0001);
        let message = |sequence: usize| Message {
            session,
            sequence: sequence as u64,
            direction: Direction::Inbound,
            kind: Kind::Binary,
            payload: Payload::Borrowed(&self.payload),
            lane: None,
            hops: 0,
            pressed: false,
        };
        let messages: Vec<_> = (1..=self.at_once).map(message).collect();
        let (mut call, mut verdicts) = (Call::default(), Vec::new());
        let attributes = Arc::default();
        let begun = Instant::now();
        for _ in 0..count / self.at_once {
            verdicts.clear();
            call.session = Some((session, Arc::clone(&attributes)));
            if self.at_once > 1 {
                self.instance.messages(&messages, &mut call, &mut verdicts).expect("verdicts");
            } else {
                verdicts.push(self.instance.message(&messages[0], &mut call).expect("a verdict"));
            }
            assert!(
                black_box(&verdicts).iter().all(|verdict| matches!(verdict, Verdict::Forward(_))),
                "{verdicts:?}"
            );
        }
        begun.elapsed().as_nanos() as f64 / count as f64
    }
}

fn experiments() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/experiments")
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file)
        .unwrap_or_else(|error| panic!("{}: {error}; run: make experiments ONLY=decoding", file.display()))
}

fn generation(runtime: &Runtime, format: &str, what: &str) -> Arc<Generation> {
    let bytes = read(&experiments().join(format!("plugins/decode_{format}.wasm")));
    let spec = BindingSpec {
        id: BindingId(0),
        sha256: None,
        name: format.into(),
        config: json!({ "read": what }),
        limits: PluginLimits::default(),
        grants: Grants::default(),
        rollout: weir_plugin::RolloutPolicy::default(),
        on_failure: OnFailure::Closed,
        when: None,
    };
    runtime.prepare(&bytes, &spec, &Arc::new(BindingStore::new(runtime.options()))).expect("a generation")
}

fn seat() -> Seat {
    Seat { worker: WorkerId(0), directory: Arc::new(Directory::new(1)) }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
