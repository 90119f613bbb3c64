//! What `weir capacity` works out. None of it is on the way of a message; the fit is what takes long.

use std::hint::black_box;
use weir_capacity::fit::fit;
use weir_capacity::model::cost;
use weir_capacity::{Coefficients, Transport, Workload};
use weir_proof::hot::Case;

const CASES: &[Case] = &[
    Case { name: "cost: a message of one workload", of: 1, make: one },
    Case { name: "fit: 72 runs", of: 1, make: fitted },
];

fn shipped() -> weir_capacity::Terms {
    let coefficients = Coefficients::shipped().expect("the shipped file");
    coefficients.of(Transport::WebSocket).expect("it was measured").terms
}

fn one() -> Box<dyn FnMut()> {
    let (terms, workload) = (shipped(), Workload { fanout: Some(50.0), calls: 2.0, ..Workload::default() });
    Box::new(move || {
        black_box(cost(black_box(&terms), black_box(&workload)));
    })
}

/// Runs that cost what the shipped coefficients say, as if they had been measured without any error.
fn fitted() -> Box<dyn FnMut()> {
    let terms = shipped();
    let mut runs = Vec::new();
    for burst in [1.0, 16.0, 64.0] {
        for talking in [100.0, 10_000.0] {
            for size in [64.0, 4096.0] {
                for calls in [0.0, 2.0] {
                    for fanout in [None, Some(10.0), Some(1_000.0)] {
                        let workload =
                            Workload { burst, talking, size, calls, fanout, ..Workload::default() };
                        runs.push((workload, cost(&terms, &workload)));
                    }
                }
            }
        }
    }
    assert_eq!(runs.len(), 72);
    Box::new(move || {
        black_box(fit(black_box(&runs)));
    })
}

weir_proof::hot!(CASES);
