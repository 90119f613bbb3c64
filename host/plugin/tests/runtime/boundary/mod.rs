//! The boundary between plugin and host, by its corpus.

mod entry;

use crate::guests::guest;
use entry::{Boundary, Crossed};
use std::path::Path;
use weir_core::{FailureCause, Forwarding, Rejection, Verdict};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

#[test]
fn the_boundary_holds_on_its_corpus() {
    let boundary = Boundary::new(guest("puppet"));
    weir_proof::corpus::run(TESTS, "boundary", 2_000, |data| {
        boundary.cross(data);
    });
}

/// Else the corpus would hold whatever crosses.
#[test]
fn the_puppet_does_what_it_is_told() {
    let boundary = Boundary::new(guest("puppet"));
    let told = |name: &str| -> Crossed {
        let input = std::fs::read(Path::new(TESTS).join("fuzz/corpus/boundary").join(name)).expect(name);
        boundary.cross(&input).expect("more than nothing")
    };
    let reply = Forwarding { payload: Some("another".into()), route: None };
    assert_eq!(told("reply").answer, Ok(Verdict::Forward(reply)));
    assert_eq!(told("drop").answer, Ok(Verdict::Drop("spam".into())));
    assert_eq!(told("close").answer, Ok(Verdict::Close(Rejection::new(4000, "enough"))));
    let sends = told("sends");
    assert!(sends.answer.is_ok() && sends.effects.len() == 4, "{sends:?}");
    for (name, cause) in [
        ("abort", FailureCause::Trap),
        ("reply-not-utf8", FailureCause::Answer),
        ("route-long-name", FailureCause::Answer),
        ("effects-too-many", FailureCause::Output),
    ] {
        let crossed = told(name);
        assert_eq!(
            crossed.answer.as_ref().map_err(|failure| failure.cause),
            Err(cause),
            "{name}: {crossed:?}"
        );
    }
}
