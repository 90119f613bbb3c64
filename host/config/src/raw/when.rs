//! The filter before a plugin, as it is written.

use crate::field::{Field, List};
use crate::json::Json;
use crate::value::Size;
use crate::words::{DirectionWord, KindWord};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which messages a plugin is called for; all of this must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct When {
    /// Messages of this kind alone.
    pub(crate) kind: Field<KindWord>,
    /// Messages of this direction alone.
    pub(crate) direction: Field<DirectionWord>,
    /// Payloads of so many bytes and more, at most 256 MiB.
    pub(crate) min_size: Field<Size>,
    /// Payloads of at most so many bytes, at most 256 MiB.
    pub(crate) max_size: Field<Size>,
    /// Sessions on these listeners alone.
    #[schemars(with = "Vec<String>")]
    pub(crate) listener: List<String>,
    /// Sessions with these attributes, each of which equals the text beside it.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) attribute: Field<Json>,
    /// Payloads that begin with this text.
    pub(crate) prefix: Field<String>,
    /// Payloads that are JSON and have, at each of these pointers (RFC 6901), the text, number or truth beside it.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) json: Field<Json>,
}
