//! What the operator can say.

use std::collections::BTreeMap;

/// The config of the plugin.
#[weir_sdk::config]
pub struct Config {
    /// The field that decides, as a JSON Pointer (RFC 6901), e.g. `/type` or `/device/kind`.
    pub field: String,
    /// For a value of the field, where the message goes. A number, `true`, `false` or `null` is compared as it is
    /// written in the message.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 10_000))]
    pub rules: BTreeMap<String, Destination>,
    /// For the beginning of a value, where the message goes; the longest that fits, and only where no rule does.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 10_000))]
    pub prefixes: BTreeMap<String, Destination>,
    /// What happens to a message whose field is absent, or has a value that no rule and no prefix knows.
    #[serde(default)]
    pub default: Miss,
    /// What happens to a message that is not JSON.
    #[serde(default)]
    pub not_json: Other,
}

/// Where a message can be sent.
#[weir_sdk::config]
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// The cluster of that name.
    Cluster(String),
    /// Every session in the group of that name.
    Group(String),
}

/// What happens to a message without a rule.
#[weir_sdk::config]
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Miss {
    /// It goes where it would have gone without this plugin.
    #[default]
    Forward,
    /// It is dropped, with the reason `no-route`.
    Drop,
    /// It goes to the cluster of that name.
    Cluster(String),
    /// It goes to every session in the group of that name.
    Group(String),
}

/// What happens to a message that is not JSON.
#[weir_sdk::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Other {
    /// It goes where it would have gone without this plugin.
    #[default]
    Forward,
    /// It is dropped, with the reason `not-json`.
    Drop,
    /// Its session is closed with code 1007.
    Close,
}
