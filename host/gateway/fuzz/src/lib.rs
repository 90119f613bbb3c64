//! What reads queries and payloads in the binary, and its entry points for fuzzers (`host/gateway/src/fuzzing/entries.rs`); nothing else of
//! the binary is built for them.

#![allow(dead_code, reason = "much of what is read here is used elsewhere in the binary")]

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

pub fn json_at(data: &[u8]) {
    entries::json_at(data);
}

pub fn record_query(data: &[u8]) {
    entries::record_query(data);
}

pub fn tap_query(data: &[u8]) {
    entries::tap_query(data);
}

pub fn tap_redact(data: &[u8]) {
    entries::tap_redact(data);
}
