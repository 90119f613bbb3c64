//! Bindings that come and go must not be remembered for ever.

use super::keeper::Keeper;
use std::sync::Arc;
use std::time::Instant;
use weir_config::ChainSpec;

/// Bindings whose files are gone and that are remembered all the same, at most.
const MOST_GONE: usize = 64;

impl Keeper {
    /// Forgets bindings whose files have been gone for long, or that are too many, unless a chain or the configuration names them.
    pub(super) fn forget_gone(&mut self, now: Instant) {
        let named = self.config.bindings.iter().map(|binding| binding.name.as_str());
        let chains = self.chains.iter().filter_map(|chain| match chain {
            ChainSpec::Named(names) => Some(names.iter().map(String::as_str)),
            ChainSpec::Auto => None,
        });
        let kept: Vec<&str> = named.chain(chains.flatten()).collect();
        let mut gone: Vec<_> = self.gone.iter().filter(|(name, _)| !kept.contains(&&***name)).collect();
        gone.sort_by_key(|(_, since)| std::cmp::Reverse(**since));
        let old = |since: &Instant| now.saturating_duration_since(*since) >= self.config.plugins.forget_after;
        let forgotten: Vec<Arc<str>> = gone
            .into_iter()
            .enumerate()
            .filter(|(at, (_, since))| *at >= MOST_GONE || old(since))
            .map(|(_, (name, _))| name.clone())
            .collect();
        for name in &forgotten {
            self.forget(name);
        }
    }

    /// Forgets a binding: its keys and values, its counters, its generation.
    pub(super) fn forget(&mut self, name: &str) {
        self.gone.remove(name);
        self.ids.forget(name);
        if self.catalogue.forget(name) {
            tracing::info!(plugin = name, "plugin forgotten, with its keys and values");
        }
    }
}
