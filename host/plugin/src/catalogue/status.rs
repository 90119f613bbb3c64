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
    /// Whether what serves everybody is still watched and may be taken back.
    pub probation: bool,
    /// Generations that were taken back since the process began.
    pub taken_back: u64,
    /// What is on trial: a canary, else what serves everybody.
    pub rollout: Option<RolloutStatus>,
    /// Generations that were replaced and keep the sessions that began with them.
    pub pinned: Vec<PinnedStatus>,
    /// Files that were taken back, and are not tried again with the same settings until they are accepted; the newest last.
    pub refused: Vec<RefusedStatus>,
    /// Whether what serves everybody failed so often in a row that no worker calls it any more.
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
    /// It serves a share of the sessions, on trial.
    Trying,
    /// It does not; what served before does.
    Refused {
        /// Why, with what to do.
        reason: String,
    },
    /// Its file is gone; what served before serves where a chain names it.
    Missing,
}

/// A generation on trial.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RolloutStatus {
    /// Its number.
    pub generation: u64,
    /// Of its file.
    #[serde(rename = "sha256")]
    pub digest: Digest,
    /// The plugin's own version.
    pub version: Box<str>,
    /// Of the sessions, from 0 to 1.
    pub share: f64,
    /// How much of its time is left, in milliseconds.
    pub left_ms: u64,
    /// What the last look found: within, or outside and why.
    pub band: Box<str>,
    /// Looks on end that found it outside.
    pub strikes: u32,
}

/// A generation that keeps its sessions.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PinnedStatus {
    /// Its number.
    pub generation: u64,
    /// For how long it does, in milliseconds.
    pub left_ms: u64,
}

/// A file that was taken back.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RefusedStatus {
    /// Of the file.
    #[serde(rename = "sha256")]
    pub digest: Box<str>,
    /// Why.
    pub reason: Box<str>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
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
