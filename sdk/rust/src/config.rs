//! The config of a plugin: its type, its JSON Schema, and errors that name the place.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use std::any::TypeId;

/// A type that a plugin takes as its config: everything that serde can read and schemars describe. The attribute
/// [`#[config]`](macro@crate::config) derives both.
///
/// `()` means that the plugin has no config: its schema is empty and anything but `{}` is refused.
pub trait Config: Sized + 'static {
    /// The JSON Schema (2020-12) that goes into the manifest; empty for `()`.
    fn schema() -> String;

    /// Reads a config. The error says where in the config it is, e.g. `rules[2].to: missing field …`.
    fn parse(json: &str) -> Result<Self, String>;
}

impl<T: DeserializeOwned + JsonSchema + 'static> Config for T {
    fn schema() -> String {
        if is_unit::<T>() {
            return String::new();
        }
        let generator = SchemaSettings::draft2020_12().into_generator();
        generator.into_root_schema_for::<T>().to_value().to_string()
    }

    fn parse(json: &str) -> Result<Self, String> {
        let empty = json.trim().is_empty();
        let json = if is_unit::<T>() {
            if !empty && !matches!(json.trim(), "{}" | "null") {
                return Err("this plugin takes no config".into());
            }
            "null"
        } else if empty {
            "{}"
        } else {
            json
        };
        let mut reader = serde_json::Deserializer::from_str(json);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let what = strip_position(&error.inner().to_string());
            if path == "." { what } else { format!("{path}: {what}") }
        })?;
        reader.end().map_err(|error| error.to_string())?;
        Ok(value)
    }
}

fn is_unit<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

/// The config was TOML or YAML before it became JSON, so line and column of the JSON say nothing to anybody.
fn strip_position(error: &str) -> String {
    match error.rfind(" at line ") {
        Some(at) => error[..at].to_owned(),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        #[serde(default)]
        rules: Vec<Rule>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    struct Rule {
        #[expect(dead_code, reason = "only its type matters")]
        limit: u32,
    }

    #[test]
    fn errors_name_the_path_and_no_column() {
        let error = Rules::parse(r#"{"rules": [{"limit": 1}, {"limit": "x"}]}"#).unwrap_err();
        assert_eq!(error, "rules[1].limit: invalid type: string \"x\", expected u32");
        let error = Rules::parse(r#"{"rule": []}"#).unwrap_err();
        assert_eq!(error, "rule: unknown field `rule`, expected `rules`");
    }

    #[test]
    fn an_absent_config_is_an_empty_one() {
        assert!(Rules::parse("").unwrap().rules.is_empty());
        assert!(Rules::parse("{}").unwrap().rules.is_empty());
    }

    #[test]
    fn a_second_value_is_refused() {
        assert!(Rules::parse("{} {}").unwrap_err().starts_with("trailing characters"));
    }

    #[test]
    fn the_schema_is_of_2020_12_and_closed() {
        let schema: serde_json::Value = serde_json::from_str(&Rules::schema()).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn unit_takes_no_config() {
        assert_eq!(<()>::schema(), "");
        for nothing in ["", " {} ", "null"] {
            assert_eq!(<()>::parse(nothing), Ok(()));
        }
        assert_eq!(<()>::parse(r#"{"a": 1}"#), Err("this plugin takes no config".into()));
    }
}
