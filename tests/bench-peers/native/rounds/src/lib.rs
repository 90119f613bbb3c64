//! Times a call alone: so many rounds, the middle one. The same for every peer.

use std::time::Instant;

/// 128 bytes, as Weir's own bench of calls has.
pub const SMALL: [u8; 128] = [b'x'; 128];
/// 4 KiB.
pub const LARGE: [u8; 4096] = [b'x'; 4096];

const ROUNDS: usize = 15;

/// Prints `NAME<tab>NANOSECONDS` for the driver.
pub fn report(name: &str, calls: u32, mut call: impl FnMut()) {
    let mut costs: Vec<f64> = (0..=ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..calls {
                call();
            }
            begun.elapsed().as_nanos() as f64 / f64::from(calls)
        })
        // The first warms up.
        .skip(1)
        .collect();
    costs.sort_by(f64::total_cmp);
    println!("{name}\t{}", costs[costs.len() / 2]);
}
