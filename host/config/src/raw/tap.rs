//! What is shown of messages, as it is written.

use crate::field::{Field, List};
use crate::words::TapPayload;
use schemars::JsonSchema;
use serde::Deserialize;

/// What `weir tap` may show of messages.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Tap {
    /// "on", or "off": sizes and verdicts are shown, payloads are not, whoever asks.
    #[schemars(extend("default" = "on"))]
    pub(crate) payload: Field<TapPayload>,
    /// Places in JSON payloads (RFC 6901) whose values are not shown, whoever asks: "/password", "/cards/*/number", where "*" is every
    /// member or item. Payloads that are not JSON, or longer than 64 KiB, are then not shown at all. At most 64.
    #[schemars(with = "Vec<String>", extend("default" = []))]
    pub(crate) redact: List<String>,
}
