//! What calls cost. Prints figures; asserts only what would be a mistake, not a slow machine.

use crate::rig::{Plugin, instance, message, seat};
use std::hint::black_box;
use std::time::Instant;
use weir_core::{Kind, Program as _};
use weir_plugin::PluginLimits;

/// The best of many short rounds, in nanoseconds a call: short, so that some are not interrupted by what else runs.
fn measure(calls: u32, mut call: impl FnMut()) -> f64 {
    (0..1_000)
        .map(|_| {
            let begun = Instant::now();
            (0..calls).for_each(|_| call());
            begun.elapsed().as_nanos() as f64 / f64::from(calls)
        })
        .fold(f64::INFINITY, f64::min)
}

#[test]
fn a_call() {
    let Plugin { mut instance, mut call, generation, .. } = instance("passthrough", PluginLimits::default());
    let payload = [b'x'; 128];
    let message = message(Kind::Binary, &payload);
    let cost = measure(200, || {
        black_box(instance.message(&message, &mut call)).unwrap();
    });
    println!("on-message, 128 B, forwarded as it was: {cost:.0} ns");
    let clock = measure(200, || {
        black_box(black_box(Instant::now()).elapsed());
    });
    println!("of that, reading the clock twice: {clock:.0} ns");
    let start = measure(1, || {
        black_box(generation.instantiate(&seat(0), &mut Vec::new())).unwrap();
    });
    println!("instantiate, configure and drop: {:.1} µs", start / 1000.0);
    assert!(cost < 20_000.0);
}
