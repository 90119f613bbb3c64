//! The entry point for a fuzzer, and for the unit test that runs it on the committed corpus.

use crate::{Bounds, Line, Reader, Redaction, Why, Writer};

/// The longest line; the rest of the input is nowhere near it.
const LONGEST: u64 = 1 << 16;

/// Any bytes as a file: reading ends, and what was read is written and read again as the same; cutting it short loses whole lines
/// and nothing else.
pub fn read(data: &[u8]) {
    let Ok((mut header, mut reader)) = Reader::within(data, LONGEST) else { return };
    // A float that is read and written may change in its last bit.
    header.plugins.iter_mut().for_each(|plugin| plugin.config = None);
    let mut lines = vec![Line::Recording(Box::new(header))];
    while let Ok(Some(line)) = reader.read() {
        lines.push(line);
    }
    let redaction = Redaction { pointers: vec!["/*".parse().expect("a pointer")], ..Redaction::default() };
    for line in &lines {
        let mut clean = line.clone();
        redaction.clean(&mut clean);
        let once = clean.clone();
        redaction.clean(&mut clean);
        assert_eq!(once, clean, "what is redacted stays as it is");
    }
    let again = write(&lines);
    assert_eq!(lines, read_all(&again));
    let half = &again[..again.len() / 2];
    if half.contains(&b'\n') {
        let whole = half.split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(lines[..whole], read_all(half));
    }
}

fn write(lines: &[Line]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Bounds { bytes: u64::MAX, messages: u64::MAX });
    for line in lines {
        assert!(writer.write(line).expect("memory takes it").is_none());
    }
    // Without the end that would be written: the lines may have one.
    let end = writer.end(0, Why::Time, 0).expect("memory takes it");
    let last = end[..end.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("a first line");
    end[..=last].to_vec()
}

fn read_all(file: &[u8]) -> Vec<Line> {
    let (header, mut reader) = Reader::begin(file).expect("what was written");
    let mut lines = vec![Line::Recording(Box::new(header))];
    while let Some(line) = reader.read().expect("what was written") {
        lines.push(line);
    }
    lines
}
