//! What a message is about, where its listener replaces those that wait for a slow client: a value at a place in its JSON.

use super::json::{self, Scalar};
use std::hash::{BuildHasher, RandomState};
use weir_config::Pointer;
use weir_core::{Key, KeyOf};

/// Finds the value.
#[derive(Debug)]
pub(crate) struct AtPointer {
    tokens: Vec<String>,
    /// Seeded anew in each process, so that nobody can find two values with one key.
    hasher: RandomState,
}

impl AtPointer {
    pub(crate) fn new(pointer: &Pointer) -> Self {
        Self { tokens: pointer.tokens().to_vec(), hasher: RandomState::new() }
    }
}

impl KeyOf for AtPointer {
    fn key(&self, payload: &[u8]) -> Option<Key> {
        // Kinds are told apart: the text "1" is not the number 1.
        let hash = json::at(payload, &self.tokens, |value| match value {
            Scalar::Null => self.hasher.hash_one(0),
            Scalar::Truth(value) => self.hasher.hash_one((1, value)),
            Scalar::Unsigned(value) => self.hasher.hash_one((2, value)),
            Scalar::Signed(value) => self.hasher.hash_one((3, value)),
            Scalar::Float(value) => self.hasher.hash_one((4, value.to_bits())),
            Scalar::Text(value) => self.hasher.hash_one((5, value)),
        })?;
        Some(Key::new(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pointer: &str) -> AtPointer {
        let tokens = pointer.split('/').skip(1).map(str::to_owned).collect();
        AtPointer { tokens, hasher: RandomState::new() }
    }

    #[test]
    fn the_value_at_the_pointer_is_the_key() {
        let symbol = at("/symbol");
        let key = |payload: &str| symbol.key(payload.as_bytes());
        let a = key(r#"{"symbol":"A","price":1}"#);
        assert!(a.is_some());
        assert_eq!(key(r#" { "price" : { "symbol": "B" }, "symbol": "\u0041" } "#), a);
        assert_eq!(key(r#"{"symbol":"B","symbol":"A"}"#), a, "the last of two");
        for other in [r#"{"symbol":"B"}"#, r#"{"symbol":1}"#, r#"{"symbol":null}"#, r#"{"symbol":true}"#] {
            assert!(key(other).is_some() && key(other) != a, "{other}");
        }
        assert_ne!(key(r#"{"symbol":1}"#), key(r#"{"symbol":"1"}"#));
        for none in [
            "",
            "A",
            "{}",
            "[1]",
            r#"{"symbol":{}}"#,
            r#"{"symbol":["A"]}"#,
            r#"{"symbol":"A""#,
            "\u{7f}",
            r#"{"symbol":"A"} x"#,
        ] {
            assert_eq!(key(none), None, "{none}");
        }
        assert_eq!(symbol.key(b"{\"symbol\":\"\xff\"}"), None);
    }

    #[test]
    fn pointers_go_through_objects_and_lists() {
        let deep = at("/quotes/1/id");
        let key = |payload: &str| deep.key(payload.as_bytes());
        let seven = key(r#"{"quotes":[{"id":6},{"id":7}]}"#);
        assert!(seven.is_some());
        assert_eq!(key(r#"{"x":[[[{}]]],"quotes":[null,{"x":1,"id":7},{"id":8}]}"#), seven);
        assert_eq!(key(r#"{"quotes":{"1":{"id":7}}}"#), seven, "a number may be a name");
        assert_eq!(key(r#"{"quotes":[{"id":7}]}"#), None);
        assert_eq!(at("/01").key(b"[1,2]"), None);
        let bomb = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(at("/0").key(&bomb), None, "as deep as the reader goes, and no deeper");
    }
}
