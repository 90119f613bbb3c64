//! A value at a place in a JSON document, found in one pass over the text without building the document.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value that is neither a list nor an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Truth(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
}

/// What `found` makes of the value at a JSON pointer (RFC 6901) with these tokens. `None`: there is none, it is a list or an object, or
/// the payload is not JSON.
pub(crate) fn at<R>(payload: &[u8], tokens: &[String], found: impl Fn(Scalar<'_>) -> R + Copy) -> Option<R> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let found = Walk { tokens, found }.deserialize(&mut json).ok()??;
    json.end().ok()?;
    Some(found)
}

/// The rest of the way to the value. Recursion is as deep as the pointer, which the configuration bounds; what is passed over is as deep
/// as `serde_json` allows.
struct Walk<'a, F> {
    tokens: &'a [String],
    found: F,
}

impl<'de, R, F: Fn(Scalar<'_>) -> R + Copy> DeserializeSeed<'de> for Walk<'_, F> {
    type Value = Option<R>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<R, F: Fn(Scalar<'_>) -> R> Walk<'_, F> {
    fn found(&self, value: Scalar<'_>) -> Option<R> {
        self.tokens.is_empty().then(|| (self.found)(value))
    }
}

impl<'de, R, F: Fn(Scalar<'_>) -> R + Copy> Visitor<'de> for Walk<'_, F> {
    type Value = Option<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(self.found(Scalar::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.found(Scalar::Truth(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.found(Scalar::Unsigned(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.found(Scalar::Signed(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(self.found(Scalar::Float(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.found(Scalar::Text(value)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let next = self.tokens.split_first();
        let mut found = None;
        // Of two members with one name the last counts, as for most readers of JSON.
        while let Some(is_next) = map.next_key_seed(IsName(next.map(|(name, _)| name.as_str())))? {
            match next {
                Some((_, rest)) if is_next => {
                    found = map.next_value_seed(Walk { tokens: rest, found: self.found })?;
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
                    match items.next_element_seed(Walk { tokens: rest, found: self.found })? {
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
