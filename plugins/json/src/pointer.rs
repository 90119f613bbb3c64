//! JSON Pointers (RFC 6901).

use crate::{Span, elements, members, span_of};
use std::borrow::Cow;

/// A JSON Pointer: `/user/name`, `/items/0`, or the empty one, which is the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<String>,
}

impl Pointer {
    /// Reads a pointer; the error says what is wrong with it and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self { tokens: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("{text:?} is no JSON Pointer: it begins with a slash, as in \"/{text}\""));
        };
        let tokens = rest.split('/').map(|token| {
            let mut resolved = String::new();
            let mut characters = token.chars();
            while let Some(character) = characters.next() {
                resolved.push(match character {
                    '~' => match characters.next() {
                        Some('0') => '~',
                        Some('1') => '/',
                        _ => {
                            return Err(format!(
                                "{text:?} is no JSON Pointer: `~` is written `~0`, `/` is `~1`"
                            ));
                        }
                    },
                    other => other,
                });
            }
            Ok(resolved)
        });
        Ok(Self { tokens: tokens.collect::<Result<_, _>>()? })
    }

    /// Where the values lie that the pointer names in `text`. More than one only where an object repeats a name, which
    /// readers of JSON resolve in different ways; none where a step is absent. An error if `text` is not JSON.
    pub fn find(&self, text: &str) -> serde_json::Result<Vec<Span>> {
        // One level of an object or of an array is read with all that is in it; only a bare value is yet to be checked.
        let whole = text.trim_matches([' ', '\t', '\n', '\r']);
        if self.tokens.is_empty() || !whole.starts_with(['{', '[']) {
            serde_json::from_str::<&serde_json::value::RawValue>(whole)?;
        }
        let mut found = vec![whole];
        for token in &self.tokens {
            let mut next = Vec::new();
            for value in found {
                step(value, token, &mut next)?;
            }
            found = next;
        }
        Ok(found.into_iter().map(|value| span_of(text, value)).collect())
    }
}

fn step<'a>(value: &'a str, token: &str, next: &mut Vec<&'a str>) -> serde_json::Result<()> {
    match value.as_bytes().first() {
        Some(b'{') => {
            let named = members(value)?.into_iter().filter(|member| member.name == *token);
            next.extend(named.map(|member| member.value));
        }
        Some(b'[') => {
            let elements = elements(value)?;
            next.extend(index(token).and_then(|index| elements.get(index)));
        }
        _ => {}
    }
    Ok(())
}

/// An index has no leading zero (RFC 6901, section 4).
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { token.parse().ok() } else { None }
}

impl<'de> serde::Deserialize<'de> for Pointer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(pointer: &str, text: &'a str) -> Vec<&'a str> {
        let spans = Pointer::parse(pointer).unwrap().find(text).unwrap();
        spans.into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let text = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, " ": 7}"#;
        assert_eq!(find("", text), [text]);
        assert_eq!(find("/foo", text), [r#"["bar", "baz"]"#]);
        assert_eq!(find("/foo/0", text), [r#""bar""#]);
        assert_eq!(find("/", text), ["0"]);
        assert_eq!(find("/a~1b", text), ["1"]);
        assert_eq!(find("/m~0n", text), ["8"]);
        assert_eq!(find("/ ", text), ["7"]);
    }

    #[test]
    fn what_is_absent_is_not_found() {
        let text = r#" {"foo": ["bar"], "n": 1} "#;
        for pointer in ["/x", "/foo/1", "/foo/00", "/foo/-", "/foo/+0", "/n/0", "/foo/0/0"] {
            assert!(find(pointer, text).is_empty(), "{pointer}");
        }
    }

    #[test]
    fn repeated_names_are_all_found() {
        assert_eq!(find("/a/b", r#"{"a": {"b": 1, "b": 2}, "a": {"b": 3}}"#), ["1", "2", "3"]);
    }

    #[test]
    fn bad_pointers_say_what_is_right() {
        assert!(Pointer::parse("user").unwrap_err().contains("\"/user\""));
        assert!(Pointer::parse("/a~2").is_err());
        assert!(Pointer::parse("/a~").is_err());
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        let pointer = Pointer::parse("/a").unwrap();
        for text in ["", "x", "{\"a\": 1", "{\"a\": 01}", "{} {}", "[1", "[] x", "1 2"] {
            assert!(pointer.find(text).is_err(), "{text:?}");
        }
    }
}
