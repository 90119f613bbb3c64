//! What became of plugins, told to whoever reads the log, and to the audit log.

use super::audit::By;
use super::keeper::Keeper;
use weir_plugin::{Change, Outcome, Refusal};

impl Keeper {
    /// Tells the log and the audit log what became of bindings. True if a chain may have changed.
    pub(super) fn log(&self, outcomes: Vec<Outcome>, by: &By) -> bool {
        let mut changed = false;
        for outcome in outcomes {
            // It is logged and counted there.
            let _ = self.audit.write(&outcome, by);
            changed |= self.tell(&outcome);
        }
        changed
    }

    /// Tells the log alone. True if a chain may have changed.
    pub(super) fn tell(&self, Outcome { binding, change, .. }: &Outcome) -> bool {
        let plugin = &**binding;
        let mut changed = true;
        match change {
            Change::Unchanged => changed = false,
            Change::Swapped(generation) => {
                let manifest = generation.manifest();
                tracing::info!(
                    plugin,
                    generation = generation.number(),
                    name = &*manifest.name,
                    version = &*manifest.version,
                    sha256 = %generation.digest(),
                    "plugin serves"
                );
            }
            Change::Trying { generation, share, window } => {
                tracing::info!(
                    plugin,
                    generation = generation.number(),
                    version = &*generation.manifest().version,
                    sha256 = %generation.digest(),
                    share,
                    window_ms = window.as_millis() as u64,
                    "plugin on trial with a share of the sessions"
                );
            }
            Change::Promoted(generation) => {
                tracing::info!(
                    plugin,
                    generation = generation.number(),
                    "plugin stood its trial: it serves all sessions"
                );
            }
            Change::TakenBack { bad, serving, refusal } => {
                tracing::error!(
                    plugin,
                    generation = bad.number(),
                    serving = serving.number(),
                    sha256 = %bad.digest(),
                    "plugin taken back: {refusal}"
                );
            }
            Change::Drained(generation) => {
                tracing::info!(
                    plugin,
                    generation = generation.number(),
                    "the sessions of a replaced generation meet the newest from now on"
                );
            }
            Change::Refused(refusal @ Refusal::Pinned { .. }) => {
                changed = false;
                tracing::warn!(plugin, "plugin waits: {refusal}");
            }
            Change::Refused(refusal) => {
                changed = false;
                let serving = self.catalogue.serving(plugin).map(|generation| generation.number());
                let then = match serving {
                    Some(_) => "the generation before it serves on",
                    None => "it gets no traffic",
                };
                tracing::error!(plugin, serving, "plugin refused: {refusal} ({then})");
            }
            Change::Missing => {
                tracing::warn!(
                    plugin,
                    "plugin file is gone: automatic chains go on without it, named ones with its last generation"
                );
            }
            Change::Restored(generation) => {
                tracing::info!(
                    plugin,
                    generation = generation.number(),
                    version = &*generation.manifest().version,
                    sha256 = %generation.digest(),
                    "the version that served before serves again"
                );
            }
            Change::Disabled => tracing::warn!(plugin, "plugin disabled: messages pass without it"),
            Change::Enabled => tracing::info!(plugin, "plugin enabled"),
            Change::RolledBack { bad, serving } => {
                tracing::warn!(
                    plugin,
                    generation = bad.number(),
                    serving = serving.number(),
                    sha256 = %bad.digest(),
                    "plugin taken back by an operator"
                );
            }
            Change::Pinned { serving, .. } => {
                tracing::info!(
                    plugin,
                    generation = serving.number(),
                    sha256 = %serving.digest(),
                    "plugin pinned: it serves whatever is offered"
                );
            }
            Change::Unpinned => tracing::info!(plugin, "plugin no longer pinned"),
            Change::Accepted(_) => tracing::info!(plugin, "what was taken back may be tried again"),
            Change::Forgotten => tracing::info!(plugin, "plugin forgotten, with its keys and values"),
            _ => {}
        }
        changed
    }
}
