//! The JSON Schema of the file.

use crate::raw;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::collections::BTreeMap;

/// The JSON Schema (2020-12) of `weir.toml` and of the files in `conf.d`. Editors complete and check with it; sizes and durations
/// carry a `format` of their own.
pub fn schema() -> Value {
    of::<raw::File>()
}

/// The schema of one of the raw types, without references.
pub(crate) fn of<T: schemars::JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    sorted(settings.into_generator().into_root_schema_for::<T>().to_value())
}

/// With the keys of every object in order, whether or not some crate of the build has `serde_json` keep them as inserted.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<String, Value> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}
