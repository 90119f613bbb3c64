//! Bindings and their settings.

use super::{Check, SECOND, Seen};
use crate::field::Field;
use crate::value::{Sha256, Size};
use crate::words::FailureWord;
use crate::{Binding, PluginSettings, Plugins, raw};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use weir_core::OnFailure;

/// The least memory of an instance: one page of WebAssembly.
const MIN_MEMORY: usize = 64 << 10;
/// The least and the most native stack of a call: a worker's thread has twice as much.
const STACK: RangeInclusive<usize> = 64 << 10..=1 << 20;
/// The most memory of an instance: all that 32 bits address.
const MAX_MEMORY: usize = 4 << 30;

impl Check<'_> {
    pub(super) fn bindings(&mut self, raw: &[Spanned<raw::Plugin>], plugins: &Plugins) -> Vec<Binding> {
        let mut names = Seen::default();
        raw.iter().filter_map(|plugin| self.binding(plugin, plugins, &mut names)).collect()
    }

    fn binding(
        &mut self,
        raw: &Spanned<raw::Plugin>,
        plugins: &Plugins,
        names: &mut Seen,
    ) -> Option<Binding> {
        let (place, raw) = (raw.span(), raw.get_ref());
        let settings = self.settings(&raw.settings(), &plugins.defaults);
        let written = self.read(&raw.name, "name");
        let module = self.read(&raw.module, "module");
        if let Some((module, span)) = module
            && Path::new(module).extension().is_none_or(|extension| extension != "wasm")
        {
            let shown = module.escape_debug();
            self.blame(span, format!("`module` must be a file that ends in \".wasm\", not \"{shown}\""));
        }
        let name = binding_name(raw)?;
        if let Some((_, span)) = written.or(module) {
            self.name(&name, span, "name");
        }
        let span = written.or(module).map_or(&place, |(_, span)| span);
        self.differ(names, &name, span, format!("two plugins are called \"{name}\""));
        Some(Binding { name, module: plugins.dir.join(module?.0), settings })
    }

    /// The settings; what is left out is as in `defaults`, except the config, which belongs to one plugin alone.
    pub(crate) fn settings(&mut self, raw: &raw::Settings, defaults: &PluginSettings) -> PluginSettings {
        let grants = self.list(raw.grants.as_ref(), "grants");
        let on_failure = self.read(&raw.on_failure, "on_failure").map(|(word, _)| match word {
            FailureWord::Closed => OnFailure::Closed,
            FailureWord::Open => OnFailure::Open,
            FailureWord::Close => OnFailure::Close,
        });
        PluginSettings {
            sha256: self.read(&raw.sha256, "sha256").map(|(Sha256(digest), _)| *digest),
            config: self
                .read(&raw.config, "config")
                .map_or_else(|| PluginSettings::default().config, |(config, _)| config.0.clone()),
            grants: grants.map_or_else(
                || defaults.grants.clone(),
                |grants| grants.iter().map(|(grant, _)| **grant).collect(),
            ),
            on_failure: on_failure.unwrap_or(defaults.on_failure),
            memory: self.size(&raw.memory, "memory", MIN_MEMORY..=MAX_MEMORY, defaults.memory),
            deadline: self.time(
                &raw.deadline,
                "deadline",
                Duration::from_millis(1)..=10 * SECOND,
                defaults.deadline,
            ),
            stack: self.size(&raw.stack, "stack", STACK, defaults.stack),
            max_table: self.count(&raw.max_table, "max_table", 0..=10_000_000, defaults.max_table as u64)
                as usize,
            max_host_calls: self.count(
                &raw.max_host_calls,
                "max_host_calls",
                1..=100_000_000,
                defaults.max_host_calls.into(),
            ) as u32,
            max_output: self.size(&raw.max_output, "max_output", 1..=super::MAX_MESSAGE, defaults.max_output),
            max_effects: self.count(&raw.max_effects, "max_effects", 0..=65_536, defaults.max_effects as u64)
                as usize,
            log_rate: self.count(&raw.log_rate, "log_rate", 0..=100_000, defaults.log_rate.into()) as u32,
            rollout: self.rollout(raw, &defaults.rollout),
            pin: self.pin(raw, &defaults.pin),
            rollback: self.rollback(&raw.rollback, &defaults.rollback),
            kv_bytes: self.size(&raw.kv_bytes, "kv_bytes", 0..=64 << 30, defaults.kv_bytes),
            kv_keys: self.count(&raw.kv_keys, "kv_keys", 0..=1_000_000_000, defaults.kv_keys as u64) as usize,
            max_held: self.size(&raw.max_held, "max_held", 0..=4 << 30, defaults.max_held),
            renew_memory: self.renew_memory(&raw.renew_memory).or(defaults.renew_memory),
            renew_calls: self.count(&raw.renew_calls, "renew_calls", 1..=u64::MAX >> 1, defaults.renew_calls),
            quarantine: self.count(&raw.quarantine, "quarantine", 0..=1000, defaults.quarantine.into())
                as u32,
            placement: self.placement(raw, &defaults.placement),
            when: raw.when.as_ref().map(|when| self.when(when.get_ref())),
        }
    }
}

impl Check<'_> {
    /// Without a default of its own: it follows the memory.
    fn renew_memory(&mut self, raw: &Field<Size>) -> Option<usize> {
        self.read(raw, "renew_memory")?;
        Some(self.size(raw, "renew_memory", MIN_MEMORY..=MAX_MEMORY, MAX_MEMORY))
    }
}

/// A binding's name: its own, or the stem of its module; `None` where neither can be read.
pub(super) fn binding_name(raw: &raw::Plugin) -> Option<String> {
    if let Some(written) = &raw.name.0 {
        return written.value.as_ref().ok().cloned();
    }
    let module = raw.module.0.as_ref()?.value.as_ref().ok()?;
    Some(Path::new(module).file_stem()?.to_str()?.to_owned())
}
