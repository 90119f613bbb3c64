//! The reference page, made from the schema: the comments of the raw types are its text.

use crate::schema::schema;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

const INTRO: &str = include_str!("../doc/intro.md");
const EXAMPLE: &str = include_str!("../doc/reference.toml");

/// The page.
fn page() -> String {
    let mut page = format!("{INTRO}\n```toml\n{EXAMPLE}```\n");
    let schema = schema();
    for section in ["runtime", "overload", "admin", "tap", "log", "plugins", "plugin", "listener", "cluster"]
    {
        let schema = &schema["properties"][section];
        match schema["type"].as_str() {
            Some("array") => {
                table(&mut page, section, &format!("`[[{section}]]`"), &text(schema), &schema["items"]);
            }
            _ => table(&mut page, section, &format!("`[{section}]`"), &text(schema), schema),
        }
    }
    page
}

/// A section and the tables in it. Nothing of a framing is said twice.
fn table(page: &mut String, path: &str, heading: &str, about: &str, schema: &Value) {
    let keys = schema["properties"].as_object().expect("a table has keys");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    write!(page, "\n## {heading}\n\n{about}\n\n").expect("a string takes all");
    if path == "cluster.framing" {
        page.push_str("Its keys are those of `framing` of a listener.\n");
        return;
    }
    page.push_str("| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for (key, schema) in keys {
        let default = match &schema["default"] {
            _ if required.contains(&key.as_str()) => "mandatory".to_owned(),
            Value::Null => String::new(),
            default => format!("`{default}`"),
        };
        writeln!(page, "| `{key}` | {} | {default} | {} |", kind(schema), text(schema))
            .expect("a string takes all");
    }
    for (key, schema) in keys {
        let path = format!("{path}.{key}");
        if schema["properties"].is_object() {
            table(page, &path, &format!("`[{path}]`"), &text(schema), schema);
        } else if schema["items"]["properties"].is_object() {
            table(page, &path, &format!("`[[{path}]]`"), &text(&schema["items"]), &schema["items"]);
        }
    }
}

/// A description in one line of a table.
fn text(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// What a value is.
fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if !schema["const"].is_null() {
        return format!("`{}`", schema["const"]);
    }
    match (schema["format"].as_str(), schema["type"].as_str()) {
        (Some("size"), _) => "size".to_owned(),
        (Some("duration-with-unit"), _) => "duration".to_owned(),
        (_, Some("array")) if schema["items"]["properties"].is_object() => "list of tables".to_owned(),
        (_, Some("array")) => format!("list of {}", kind(&schema["items"])),
        (_, Some("object")) => "table".to_owned(),
        (_, Some("integer" | "number")) => "number".to_owned(),
        (_, Some("boolean")) => "`true` `false`".to_owned(),
        (_, Some("string")) => "text".to_owned(),
        _ => "anything".to_owned(),
    }
}

/// Compares a committed file with what it should be; `UPDATE_DOCS=1` writes it.
fn current(name: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, content).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == content, "docs/{name} is not current: run UPDATE_DOCS=1 cargo test -p weir-config");
}

#[test]
fn the_reference_page_is_current() {
    current("configuration.md", &page());
}

#[test]
fn the_schema_is_current() {
    let schema = serde_json::to_string_pretty(&schema()).expect("a schema is JSON");
    current("weir.schema.json", &format!("{schema}\n"));
}
