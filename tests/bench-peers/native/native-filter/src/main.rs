//! A filter that forwards everything, called through a trait object.

use rounds::{LARGE, SMALL, report};
use std::hint::black_box;

enum Verdict {
    Forward,
    Drop,
}

trait Filter {
    fn message(&mut self, payload: &[u8]) -> Verdict;
}

struct Passthrough;

impl Filter for Passthrough {
    fn message(&mut self, payload: &[u8]) -> Verdict {
        if black_box(payload).is_empty() { Verdict::Drop } else { Verdict::Forward }
    }
}

fn main() {
    let mut filter: Box<dyn Filter> = black_box(Box::new(Passthrough));
    for (name, payload) in [("128", &SMALL[..]), ("4096", &LARGE[..])] {
        report(name, 1_000_000, || {
            assert!(matches!(black_box(filter.message(black_box(payload))), Verdict::Forward));
        });
    }
}
