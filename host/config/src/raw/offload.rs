//! Threads of a plugin that is not called on workers, as they are written.

use crate::field::Field;
use crate::value::{Size, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// The threads of a plugin with `placement = "offload"`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Offload {
    /// How many there are, from 1 to 64. Each has an instance with the memory that the plugin may have; of a session all goes to one.
    #[schemars(extend("default" = 1))]
    pub(crate) threads: Field<u64>,
    /// Calls that wait for each thread, from 1 to 1,000,000. What comes beyond that meets `on_failure`.
    #[schemars(extend("default" = 1024))]
    pub(crate) queue: Field<u64>,
    /// Bytes of the messages that wait for each thread, from 64 KiB to 4 GiB. A longer message is taken when nothing else waits.
    #[schemars(extend("default" = "16MiB"))]
    pub(crate) queue_bytes: Field<Size>,
    /// For how long a message waits for its call to begin, from 10 ms to 10 minutes. Then it meets `on_failure`.
    #[schemars(extend("default" = "10s"))]
    pub(crate) queue_wait: Field<Time>,
}
