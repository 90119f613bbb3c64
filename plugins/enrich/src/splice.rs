//! Adding members to the text of a JSON object: all else stays byte for byte, so numbers keep their digits, members
//! their order and text its spaces.

use crate::Existing;
use std::borrow::Cow;
use weir_plugin_json::{Member, Span, span_of};

/// Under which name a message that is no object is wrapped.
pub(crate) const WRAPPED: &str = "data";

/// A member to add.
pub(crate) struct Addition<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What precedes its value, see [`label`].
    pub(crate) label: &'a str,
    /// Its value as JSON text.
    pub(crate) value: Cow<'a, str>,
}

/// A member exists already, and the config says that this is an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Clash;

/// The object `text`, whose members are `members`, with `additions`.
pub(crate) fn add(
    text: &str,
    members: &[Member<'_>],
    additions: &[Addition<'_>],
    existing: Existing,
) -> Result<String, Clash> {
    let mut replaced: Vec<(Span, &str)> = Vec::new();
    let mut added = String::new();
    for addition in additions {
        let mut same = members.iter().filter(|member| member.name == addition.name).peekable();
        if same.peek().is_none() {
            added.push_str(addition.label);
            added.push_str(&addition.value);
            continue;
        }
        match existing {
            Existing::Keep => {}
            Existing::Error => return Err(Clash),
            // Every one of a repeated name: which of them counts, readers of JSON do not agree.
            Existing::Overwrite => {
                for member in same {
                    replaced.push((span_of(text, member.value), &addition.value));
                }
            }
        }
    }
    // Behind the last value, or in an object without members behind its brace.
    let end = match members.last() {
        Some(last) => span_of(text, last.value).end,
        None => text.find('{').map_or(0, |brace| brace + 1),
    };
    if members.is_empty() && !added.is_empty() {
        added.remove(0);
    }
    replaced.sort_unstable_by_key(|(span, _)| span.start);
    replaced.push((end..end, &added));

    let mut enriched =
        String::with_capacity(text.len() + replaced.iter().map(|(_, new)| new.len()).sum::<usize>());
    let mut done = 0;
    for (span, new) in replaced {
        enriched.push_str(&text[done..span.start]);
        enriched.push_str(new);
        done = span.end;
    }
    enriched.push_str(&text[done..]);
    Ok(enriched)
}

/// A message that is no object, in an object with `additions`.
pub(crate) fn wrap(text: &str, additions: &[Addition<'_>]) -> String {
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    let mut wrapped = format!("{{\"{WRAPPED}\":");
    if is_json {
        wrapped.push_str(text.trim_matches([' ', '\t', '\n', '\r']));
    } else {
        wrapped.push_str(&quoted(text));
    }
    for addition in additions {
        wrapped.push_str(addition.label);
        wrapped.push_str(&addition.value);
    }
    wrapped.push('}');
    wrapped
}

/// What precedes the value of a member of that name, with the comma.
pub(crate) fn label(name: &str) -> String {
    format!(",{}:", quoted(name))
}

/// A string as JSON writes it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "null".into()) // which cannot fail for a string
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str, values: &[(&str, &str)], existing: Existing) -> Result<String, Clash> {
        let labels: Vec<_> = values.iter().map(|(name, _)| label(name)).collect();
        let additions = values.iter().zip(&labels);
        let additions: Vec<_> = additions
            .map(|((name, value), label)| Addition { name, label, value: (*value).into() })
            .collect();
        add(text, &weir_plugin_json::members(text).unwrap(), &additions, existing)
    }

    #[test]
    fn everything_else_stays_byte_for_byte() {
        let text = " {\n\t\"n\" : 1.500e+400, \"big\":123456789012345678901234567890 ,\"\\u0061\": [ ] }\r\n";
        let enriched = added(text, &[("x", "1"), ("y", "\"z\"")], Existing::Overwrite).unwrap();
        assert_eq!(enriched, text.replace("[ ]", "[ ],\"x\":1,\"y\":\"z\""));
    }

    #[test]
    fn an_empty_object_gets_no_comma() {
        assert_eq!(
            added(" { } ", &[("x", "1"), ("y", "2")], Existing::Keep).unwrap(),
            " {\"x\":1,\"y\":2 } "
        );
        assert_eq!(added("{}", &[], Existing::Keep).unwrap(), "{}");
    }

    #[test]
    fn existing_members_follow_the_policy() {
        let text = r#"{"x": {"x": 0}, "a": 1, "\u0078": 2}"#;
        let values = [("a", "9"), ("x", "7"), ("y", "8")];
        assert_eq!(
            added(text, &values, Existing::Overwrite).unwrap(),
            r#"{"x": 7, "a": 9, "\u0078": 7,"y":8}"#
        );
        assert_eq!(
            added(text, &values, Existing::Keep).unwrap(),
            r#"{"x": {"x": 0}, "a": 1, "\u0078": 2,"y":8}"#
        );
        assert_eq!(added(text, &values, Existing::Error), Err(Clash));
        assert_eq!(
            added(text, &values[2..], Existing::Error).unwrap(),
            format!("{},\"y\":8}}", &text[..text.len() - 1])
        );
    }

    #[test]
    fn names_and_strings_are_escaped() {
        assert_eq!(added("{}", &[("a\"\n", "1")], Existing::Keep).unwrap(), r#"{"a\"\n":1}"#);
        assert_eq!(quoted("\u{7f}\u{1}\"\\é"), "\"\u{7f}\\u0001\\\"\\\\é\"");
    }

    #[test]
    fn wrapping_keeps_json_and_quotes_text() {
        let values = [Addition { name: "x", label: ",\"x\":", value: "1".into() }];
        assert_eq!(wrap(" [1.50, {}] ", &values), r#"{"data":[1.50, {}],"x":1}"#);
        assert_eq!(wrap("a \"b\"", &values), r#"{"data":"a \"b\"","x":1}"#);
        assert_eq!(wrap("", &values), r#"{"data":"","x":1}"#);
    }
}
