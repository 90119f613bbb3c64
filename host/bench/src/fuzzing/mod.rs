//! Entry points for fuzzers, which include them with what they call and nothing else of the crate; and the unit tests that run them on the
//! committed corpora.

mod entries;

use crate::marker::{Found, LENGTH, Scanner};
use crate::sockets::upgrade::{Answer, Upgrade};

fn corpus(name: &str, target: fn(&[u8])) {
    weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), name, 10_000, target);
}

#[test]
fn answers_hold_on_their_corpus() {
    corpus("answer", entries::answer);
}

#[test]
fn markers_hold_on_their_corpus() {
    corpus("markers", entries::markers);
}
