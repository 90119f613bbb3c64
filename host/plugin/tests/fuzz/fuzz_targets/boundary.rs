//! See `host/plugin/tests/runtime/boundary/entry.rs`. The puppet is built by `make guests`.

#![no_main]

#[path = "../../runtime/boundary/entry.rs"]
mod entry;

use entry::Boundary;
use std::sync::LazyLock;

const PUPPET: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../../target/guests/wasm32-unknown-unknown/release/examples/puppet.wasm"
);

static BOUNDARY: LazyLock<Boundary> = LazyLock::new(|| {
    let file = std::fs::read(PUPPET);
    Boundary::new(file.unwrap_or_else(|error| panic!("{PUPPET}: {error}; run: make guests")))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    BOUNDARY.cross(data);
});
