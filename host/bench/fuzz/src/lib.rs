//! What reads what servers say, and its entry points for fuzzers (`host/bench/src/fuzzing/entries.rs`); nothing else of the crate is built
//! for them.

#![allow(dead_code, reason = "much of what is read here is used elsewhere in the crate")]

#[path = "../../src/fuzzing/entries.rs"]
mod entries;
#[path = "../../src/marker.rs"]
mod marker;
#[path = "../../src/sockets/upgrade.rs"]
mod upgrade;

use marker::{Found, LENGTH, Scanner};
use upgrade::{Answer, Upgrade};

pub fn answer(data: &[u8]) {
    entries::answer(data);
}

pub fn markers(data: &[u8]) {
    entries::markers(data);
}
