//! How a new version of a plugin takes over, as it is written.

use crate::field::Field;
use crate::value::{Fault, Fraction, Read, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::time::Duration;

/// When a new version is taken back: it is compared with the one before it in the same time, or with its history. A bound of 0 is none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Rollback {
    /// For how long a version that all sessions meet is watched; at most a day. "0s": not at all.
    #[schemars(extend("default" = "1m"))]
    pub(crate) window: Field<Time>,
    /// Calls that gave no answer: fewer are never a reason; at most a million.
    #[schemars(extend("default" = 5))]
    pub(crate) failures: Field<u64>,
    /// Of all calls such a part is too much, where it is also more than twice that of the version before.
    #[schemars(extend("default" = 0.05))]
    pub(crate) failed_share: Field<Fraction>,
    /// Calls that are so many times as slow are too slow: what nine of ten calls take at most, measured in steps of two; at most 1,000.
    #[schemars(extend("default" = 4))]
    pub(crate) latency_factor: Field<u64>,
    /// Calls that are slower by less than this are no reason.
    #[schemars(extend("default" = "20us"))]
    pub(crate) latency_slack: Field<Time>,
    /// So much larger may the part of the messages be that it drops or closes the session for.
    #[schemars(extend("default" = 0.25))]
    pub(crate) drop_difference: Field<Fraction>,
    /// Calls, of both versions, without which latency and drops are not compared; from 1 to a million.
    #[schemars(extend("default" = 50))]
    pub(crate) calls: Field<u64>,
    /// Looks, four a second, that must find it outside on end; from 1 to 1,000.
    #[schemars(extend("default" = 2))]
    pub(crate) looks: Field<u64>,
}

/// `"all"` or `{ canary = "5%", for = "30s" }`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RolloutValue {
    All,
    Canary { share: f64, window: Duration },
}

const NEEDS: &str = "\"all\" or a table such as { canary = \"5%\", for = \"30s\" }";
const PERCENT: &str = "a percentage above 0% and below 100%, such as \"5%\"";
/// The longest trial.
const LONGEST: Duration = Duration::from_hours(24);

impl Read for RolloutValue {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        let table = match value {
            toml::Value::String(word) if word == "all" => return Ok(Self::All),
            toml::Value::Table(table) => table,
            other => return Err(Fault::wrong(NEEDS, other)),
        };
        if let Some(unknown) = table.keys().find(|key| *key != "canary" && *key != "for") {
            let found = format!("a table with `{}`", unknown.escape_debug());
            return Err(Fault::Wrong { needs: NEEDS.to_owned(), found });
        }
        let (Some(share), Some(time)) = (table.get("canary"), table.get("for")) else {
            return Err(Fault::wrong(NEEDS, value));
        };
        let percent =
            share.as_str().and_then(|text| text.trim().strip_suffix('%')?.trim_end().parse::<f64>().ok());
        let percent: f64 = percent
            .filter(|percent| *percent > 0.0 && *percent < 100.0)
            .ok_or_else(|| Fault::wrong(format!("{NEEDS}, where `canary` is {PERCENT}"), share))?;
        let Time(window) = Time::read(time)?;
        if window.is_zero() || window > LONGEST {
            return Err(Fault::wrong(format!("{NEEDS}, where `for` is at most a day"), time));
        }
        Ok(Self::Canary { share: percent / 100.0, window })
    }
}

impl JsonSchema for RolloutValue {
    fn schema_name() -> Cow<'static, str> {
        "Rollout".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                { "const": "all" },
                {
                    "type": "object",
                    "properties": {
                        "canary": { "type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*%$" },
                        "for": { "type": "string", "format": "duration-with-unit" },
                    },
                    "required": ["canary", "for"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
