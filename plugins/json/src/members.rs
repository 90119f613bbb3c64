//! One level of an object or of an array, its values left as text.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name, escapes resolved.
    pub name: Cow<'a, str>,
    /// Its value as it stands in the text, without the space around it.
    pub value: &'a str,
}

/// The members of the object that `text` is, in order, with repeated names; an error if `text` is not one object.
pub fn members(text: &str) -> serde_json::Result<Vec<Member<'_>>> {
    serde_json::from_str::<Object<'_>>(text).map(|object| object.0)
}

/// The elements of the array that `text` is, as text; an error if `text` is not one array.
pub fn elements(text: &str) -> serde_json::Result<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text)?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

struct Object<'a>(Vec<Member<'a>>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            members.push(Member { name, value: value.get() });
        }
        Ok(Object(members))
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_order_repetition_and_digits() {
        let found = members(r#" {"a" : 1.50e+2, "\u0061":[{}], "b": "x" } "#).unwrap();
        let found: Vec<_> = found.iter().map(|member| (&*member.name, member.value)).collect();
        assert_eq!(found, [("a", "1.50e+2"), ("a", "[{}]"), ("b", "\"x\"")]);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for text in ["", "[]", "null", "{", "{}{}", "{} x", "{\"a\":}", "{a:1}", "{\"a\":1,}", "\u{feff}{}"] {
            assert!(members(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn depth_is_no_matter() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&deep).unwrap()[0].value.len(), 200_000);
        assert!(members(&format!("{{\"a\":{}", "[".repeat(100_000))).is_err());
    }
}
