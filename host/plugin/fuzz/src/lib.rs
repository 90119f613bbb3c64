//! What reads a plugin's files and answers, and its entry points for fuzzers (`host/plugin/src/fuzzing/entries.rs`), without the engine:
//! so they are built in a minute, and an input takes microseconds.

#![allow(dead_code, unused_imports, reason = "much of what is read here is only used with the engine")]

#[path = "../../src/artifact.rs"]
mod artifact;
mod cases;
#[path = "../../src/contract/offered.rs"]
mod contract;
#[path = "../../src/digest.rs"]
mod digest;
#[path = "../../src/contract/v0_1/packed/drive.rs"]
mod drive;
#[path = "../../src/fuzzing/entries.rs"]
mod entries;
#[path = "../../src/grants.rs"]
mod grants;
#[path = "../../src/contract/v0_1/packed.rs"]
mod packed;
#[path = "../../src/refusal.rs"]
mod refusal;
#[path = "../../src/schema.rs"]
mod schema;
#[path = "../../src/symbols.rs"]
mod symbols;
#[path = "../../src/trust.rs"]
mod trust;

use artifact::Artifact;
use cases::{Cases, embed, read as read_cases};
use packed::{Answer, Answers, Header, Place, Text, Torn, pack};
use symbols::Symbols;
use trust::Trust;

pub fn artifact(data: &[u8]) {
    entries::artifact(data);
}

pub fn cases(data: &[u8]) {
    entries::cases(data);
}

pub fn packed_answers(data: &[u8]) {
    drive::packed_answers(data);
}

pub fn settings(data: &[u8]) {
    entries::settings(data);
}

pub fn signature(data: &[u8]) {
    entries::signature(data);
}

/// The encoder panics on component types that nobody would make. `artifact` catches that and says so, but libFuzzer's hook would take it
/// for a find: such panics do not reach it.
pub fn without_the_encoders_panics() {
    let aborts = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_encoders = panic
            .location()
            .is_some_and(|place| place.file().contains("/wit-") || place.file().contains("/wasm-"));
        if !is_encoders {
            aborts(panic);
        }
    }));
}
