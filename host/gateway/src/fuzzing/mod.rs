//! Entry points for fuzzers, which include them with what they call and nothing else of the binary; and the unit tests that run them on
//! the committed corpora.

mod entries;

use crate::record::Wanted;
use crate::run::json;
use crate::tap::{Query, Redaction, Shown};

fn corpus(name: &str, target: fn(&[u8])) {
    weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), name, 10_000, target);
}

#[test]
fn places_in_json_hold_on_their_corpus() {
    corpus("json_at", entries::json_at);
}

#[test]
fn queries_of_taps_hold_on_their_corpus() {
    corpus("tap_query", entries::tap_query);
}

#[test]
fn queries_of_recordings_hold_on_their_corpus() {
    corpus("record_query", entries::record_query);
}

#[test]
fn hidden_values_hold_on_their_corpus() {
    corpus("tap_redact", entries::tap_redact);
}
