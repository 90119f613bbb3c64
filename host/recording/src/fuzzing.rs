//! Entry points for fuzzers, and for the unit tests that run them on the committed corpora.

use crate::{Body, Bounds, Line, Pointer, REDACTED, Reader, Redaction, Why, Writer};
use serde::de::IgnoredAny;
use serde_json::Value;

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

/// A line with a JSON pointer, and a payload: what stood at that place is not in what is left of it, nothing else is another, and what
/// is no JSON is left out.
pub fn redact(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (pointer, payload) = (std::str::from_utf8(&data[..end]), &data[end + 1..]);
    let Some(pointer) = pointer.ok().and_then(|text| text.parse::<Pointer>().ok()) else { return };
    let tokens: Vec<String> = String::from(pointer.clone())
        .split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect();
    let mut body = Body::new(payload.to_vec());
    Redaction { pointers: vec![pointer], ..Redaction::default() }.body(&mut body);
    assert_eq!(body.size(), payload.len() as u64);
    let is_json =
        |bytes| serde_json::from_slice::<IgnoredAny>(bytes).is_ok() && std::str::from_utf8(bytes).is_ok();
    let Some(left) = body.bytes() else {
        assert!(!is_json(payload), "left out: {}", payload.escape_ascii());
        return;
    };
    assert!(is_json(left), "{} of {}", left.escape_ascii(), payload.escape_ascii());
    // A number that is too large, or half of a character, is JSON all the same, and is no value here.
    let (Ok(mut before), Ok(mut after)) = (serde_json::from_slice(payload), serde_json::from_slice(left))
    else {
        return;
    };
    taken_out(&mut before, &tokens);
    let hidden = taken_out(&mut after, &tokens);
    assert!(hidden.iter().all(|value| value == REDACTED), "{hidden:?} of {}", payload.escape_ascii());
    assert_eq!(before, after, "{tokens:?} of {}", payload.escape_ascii());
}

/// The values at a place, with nothing left where they were.
fn taken_out(value: &mut Value, tokens: &[String]) -> Vec<Value> {
    let Some((first, rest)) = tokens.split_first() else { return vec![value.take()] };
    let next: Vec<&mut Value> = match value {
        Value::Object(members) if first == "*" => members.values_mut().collect(),
        Value::Object(members) => members.get_mut(first).into_iter().collect(),
        Value::Array(items) if first == "*" => items.iter_mut().collect(),
        Value::Array(items) => {
            // RFC 6901, section 4: digits without a leading zero.
            let at = first.parse::<usize>().ok().filter(|at| at.to_string() == *first);
            at.and_then(|at| items.get_mut(at)).into_iter().collect()
        }
        _ => Vec::new(),
    };
    next.into_iter().flat_map(|value| taken_out(value, rest)).collect()
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
