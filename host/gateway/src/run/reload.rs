//! The configuration is read again, while everything runs.
//!
//! What can change in a running process changes at once, with one snapshot; what cannot stays as it was, and is named. A configuration
//! that is wrong, or whose plugins would not serve, changes nothing.

use super::assemble;
use super::keeper::{Keeper, by_file, read};
use serde_json::json;
use std::sync::Arc;
use weir_config::{Applies, ChainSpec, Config, PluginSettings};
use weir_core::ListenerPolicy;
use weir_plugin::Generation;

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// Nothing differs.
    Unchanged,
    /// In force, line by line; and what waits for a restart.
    Changed { live: Vec<String>, restart: Vec<String> },
    /// Everything is as it was.
    Refused(String),
}

impl Reloaded {
    pub(crate) const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// The body of the admin server's answer.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Unchanged => json!({ "result": "unchanged", "live": [], "restart": [] }),
            Self::Changed { live, restart } => {
                json!({ "result": "reloaded", "live": live, "restart": restart })
            }
            Self::Refused(error) => json!({ "result": "refused", "error": error }),
        }
    }

    fn log(&self) {
        match self {
            Self::Unchanged => tracing::info!("configuration read again: nothing has changed"),
            Self::Changed { live, restart } => {
                tracing::info!(live = live.join("; "), "configuration reloaded");
                if !restart.is_empty() {
                    tracing::warn!(
                        restart = restart.join("; "),
                        "some of the configuration waits for a restart: it is as it was"
                    );
                }
            }
            Self::Refused(error) => {
                tracing::error!("configuration not reloaded, everything is as it was: {}", error.trim_end());
            }
        }
    }
}

impl Keeper {
    /// Reads the configuration again. What it says goes to the log too.
    pub(super) fn reload(&mut self) -> Reloaded {
        let reloaded = self.try_reload().unwrap_or_else(Reloaded::Refused);
        reloaded.log();
        reloaded
    }

    fn try_reload(&mut self) -> Result<Reloaded, String> {
        let Some(files) = &mut self.files else {
            return Err(
                "the gateway was started without a configuration file: there is nothing to read".into()
            );
        };
        files.take();
        let new = weir_config::load(files.path()).map_err(|errors| errors.report(false))?;
        let changes = self.config.diff(&new);
        if changes.is_empty() {
            return Ok(Reloaded::Unchanged);
        }
        let taken = self.config.take_up(&new);
        let serving = self.try_out(&taken)?;
        self.take_up(taken);
        // Until here they kept their compiled modules.
        drop(serving);
        let lines = |applies| {
            let fitting = changes.iter().filter(move |change| change.applies == applies);
            fitting.map(ToString::to_string).collect()
        };
        Ok(Reloaded::Changed { live: lines(Applies::Live), restart: lines(Applies::Restart) })
    }

    /// Tries every binding that would be another, without anybody noticing.
    fn try_out(&self, new: &Config) -> Result<Vec<Arc<Generation>>, String> {
        let named = by_file(new);
        let mut files: Vec<String> = self.present.keys().chain(named.keys()).cloned().collect();
        files.sort();
        files.dedup();
        let chains = new.listeners.iter().filter_map(|listener| match &listener.chain {
            ChainSpec::Named(names) => Some(names),
            ChainSpec::Auto => None,
        });
        let wanted: Vec<&String> = chains.flatten().collect();
        let mut tried = Vec::new();
        let mut good: Vec<Arc<str>> = Vec::new();
        for file in files {
            let path = self.directory.path().join(&file);
            let before = self.bindings_of(&file, &self.named, &self.defaults);
            for (name, settings) in self.bindings_of(&file, &named, &new.plugins.defaults) {
                let same = before
                    .iter()
                    .any(|(other, before)| *other == name && is_same_but_rollout(&name, before, &settings));
                if same && self.catalogue.serving(&name).is_some() {
                    good.push(name);
                    continue;
                }
                let tried_out = settings.and_then(|settings| {
                    let bytes = read(&path, self.max_module).map_err(|refusal| refusal.to_string())?;
                    let spec = super::spec_of(weir_core::BindingId(0), &name, &settings);
                    self.catalogue.try_out(&bytes, &spec).map_err(|refusal| refusal.to_string())
                });
                let matters =
                    wanted.iter().any(|wanted| **wanted == *name) || self.catalogue.serving(&name).is_some();
                match tried_out {
                    Ok(generation) => {
                        tried.push(generation);
                        good.push(name);
                    }
                    Err(reason) if matters => return Err(format!("plugin \"{name}\": {reason}")),
                    // What did not serve before, and nobody names, is told of as ever.
                    Err(_) => {}
                }
            }
        }
        match wanted.into_iter().find(|wanted| !good.iter().any(|name| **name == ***wanted)) {
            Some(name) => Err(format!(
                "plugin \"{name}\": its file is not there; put it there, or take it out of the chains"
            )),
            None => Ok(tried),
        }
    }

    /// Puts a configuration in force. The next snapshot has it.
    fn take_up(&mut self, new: Config) {
        let gone: Vec<_> = self
            .config
            .bindings
            .iter()
            .map(|binding| binding.name.clone())
            .filter(|name| !new.bindings.iter().any(|binding| binding.name == *name))
            .collect();
        self.defaults = new.plugins.defaults.clone();
        self.named = by_file(&new);
        self.directory.also(super::directory::also(self.named.keys()));
        self.chains = new.listeners.iter().map(|listener| listener.chain.clone()).collect();
        let policies = assemble::listener_policies(&new, &self.tokens, self.workers);
        let both = self.config.listeners.iter().zip(&new.listeners);
        for ((now, then), (old, new)) in self.base.listeners.iter_mut().zip(policies).zip(both) {
            // What is known by its place stays where it is, if it says the same.
            let conflate = if old.conflate == new.conflate { now.conflate.take() } else { then.conflate };
            *now = ListenerPolicy { conflate, resume: now.resume.take(), ..then };
        }
        self.config = new;
        let mut files: Vec<String> = self.present.keys().chain(self.named.keys()).cloned().collect();
        files.sort();
        files.dedup();
        for file in files {
            if self.directory.path().join(&file).is_file() {
                self.offer(&file);
            }
        }
        let present: Vec<_> = self.present.values().flatten().cloned().collect();
        for name in gone.iter().filter(|name| !present.iter().any(|present| **present == ***name)) {
            self.forget(name);
        }
    }
}

/// Whether what serves goes on as it is: how the next version takes over is nothing to try.
fn is_same_but_rollout(
    name: &Arc<str>,
    one: &Result<PluginSettings, String>,
    two: &Result<PluginSettings, String>,
) -> bool {
    match (one, two) {
        (Ok(one), Ok(two)) => {
            let spec = |settings| super::spec_of(weir_core::BindingId(0), name, settings);
            spec(one).is_same_but_rollout(&spec(two))
        }
        _ => one == two,
    }
}
