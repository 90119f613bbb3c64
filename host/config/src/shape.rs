//! Whether a document has the tables, lists and keys of the schema. What has not is reported and taken out, so that the rest can be
//! read and checked in the same go.

use crate::error::ConfigError;
use crate::source::{Sources, Span};
use crate::value::similar;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Checks `table` against `schema`. `place` is blamed for keys that are missing; `what` names the table in sentences.
pub(crate) fn check(
    table: &mut DeTable<'_>,
    schema: &Value,
    place: &Span,
    what: &str,
    sources: &Sources,
    errors: &mut Vec<ConfigError>,
) {
    // A table without listed keys is free: a plugin's config.
    let Some(keys) = schema["properties"].as_object() else { return };
    let mut misshapen = Vec::new();
    let written = std::mem::take(table);
    for (key, mut value) in written {
        let name = key.get_ref().clone();
        let Some(schema) = keys.get(name.as_ref()) else {
            errors.push(unknown(&name, &key.span(), what, keys.keys().map(String::as_str), sources));
            continue;
        };
        let Some(needs) = check_value(&name, &mut value, schema, sources, errors) else {
            table.insert(key, value);
            continue;
        };
        let found = match value.get_ref().type_str() {
            "array" => "list",
            other => other,
        };
        let help = (needs == "a list of tables").then(|| format!("write `[[{name}]]` above its keys"));
        let message = format!("`{name}` must be {needs}, not {} {found}", article(found));
        errors.push(sources.error(&value.span(), message, None, help, None));
        misshapen.push(name);
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !table.contains_key(required) && !misshapen.iter().any(|name| name == required) {
            let help = keys[required]["description"].as_str().map(|text| text.replace('\n', " "));
            errors.push(sources.error(place, format!("{what} needs `{required}`"), None, help, None));
        }
    }
}

/// What the value should have been, if its kind is another.
fn check_value(
    name: &str,
    value: &mut Spanned<DeValue<'_>>,
    schema: &Value,
    sources: &Sources,
    errors: &mut Vec<ConfigError>,
) -> Option<&'static str> {
    let span = value.span();
    let of_tables = schema["items"]["type"] == "object";
    match (schema["type"].as_str(), value.get_mut()) {
        (Some("object"), DeValue::Table(inner)) => {
            check(inner, schema, &span, &format!("`{name}`"), sources, errors);
            None
        }
        (Some("array"), DeValue::Array(items)) if of_tables => {
            let mut needs = None;
            for item in items.iter_mut() {
                let span = item.span();
                match item.get_mut() {
                    DeValue::Table(inner) => {
                        check(inner, &schema["items"], &span, &format!("this {name}"), sources, errors);
                    }
                    _ => needs = Some("a list of tables"),
                }
            }
            needs
        }
        (Some("object"), _) => Some("a table"),
        (Some("array"), _) if of_tables => Some("a list of tables"),
        (Some("array"), DeValue::Array(_)) => None,
        (Some("array"), _) => Some("a list"),
        _ => None,
    }
}

fn unknown<'a>(
    name: &str,
    span: &Span,
    what: &str,
    keys: impl Iterator<Item = &'a str> + Clone,
    sources: &Sources,
) -> ConfigError {
    let label = Some("not a key".to_owned());
    if let Some(meant) = similar(name, keys.clone()) {
        return sources.error(
            span,
            format!("unknown key `{name}`: did you mean `{meant}`?"),
            label,
            None,
            None,
        );
    }
    let known: Vec<String> = keys.map(|key| format!("`{key}`")).collect();
    let help = format!("{what} knows {}", known.join(", "));
    sources.error(span, format!("unknown key `{name}`"), label, Some(help), None)
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
