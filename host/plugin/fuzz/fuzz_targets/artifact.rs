//! See `host/plugin/src/fuzzing/entries.rs`.

#![no_main]
#![allow(dead_code, unused_imports, reason = "each target has its part")]

#[path = "../../src/artifact.rs"]
mod artifact;
#[path = "without_engine/cases.rs"]
mod cases;
#[path = "../../src/contract/offered.rs"]
mod contract;
#[path = "../../src/digest.rs"]
mod digest;
#[path = "../../src/fuzzing/entries.rs"]
mod entries;
#[path = "../../src/grants.rs"]
mod grants;
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
use symbols::Symbols;
use trust::Trust;

// The encoder panics on component types that nobody would make, and `artifact` says so: such a panic is no find.
fn quiet() {
    let aborts = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_encoder = panic
            .location()
            .is_some_and(|place| place.file().contains("/wit-") || place.file().contains("/wasm-"));
        if !is_encoder {
            aborts(panic);
        }
    }));
}

libfuzzer_sys::fuzz_target!(init: quiet(), |data: &[u8]| entries::artifact(data));
