//! Validated plugin settings.

use crate::listener::Pointer;
use crate::words::Grant;
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
    /// For every binding that does not say otherwise, and for plugins of an automatic chain. Its `config` is empty.
    pub defaults: PluginSettings,
}

/// Where compiled modules are kept. Whoever can write there can run native code in the gateway: it must be private.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// A private directory of the user's cache.
    #[default]
    Auto,
    /// Nowhere: modules are compiled at each start.
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
    /// Bytes of payloads and effects of one call together.
    pub max_output: usize,
    /// Effects of one call.
    pub max_effects: usize,
    /// Log lines a second.
    pub log_rate: u32,
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
            config: serde_json::Value::Object(serde_json::Map::new()),
            grants: BTreeSet::new(),
            on_failure: OnFailure::Closed,
            memory: 16 << 20,
            deadline: Duration::from_millis(10),
            max_output: 256 << 10,
            max_effects: 64,
            log_rate: 100,
            when: None,
        }
    }
}
