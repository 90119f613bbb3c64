//! In whose place the new version stands, and what it is given.

use crate::run::spec_of;
use anyhow::{Context, bail};
use std::path::Path;
use std::time::Duration;
use weir_config::{Grant, PluginSettings};
use weir_core::{BindingId, OnFailure};
use weir_plugin::{BindingSpec, PluginLimits};
use weir_recording::{Header, Plugin};

/// Where it stands in the chain that was recorded.
#[derive(Debug)]
pub(super) enum Place {
    /// Where this one stood.
    Of(Box<Plugin>),
    /// Before all others: the recorded chain had nothing like it.
    Added,
}

/// Finds the place.
pub(super) fn place(header: &Header, named: Option<&str>, added: bool) -> anyhow::Result<Place> {
    let names = || {
        let names: Vec<_> = header.plugins.iter().map(|plugin| format!("\"{}\"", plugin.name)).collect();
        names.join(", ")
    };
    if added {
        return Ok(Place::Added);
    }
    match (named, header.plugins.as_slice()) {
        (Some(name), plugins) => match plugins.iter().find(|plugin| plugin.name == name) {
            Some(plugin) => Ok(Place::Of(Box::new(plugin.clone()))),
            None if plugins.is_empty() => {
                bail!("no plugin was recorded: leave --binding away to see what a new one would do")
            }
            None => bail!("no binding \"{name}\" was recorded, only {}", names()),
        },
        (None, []) => Ok(Place::Added),
        (None, [only]) => Ok(Place::Of(Box::new(only.clone()))),
        (None, _) => bail!(
            "the recorded chain has {}: say in whose place the plugin is to stand with --binding NAME, or --added where it is one more",
            names()
        ),
    }
}

/// The specs of what is run.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) place: Place,
    pub(super) new: BindingSpec,
    /// As it was recorded.
    pub(super) old: BindingSpec,
}

impl Bound {
    /// `file`: settings of the new version, as they lie beside a plugin; what it does not say is as recorded, but the config.
    pub(super) fn new(place: Place, file: Option<&Path>) -> anyhow::Result<Self> {
        let recorded = match &place {
            Place::Of(plugin) => settings(plugin)?,
            Place::Added => PluginSettings::default(),
        };
        let given = match file {
            Some(file) => weir_config::sidecar(file, &recorded)
                .map_err(|errors| anyhow::anyhow!("{}", errors.to_string().trim_end()))?,
            None => recorded.clone(),
        };
        let (name, limits) = match &place {
            Place::Of(plugin) => (plugin.name.clone(), limits(plugin)),
            Place::Added => ("new".to_owned(), PluginLimits::default()),
        };
        let spec = |settings: &PluginSettings| spec(&name, &limits, settings);
        Ok(Self { new: spec(&given), old: spec(&recorded), place })
    }

    /// The recorded binding's name, where there is one.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.place {
            Place::Of(plugin) => Some(&plugin.name),
            Place::Added => None,
        }
    }
}

fn settings(plugin: &Plugin) -> anyhow::Result<PluginSettings> {
    let grant = |name: &String| match name.as_str() {
        "kv" => Ok(Grant::Kv),
        "messaging" => Ok(Grant::Messaging),
        "groups" => Ok(Grant::Groups),
        "timers" => Ok(Grant::Timers),
        "random" => Ok(Grant::Random),
        _ => bail!("it was granted {name:?}, of which this weir knows nothing; use a newer one"),
    };
    let whole = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(PluginSettings {
        config: plugin.config.clone().unwrap_or_else(|| PluginSettings::default().config),
        grants: plugin
            .grants
            .iter()
            .map(grant)
            .collect::<anyhow::Result<_>>()
            .context("the recorded binding")?,
        on_failure: match plugin.on_failure.as_str() {
            "open" => OnFailure::Open,
            "close" => OnFailure::Close,
            _ => OnFailure::Closed,
        },
        memory: whole(plugin.limits.memory),
        deadline: Duration::from_micros(plugin.limits.deadline_us),
        max_output: whole(plugin.limits.max_output),
        max_effects: whole(plugin.limits.max_effects),
        max_table: whole(plugin.limits.table_elements),
        ..PluginSettings::default()
    })
}

/// What no file beside a plugin says.
fn limits(plugin: &Plugin) -> PluginLimits {
    PluginLimits {
        setup_deadline: Duration::from_micros(plugin.limits.setup_deadline_us),
        ..PluginLimits::default()
    }
}

fn spec(name: &str, limits: &PluginLimits, settings: &PluginSettings) -> BindingSpec {
    let mut spec = spec_of(BindingId(0), &name.into(), settings);
    // What is replayed is named on the command line.
    spec.sha256 = None;
    spec.limits.setup_deadline = limits.setup_deadline;
    spec
}
