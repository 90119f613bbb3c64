//! See `host/gateway/src/fuzzing/entries.rs`.

#![no_main]
#![allow(dead_code, reason = "each target has its part")]

#[path = "../../src/fuzzing/entries.rs"]
mod entries;
#[path = "../../src/run/json.rs"]
mod json;
#[path = "../../src/record/options.rs"]
mod options;
#[path = "../../src/tap/query.rs"]
mod query;
#[path = "../../src/tap/redact.rs"]
mod redact;

use options::Wanted;
use query::Query;
use redact::{Redaction, Shown};

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::tap_redact(data));
