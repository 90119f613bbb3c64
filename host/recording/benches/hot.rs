//! A message of a recording, written and read.

use std::hint::black_box;
use weir_proof::hot::Case;
use weir_recording::{Bounds, Reader, Redaction, Writer};

const CASES: &[Case] = &[
    Case { name: "written: a message and its verdicts", of: 1, make: write },
    Case { name: "read: a message and its verdicts", of: 1, make: read },
    Case { name: "redacted: a message and its verdicts", of: 1, make: redact },
];

/// Messages, and what plugins said to them.
const FILE: &[u8] = include_bytes!("../fuzz/corpus/read/verdicts");

fn lines() -> Vec<weir_recording::Line> {
    let (_, mut reader) = Reader::begin(FILE).expect("a recording");
    std::iter::from_fn(|| reader.read().expect("a line")).collect()
}

fn write() -> Box<dyn FnMut()> {
    let lines = lines();
    Box::new(move || {
        let bounds = Bounds { bytes: u64::MAX, messages: u64::MAX };
        let mut writer = Writer::new(Vec::with_capacity(64 << 10), bounds);
        for line in &lines {
            black_box(writer.write(line).expect("memory takes it"));
        }
        black_box(writer.output());
    })
}

fn read() -> Box<dyn FnMut()> {
    Box::new(|| {
        black_box(lines());
    })
}

fn redact() -> Box<dyn FnMut()> {
    let lines = lines();
    let pointers = vec!["/user/email".parse().expect("a pointer")];
    let redaction = Redaction { pointers, ..Redaction::default() };
    Box::new(move || {
        let mut clean = lines.clone();
        clean.iter_mut().for_each(|line| redaction.clean(line));
        black_box(clean);
    })
}

weir_proof::hot!(CASES);
