//! What is not shown of payloads.

use serde_json::Value;

/// What stands in the place of a value.
const HIDDEN: &str = "[redacted]";

/// What is not shown: values in JSON payloads, or payloads as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Redaction {
    /// No payload at all.
    pub(crate) all: bool,
    /// Places in JSON payloads, each as the names on the way.
    pub(crate) pointers: Vec<Vec<String>>,
}

/// What is left of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As it was.
    Plain,
    /// Written anew, without what is hidden.
    Redacted(Vec<u8>),
    /// Nothing, and why.
    Withheld(&'static str),
}

impl Redaction {
    /// What both want hidden.
    pub(crate) fn and(mut self, pointers: Vec<Vec<String>>) -> Self {
        self.pointers.extend(pointers);
        self
    }

    /// Whether a payload must be there as a whole to be shown.
    pub(crate) fn needs_whole(&self) -> bool {
        !self.all && !self.pointers.is_empty()
    }

    /// `whole`: nothing of the payload is missing. With places to hide, what cannot be read as JSON is not shown: it cannot be told what is in it.
    pub(crate) fn apply(&self, payload: &[u8], whole: bool) -> Shown {
        if self.all {
            return Shown::Withheld("payload = \"off\"");
        }
        if self.pointers.is_empty() {
            return Shown::Plain;
        }
        if !whole {
            return Shown::Withheld("too long to be redacted");
        }
        let Ok(mut document) = serde_json::from_slice::<Value>(payload) else {
            return Shown::Withheld("not JSON, so it cannot be redacted");
        };
        for pointer in &self.pointers {
            hide(&mut document, pointer);
        }
        // Always written anew: of two members with one name the reader kept the last, and the text has both.
        Shown::Redacted(document.to_string().into_bytes())
    }
}

/// Puts [`HIDDEN`] in the place of the value, if there is one. `*` stands for every member, or every item.
fn hide(value: &mut Value, pointer: &[String]) {
    let Some((first, rest)) = pointer.split_first() else {
        *value = Value::String(HIDDEN.to_owned());
        return;
    };
    match value {
        Value::Object(members) if first == "*" => members.values_mut().for_each(|value| hide(value, rest)),
        Value::Object(members) => {
            if let Some(value) = members.get_mut(first) {
                hide(value, rest);
            }
        }
        Value::Array(items) if first == "*" => items.iter_mut().for_each(|value| hide(value, rest)),
        Value::Array(items) => {
            let item = first.parse::<usize>().ok().and_then(|at| items.get_mut(at));
            if let Some(value) = item {
                hide(value, rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(pointers: &[&str], payload: &str) -> String {
        let pointers = pointers
            .iter()
            .map(|pointer| weir_config::Pointer::parse(pointer).unwrap().tokens().to_vec())
            .collect();
        match Redaction::default().and(pointers).apply(payload.as_bytes(), true) {
            Shown::Plain => payload.to_owned(),
            Shown::Redacted(text) => String::from_utf8(text).unwrap(),
            Shown::Withheld(why) => why.to_owned(),
        }
    }

    #[test]
    fn values_are_hidden_where_they_are() {
        for (pointers, payload, shown) in [
            (
                &["/password"][..],
                r#"{"user":"a","password":{"x":1}}"#,
                r#"{"password":"[redacted]","user":"a"}"#,
            ),
            (
                &["/cards/*/number"],
                r#"{"cards":[{"number":1},{"number":2}]}"#,
                r#"{"cards":[{"number":"[redacted]"},{"number":"[redacted]"}]}"#,
            ),
            (&["/a/1"], r#"{"a":[1,2]}"#, r#"{"a":[1,"[redacted]"]}"#),
            (&["/a~1b"], r#"{"a/b":1}"#, r#"{"a/b":"[redacted]"}"#),
            (&["/a", "/b"], r#"{"a":1,"b":2,"c":3}"#, r#"{"a":"[redacted]","b":"[redacted]","c":3}"#),
            (&["/a"], "[1]", "[1]"),
            (&[], "anything", "anything"),
        ] {
            assert_eq!(redact(pointers, payload), shown, "{payload}");
        }
    }

    #[test]
    fn what_hides_behind_its_shape_is_not_shown() {
        // The first of two members with one name is not in the document any more.
        assert_eq!(redact(&["/a"], r#"{"a":"secret","a":"x"}"#), r#"{"a":"[redacted]"}"#);
        assert_eq!(redact(&["/b"], r#"{"a":"secret","a":"x"}"#), r#"{"a":"x"}"#);
        assert!(redact(&["/a"], r#"{"a":"secret"} "#).contains(HIDDEN));
        assert!(redact(&["/a"], r#"{"a":"secret"#).contains("not JSON"));
        assert!(redact(&["/a"], "password=secret").contains("not JSON"));
        let redaction = Redaction::default().and(vec![vec!["a".into()]]);
        assert!(matches!(redaction.apply(br#"{"a":1}"#, false), Shown::Withheld(_)));
        let all = Redaction { all: true, pointers: Vec::new() };
        assert!(matches!(all.apply(b"x", true), Shown::Withheld(_)));
    }
}
