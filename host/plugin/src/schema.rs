//! A binding's config against the schema that its plugin gives.

use crate::refusal::Refusal;
use serde_json::Value;

/// The most errors that one refusal lists.
const LISTED: usize = 5;

/// The config as the plugin gets it, once it has passed: an absent config is an empty object.
pub(crate) fn check(schema: &str, config: &Value) -> Result<String, Refusal> {
    let empty = Value::Object(serde_json::Map::new());
    let config = if config.is_null() { &empty } else { config };
    if schema.trim().is_empty() {
        if *config != empty {
            return Err(Refusal::NoConfigAccepted);
        }
        return Ok(config.to_string());
    }
    let schema: Value =
        serde_json::from_str(schema).map_err(|error| Refusal::Schema(format!("it is not JSON: {error}")))?;
    // References to other documents are errors: the features that fetch them are not compiled in.
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(&schema)
        .map_err(|error| Refusal::Schema(error.to_string()))?;
    let mut errors = validator.iter_errors(config);
    let listed: Vec<_> = errors
        .by_ref()
        .take(LISTED)
        .map(|error| match error.instance_path().as_str() {
            "" => error.to_string(),
            path => format!("{path}: {error}"),
        })
        .collect();
    if listed.is_empty() {
        return Ok(config.to_string());
    }
    let more = errors.count();
    let listed = listed.join("; ");
    Err(Refusal::Config(if more > 0 { format!("{listed}; and {more} more") } else { listed }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SCHEMA: &str = r#"{
        "type": "object",
        "properties": { "words": { "type": "array", "items": { "type": "string" } } },
        "required": ["words"],
        "additionalProperties": false
    }"#;

    #[test]
    fn a_config_that_fits_is_handed_on() {
        assert_eq!(check(SCHEMA, &json!({"words": ["spam"]})).unwrap(), r#"{"words":["spam"]}"#);
        assert_eq!(check("", &Value::Null).unwrap(), "{}");
    }

    #[test]
    fn errors_carry_the_path() {
        let Err(Refusal::Config(text)) = check(SCHEMA, &json!({"words": ["a", 1]})) else { panic!() };
        assert!(text.contains("/words/1"), "{text}");
        let Err(Refusal::Config(text)) = check(SCHEMA, &Value::Null) else { panic!() };
        assert!(text.contains("words"), "{text}");
    }

    #[test]
    fn schemas_that_are_none_are_the_plugins_fault() {
        assert!(matches!(check("{", &Value::Null), Err(Refusal::Schema(_))));
        assert!(matches!(check(r#"{"type": 1}"#, &Value::Null), Err(Refusal::Schema(_))));
        assert!(matches!(check(r#"{"$ref": "https://a.example/b"}"#, &Value::Null), Err(Refusal::Schema(_))));
        assert!(matches!(check("", &json!({"a": 1})), Err(Refusal::NoConfigAccepted)));
    }
}
