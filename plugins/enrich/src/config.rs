//! What the operator can say.

use crate::splice::WRAPPED;
use serde_json::Value;
use std::collections::BTreeMap;

/// Most fields that can be added.
const MOST_FIELDS: usize = 64;
/// Longest name of a field, in bytes.
const LONGEST_NAME: usize = 256;

/// The config of the plugin.
#[weir_sdk::config]
pub struct Config {
    /// The members to add: for each name, where its value comes from.
    #[serde(default = "fields")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 64))]
    pub fields: BTreeMap<String, Source>,
    /// What happens where a message has such a member already.
    #[serde(default)]
    pub existing: Existing,
    /// What happens to a message that is not a JSON object.
    #[serde(default)]
    pub not_object: NotObject,
}

/// Where a value comes from.
#[weir_sdk::config]
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The id of the session, as a string: it can exceed what a JSON number carries exactly.
    Session,
    /// The client's address, e.g. `203.0.113.9:40112`.
    Peer,
    /// The name of the listener.
    Listener,
    /// The time as RFC 3339 writes it, e.g. `2026-01-31T23:59:59.999Z`.
    Time,
    /// The time in milliseconds since 1970, as a number.
    TimeMs,
    /// An attribute of the session, as a string; `null` where the session has none.
    Attribute(String),
    /// The same value for every message: any JSON.
    Static(Value),
}

/// What happens where a message has a member of that name already.
#[weir_sdk::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    /// Its value is replaced, so that a client cannot pretend.
    #[default]
    Overwrite,
    /// It stays as the client wrote it.
    Keep,
    /// The message is dropped, with the reason `exists`.
    Error,
}

/// What happens to a message that is not a JSON object.
#[weir_sdk::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NotObject {
    /// It goes on as it is.
    #[default]
    Forward,
    /// It is dropped, with the reason `not-an-object`.
    Drop,
    /// It becomes the member `data` of a new object: other JSON as it is, other text as a string. What is not UTF-8 is
    /// dropped, with the reason `not-utf8`.
    Wrap,
}

impl Config {
    /// What the schema cannot say, or says in bytes where the schema counts characters.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.fields.is_empty() {
            return Err("fields: there are none; name at least one, or leave `fields` out".into());
        }
        if self.fields.len() > MOST_FIELDS {
            return Err(format!("fields: {} of them; at most {MOST_FIELDS} are allowed", self.fields.len()));
        }
        for (name, source) in &self.fields {
            if name.len() > LONGEST_NAME {
                return Err(format!(
                    "fields: a name of {} bytes; at most {LONGEST_NAME} are allowed",
                    name.len()
                ));
            }
            if let Source::Attribute(attribute) = source
                && !(1..=64).contains(&attribute.len())
            {
                return Err(format!("fields.{name}.attribute: the name of an attribute has 1 to 64 bytes"));
            }
        }
        if self.not_object == NotObject::Wrap && self.fields.contains_key(WRAPPED) {
            return Err(format!(
                "fields.{WRAPPED}: `not_object = \"wrap\"` puts the message itself there; choose another name"
            ));
        }
        Ok(())
    }
}

fn fields() -> BTreeMap<String, Source> {
    let fields = [
        ("session", Source::Session),
        ("peer", Source::Peer),
        ("listener", Source::Listener),
        ("time", Source::Time),
    ];
    fields.into_iter().map(|(name, source)| (name.to_owned(), source)).collect()
}
