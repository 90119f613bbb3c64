//! A plugin's config: TOML in the file, JSON for the plugin.

use crate::value::{Fault, Read};
use serde_json::{Number, Value};

/// A JSON object.
#[derive(Clone, Debug)]
pub(crate) struct Json(pub(crate) Value);

impl Read for Json {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        match value {
            toml::Value::Table(_) => convert(value).map(Self).ok_or_else(|| Fault::Wrong {
                needs: "what JSON can say".to_owned(),
                found: "inf or nan".to_owned(),
            }),
            _ => Err(Fault::wrong("a table", value)),
        }
    }
}

/// `None` where a number is not finite: JSON has no word for it.
fn convert(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::Number((*number).into()),
        toml::Value::Float(number) => Value::Number(Number::from_f64(*number)?),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(when) => Value::String(when.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(convert).collect::<Option<_>>()?),
        toml::Value::Table(table) => Value::Object(
            table.iter().map(|(key, value)| Some((key.clone(), convert(value)?))).collect::<Option<_>>()?,
        ),
    })
}
