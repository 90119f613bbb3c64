//! What `/v1/plugins` shows.

use crate::digest::Digest;
use crate::grants::Capability;
use crate::manifest::Manifest;

/// One binding.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BindingStatus {
    /// Its name.
    pub name: Box<str>,
    /// The file that was offered last.
    pub file: Box<str>,
    /// What became of it.
    #[serde(flatten)]
    pub state: BindingState,
    /// When that was, in milliseconds since 1970.
    pub changed_ms: u64,
    /// Digest of what was offered last.
    pub offered: Option<Digest>,
    /// What the binding grants.
    pub grants: Vec<Capability>,
    /// What serves; also where the last offer was refused or the file is gone.
    pub serving: Option<ServingStatus>,
    /// Whether what serves is still watched and may be taken back.
    pub probation: bool,
    /// Whether what serves failed so often in a row that no worker calls it any more.
    pub quarantined: bool,
    /// Log lines that were too many.
    pub dropped_log_lines: u64,
    /// Keys in its store.
    pub kv_keys: usize,
    /// Bytes in its store.
    pub kv_bytes: usize,
}

/// What became of the last offer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
#[non_exhaustive]
pub enum BindingState {
    /// It is being prepared.
    New,
    /// It serves.
    Active,
    /// It does not; what served before does.
    Refused {
        /// Why, with what to do.
        reason: String,
    },
    /// Its file is gone; what served before serves where a chain names it.
    Missing,
}

/// A generation that serves.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ServingStatus {
    /// Its number.
    pub generation: u64,
    /// Of its file.
    #[serde(rename = "sha256")]
    pub digest: Digest,
    /// Of its file, in bytes.
    pub size: usize,
    /// The contract's version that it was built for.
    pub contract: Box<str>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Since when it serves, in milliseconds since 1970.
    pub since_ms: u64,
}
