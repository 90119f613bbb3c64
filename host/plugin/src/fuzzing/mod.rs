//! Entry points for fuzzers, which include them with what they call and without the engine; and the unit tests that run them on the
//! committed corpora.

mod entries;

use crate::artifact::Artifact;
use crate::cases::{Cases, embed, read as read_cases};
use crate::schema;
use crate::symbols::Symbols;
use crate::trust::Trust;

fn corpus(name: &str, changed: usize, target: fn(&[u8])) {
    weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), name, changed, target);
}

#[test]
fn artifacts_hold_on_their_corpus() {
    corpus("artifact", 1_000, entries::artifact);
}

#[test]
fn cases_hold_on_their_corpus() {
    corpus("cases", 5_000, entries::cases);
}

#[test]
fn settings_hold_on_their_corpus() {
    corpus("settings", 2_000, entries::settings);
}

#[test]
fn signatures_hold_on_their_corpus() {
    corpus("signature", 2_000, entries::signature);
}
