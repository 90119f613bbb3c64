//! Validated plugin settings.

use crate::listener::Pointer;
use crate::offload::Placement;
use crate::rollout::{Pin, Rollback, Rollout};
use crate::words::Grant;
use minisign_verify::PublicKey;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use weir_core::{Direction, Kind, OnFailure};

/// Where plugins come from.
#[derive(Clone, Debug)]
pub struct Plugins {
    /// The watched directory.
    pub dir: PathBuf,
    /// Whether no file named the directory: then it need not exist.
    pub dir_is_default: bool,
    /// Where compiled modules are kept.
    pub cache: Cache,
    /// Where it is kept what must be known after a restart. `Auto`: one directory for each plugin directory.
    pub state: Cache,
    /// Where changes of generations and orders of operators are written down; `None`: nowhere.
    pub audit: Option<PathBuf>,
    /// Whose signatures plugin files need; empty: none.
    pub signed_by: Vec<PublicKey>,
    /// Bytes of the largest file that is looked at, from 1 KiB to 1 GiB.
    pub max_module: usize,
    /// For how long a file may be compiled, from 100 ms to an hour.
    pub compile_time: Duration,
    /// Bytes that compiling may take, from 64 MiB to 64 GiB.
    pub compile_memory: usize,
    /// For how long a binding is remembered whose file is gone and which no chain names, from 1 s to 30 days.
    pub forget_after: Duration,
    /// For every binding that does not say otherwise, and for plugins of an automatic chain. Its `config` is empty.
    pub defaults: PluginSettings,
}

/// Where something is kept: compiled modules, or state. Whoever can write there can run code in the gateway: it must be private.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// A private directory of the user's.
    #[default]
    Auto,
    /// Nowhere: each start begins anew.
    Off,
    /// In this directory.
    Path(PathBuf),
}

/// One use of a plugin.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Unique among bindings; 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// The plugin's file: absolute, or below [`Plugins::dir`].
    pub module: PathBuf,
    /// What it is given.
    pub settings: PluginSettings,
}

/// What a binding is given.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginSettings {
    /// SHA-256 of the only file that is taken; `None`: any.
    pub sha256: Option<[u8; 32]>,
    /// A JSON object; empty when none is given. Not yet checked against the plugin's schema.
    pub config: serde_json::Value,
    /// Capabilities beyond log, clock, attributes and metrics.
    pub grants: BTreeSet<Grant>,
    /// What becomes of a message that the plugin failed on.
    pub on_failure: OnFailure,
    /// Bytes of linear memory, from 64 KiB to 4 GiB.
    pub memory: usize,
    /// Of a call, from 1 ms to 10 s.
    pub deadline: Duration,
    /// Bytes of native stack, from 64 KiB to 1 MiB.
    pub stack: usize,
    /// Table elements of an instance, at most 10,000,000.
    pub max_table: usize,
    /// Calls of the host by one call, from 1 to 100,000,000.
    pub max_host_calls: u32,
    /// Bytes of payloads and effects of one call together.
    pub max_output: usize,
    /// Effects of one call.
    pub max_effects: usize,
    /// Log lines a second.
    pub log_rate: u32,
    /// Whom a new version meets at first.
    pub rollout: Rollout,
    /// Which version open sessions meet.
    pub pin: Pin,
    /// When a new version is taken back.
    pub rollback: Rollback,
    /// Bytes of the key-value store, at most 64 GiB.
    pub kv_bytes: usize,
    /// Keys of the key-value store, at most 1,000,000,000.
    pub kv_keys: usize,
    /// Bytes of messages that it holds on one worker, at most 4 GiB.
    pub max_held: usize,
    /// Bytes of memory from which on an instance is renewed, from 64 KiB to 4 GiB; `None`: three quarters of `memory`.
    pub renew_memory: Option<usize>,
    /// Calls after which an instance is renewed, at least 1.
    pub renew_calls: u64,
    /// Failures in a row after which no worker tries again, at most 1,000; 0: never.
    pub quarantine: u32,
    /// Where it is called.
    pub placement: Placement,
    /// Which messages it is called for; `None`: for all of the plugin's directions.
    pub when: Option<When>,
}

/// What a message must be like for a plugin to be called for it; all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// `None`: of either kind.
    pub kind: Option<Kind>,
    /// `None`: of either direction.
    pub direction: Option<Direction>,
    /// The least and the most bytes of its payload.
    pub size: [usize; 2],
    /// Listeners of its session, each of which is there; empty: any.
    pub listeners: Vec<String>,
    /// What attributes its session has, name and value.
    pub attributes: Vec<(String, String)>,
    /// How its payload begins.
    pub prefix: String,
    /// What its payload, which is JSON, has where: a text, a number or a truth.
    pub json: Vec<(Pointer, serde_json::Value)>,
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self {
            sha256: None,
            config: serde_json::Value::Object(serde_json::Map::new()),
            grants: BTreeSet::new(),
            on_failure: OnFailure::Closed,
            memory: 16 << 20,
            deadline: Duration::from_millis(10),
            stack: 512 << 10,
            max_table: 100_000,
            max_host_calls: 10_000,
            max_output: 256 << 10,
            max_effects: 64,
            log_rate: 100,
            rollout: Rollout::default(),
            pin: Pin::default(),
            rollback: Rollback::default(),
            kv_bytes: 64 << 20,
            kv_keys: 1_000_000,
            max_held: 16 << 20,
            renew_memory: None,
            renew_calls: 10_000_000,
            quarantine: 8,
            placement: Placement::default(),
            when: None,
        }
    }
}
