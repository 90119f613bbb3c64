//! What a load makes of every message that it sends and receives: the marker by which it is known again.

use std::hint::black_box;
use weir_proof::hot::Case;

#[expect(dead_code, reason = "a bench calls a part of it")]
#[path = "../src/marker.rs"]
mod marker;

use marker::{Found, LENGTH, Marker, Scanner};

const CASES: &[Case] = &[
    Case { name: "marker: written", of: 64, make: write },
    Case { name: "marker: found at the beginning of 64 B", of: 64, make: || scan(0, 64) },
    Case { name: "marker: found at the end of 4 KiB", of: 64, make: || scan((4 << 10) - LENGTH, 4 << 10) },
];

fn marker(sequence: u64) -> Marker {
    Marker { run: 7, connection: 1_234, sequence, time: 99_999_999_999 }
}

fn write() -> Box<dyn FnMut()> {
    let mut text = [0; LENGTH];
    Box::new(move || {
        for sequence in 0..64 {
            black_box(marker(black_box(sequence))).write(&mut text);
            black_box(&text);
        }
    })
}

fn scan(at: usize, size: usize) -> Box<dyn FnMut()> {
    let mut text = [0; LENGTH];
    marker(5).write(&mut text);
    let mut payload = vec![b'x'; size];
    payload[at..at + LENGTH].copy_from_slice(&text);
    let mut scanner = Scanner::default();
    Box::new(move || {
        let mut times = 0;
        for _ in 0..64 {
            scanner.scan(black_box(&payload), |found| times += u32::from(matches!(found, Found::Marker(_))));
        }
        assert_eq!(times, 64);
    })
}

weir_proof::hot!(CASES);
