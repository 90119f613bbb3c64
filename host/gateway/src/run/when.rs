//! The filter before a plugin, from the configuration's words to the core's.

use super::json::{self, Scalar};
use serde_json::Value;
use std::sync::Arc;
use weir_core::{Question, Says, When};

/// The filter of a binding.
pub(crate) fn filter(when: &weir_config::When) -> When {
    When {
        kind: when.kind,
        direction: when.direction,
        size: when.size,
        listeners: when.listeners.iter().map(|name| name.as_str().into()).collect(),
        attributes: when
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
        prefix: when.prefix.clone().into_bytes().into(),
        says: when
            .json
            .iter()
            .map(|(pointer, value)| Says(Arc::new(Equals::new(pointer.tokens().to_vec(), value.clone()))))
            .collect(),
    }
}

/// Whether a payload is JSON that has this value there.
#[derive(Debug)]
struct Equals {
    tokens: Vec<String>,
    value: Value,
    text: String,
}

impl Equals {
    fn new(tokens: Vec<String>, value: Value) -> Self {
        let text = format!("{tokens:?} {value}");
        Self { tokens, value, text }
    }
}

impl Question for Equals {
    fn holds(&self, payload: &[u8]) -> bool {
        json::at(payload, &self.tokens, |found| match (found, &self.value) {
            (Scalar::Null, Value::Null) => true,
            (Scalar::Truth(found), Value::Bool(wanted)) => found == *wanted,
            (Scalar::Text(found), Value::String(wanted)) => found == wanted,
            // 1, 1.0 and 1e0 are one number.
            (Scalar::Unsigned(found), Value::Number(wanted)) => wanted
                .as_u64()
                .map_or_else(|| wanted.as_f64() == Some(found as f64), |wanted| wanted == found),
            (Scalar::Signed(found), Value::Number(wanted)) => wanted
                .as_i64()
                .map_or_else(|| wanted.as_f64() == Some(found as f64), |wanted| wanted == found),
            (Scalar::Float(found), Value::Number(wanted)) => wanted.as_f64() == Some(found),
            _ => false,
        })
        .unwrap_or(false)
    }

    fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn equals(value: Value) -> Equals {
        Equals::new(vec!["type".into()], value)
    }

    #[test]
    fn a_value_equals_itself_and_nothing_of_another_kind() {
        let values = [json!("1"), json!(1), json!(true), json!(null), json!(-1), json!(1.5)];
        for (at, wanted) in values.iter().enumerate() {
            for (other, found) in values.iter().enumerate() {
                let payload = json!({ "id": 9, "type": found }).to_string();
                assert_eq!(equals(wanted.clone()).holds(payload.as_bytes()), at == other, "{wanted} {found}");
            }
        }
        assert!(equals(json!(1)).holds(br#"{"type":1.0}"#) && equals(json!(1.0)).holds(br#"{"type":1}"#));
        assert!(equals(json!("a/b")).holds(br#"{"type":"a\u002fb"}"#));
    }

    #[test]
    fn what_is_no_json_equals_nothing() {
        let bomb = [b"{\"type\":\"a\",\"b\":".to_vec(), b"[".repeat(100_000)].concat();
        for payload in [&b""[..], b"{\"type\":\"a\"", b"{\"type\":\"a\"} x", b"{\"type\":\"\xff\"}", &bomb] {
            assert!(!equals(json!("a")).holds(payload));
        }
    }
}
