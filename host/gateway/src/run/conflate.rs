//! What a message is about, where its listener replaces those that wait for a slow client: a value at a place in its JSON.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use weir_config::Pointer;
use weir_core::{Key, KeyOf};

/// Finds the value in one pass over the text, without building the document.
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
        let mut json = serde_json::Deserializer::from_slice(payload);
        let found = Walk { tokens: &self.tokens, hasher: &self.hasher }.deserialize(&mut json).ok()??;
        json.end().ok()?;
        Some(Key::new(found))
    }
}

/// The rest of the way to the value. Recursion is as deep as the pointer, which the configuration bounds; what is passed over is as deep
/// as `serde_json` allows.
struct Walk<'a> {
    tokens: &'a [String],
    hasher: &'a RandomState,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    /// The hash of the value; `None`: there is none, or it is a list or an object.
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_> {
    /// Kinds are told apart: the text "1" is not the number 1.
    fn found(&self, kind: u8, value: impl std::hash::Hash) -> Option<u64> {
        self.tokens.is_empty().then(|| self.hasher.hash_one((kind, value)))
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(self.found(0, ()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.found(1, value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.found(2, value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.found(3, value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(self.found(4, value.to_bits()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.found(5, value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let next = self.tokens.split_first();
        let mut found = None;
        // Of two members with one name the last counts, as for most readers of JSON.
        while let Some(is_next) = map.next_key_seed(IsName(next.map(|(name, _)| name.as_str())))? {
            match next {
                Some((_, rest)) if is_next => {
                    found = map.next_value_seed(Walk { tokens: rest, hasher: self.hasher })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let next = self.tokens.split_first();
        // RFC 6901, section 4: digits without a leading zero.
        let wanted = next.and_then(|(token, _)| {
            let index = token.parse::<usize>().ok()?;
            (index.to_string() == *token).then_some(index)
        });
        let (mut found, mut at) = (None, 0);
        loop {
            match next {
                Some((_, rest)) if wanted == Some(at) => {
                    match items.next_element_seed(Walk { tokens: rest, hasher: self.hasher })? {
                        Some(value) => found = value,
                        None => return Ok(found),
                    }
                }
                _ => {
                    if items.next_element::<IgnoredAny>()?.is_none() {
                        return Ok(found);
                    }
                }
            }
            at += 1;
        }
    }
}

/// Whether a member's name is the one.
struct IsName<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == Some(name))
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
