//! What operators and messages say to the binary itself.

use super::{Query, Redaction, Shown, Wanted, json};
use serde_json::Value;

/// The first line is a JSON pointer, what follows a payload.
fn pointed(data: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let pointer = std::str::from_utf8(&data[..end]).ok()?;
    let unescape = |token: &str| token.replace("~1", "/").replace("~0", "~");
    // As deep as the configuration allows.
    Some((pointer.split('/').skip(1).take(32).map(unescape).collect(), &data[end + 1..]))
}

/// A value as `json` finds it, as a number.
fn shown(value: json::Scalar<'_>) -> u64 {
    match value {
        json::Scalar::Null => 0,
        json::Scalar::Truth(truth) => 1 + u64::from(truth),
        json::Scalar::Unsigned(number) => number,
        json::Scalar::Signed(number) => number.unsigned_abs(),
        json::Scalar::Float(number) => number.to_bits(),
        json::Scalar::Text(text) => text.len() as u64,
    }
}

/// A payload, and a place in it: what is found in passing is what is found in the whole document.
pub(crate) fn json_at(data: &[u8]) {
    let Some((tokens, payload)) = pointed(data) else { return };
    let found = json::at(payload, &tokens, shown);
    let document = serde_json::from_slice::<Value>(payload);
    let Ok(document) = document else {
        // What is passed over is not looked at as closely: half of a character, a number that is too large.
        return;
    };
    let mut at = Some(&document);
    for token in &tokens {
        at = match at {
            Some(Value::Object(members)) => members.get(token),
            Some(Value::Array(items)) => {
                let index = token.parse::<usize>().ok().filter(|index| index.to_string() == *token);
                index.and_then(|index| items.get(index))
            }
            _ => None,
        };
    }
    let expected = match at {
        None | Some(Value::Array(_) | Value::Object(_)) => None,
        Some(Value::Null) => Some(0),
        Some(Value::Bool(truth)) => Some(1 + u64::from(*truth)),
        Some(Value::String(text)) => Some(text.len() as u64),
        Some(Value::Number(number)) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::unsigned_abs))
            .or_else(|| number.as_f64().map(f64::to_bits)),
    };
    assert_eq!(found, expected, "{tokens:?} in {}", payload.escape_ascii());
}

/// What stands behind the `?` of `/v1/tap`: understood and written again as the same, or refused with a sentence.
pub(crate) fn tap_query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Query::parse(text) {
        Ok(query) => {
            assert!(query.sample > 0.0 && query.sample <= 1.0);
            assert_eq!(Query::parse(&query.write()), Ok(query));
        }
        Err(error) => assert!(!error.is_empty()),
    }
}

/// The same of `/v1/record`.
pub(crate) fn record_query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Wanted::parse(text) {
        Ok(wanted) => assert_eq!(Wanted::parse(&wanted.query()), Ok(wanted)),
        Err(error) => assert!(!error.is_empty()),
    }
}

/// A payload of which a place is to be hidden: what is shown is JSON, what stood there is not in it, and nothing else is another.
pub(crate) fn tap_redact(data: &[u8]) {
    let Some((tokens, payload)) = pointed(data) else { return };
    let redaction = Redaction { all: false, pointers: vec![tokens.clone()] };
    let Shown::Redacted(shown) = redaction.apply(payload, true) else { return };
    let mut before = serde_json::from_slice(payload).expect("it was read to be redacted");
    let mut after = serde_json::from_slice(&shown).expect("what is shown is JSON");
    taken_out(&mut before, &tokens);
    let hidden = taken_out(&mut after, &tokens);
    assert!(hidden.iter().all(|value| value == "[redacted]"), "{hidden:?} of {}", payload.escape_ascii());
    // A float that is read and written may change in its last digit.
    without_floats(&mut before);
    without_floats(&mut after);
    assert_eq!(before, after, "{tokens:?} of {}", payload.escape_ascii());
}

/// The values at a place, with nothing left where they were. `*` stands for every member, or every item.
fn taken_out(value: &mut Value, tokens: &[String]) -> Vec<Value> {
    let Some((first, rest)) = tokens.split_first() else { return vec![value.take()] };
    let next: Vec<&mut Value> = match value {
        Value::Object(members) if first == "*" => members.values_mut().collect(),
        Value::Object(members) => members.get_mut(first).into_iter().collect(),
        Value::Array(items) if first == "*" => items.iter_mut().collect(),
        Value::Array(items) => {
            first.parse::<usize>().ok().and_then(|at| items.get_mut(at)).into_iter().collect()
        }
        _ => Vec::new(),
    };
    next.into_iter().flat_map(|value| taken_out(value, rest)).collect()
}

fn without_floats(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(without_floats),
        Value::Object(members) => members.values_mut().for_each(without_floats),
        _ => {}
    }
}
