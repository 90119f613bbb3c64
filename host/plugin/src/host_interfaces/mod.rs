//! What a plugin can call, one file a capability, and the state behind it.

mod attributes;
mod clock;
mod deferred;
mod groups;
mod kv;
mod log;
mod messaging;
mod metrics;
mod random;
mod timers;

use crate::clock::Clock;
use crate::contract::v0_1::Torn;
use crate::deadline::Deadline;
use crate::limiter::Limiter;
use crate::limits::PluginLimits;
use crate::store::{BindingStore, Reason, Series, label};
use deferred::Deferred;
use random::Chance;
use std::collections::HashMap;
use std::sync::Arc;
use weir_core::{Attributes, CallStats, Directory, Effect, SessionId, WorkerId};

/// The state of one instance outside its sandbox.
///
/// Invariant: between calls `effects` is empty and `session` is `None`.
pub(crate) struct Host {
    pub(crate) limiter: Limiter,
    pub(crate) deadline: Deadline,
    pub(crate) limits: PluginLimits,
    pub(crate) store: Arc<BindingStore>,
    /// The generation's counters; none while it is tried.
    pub(crate) stats: Arc<[CallStats]>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Clock,
    chance: Chance,
    /// Whose instance it is; `None` while a generation is tried.
    pub(crate) worker: Option<WorkerId>,
    /// It is the number of a thread of the binding's own.
    pub(crate) on_thread: bool,
    pub(crate) binding: Arc<str>,
    pub(crate) generation: u64,
    /// What may be asked for now.
    pub(crate) phase: Phase,
    /// The session in hand.
    pub(crate) session: Option<(SessionId, Attributes)>,
    /// What the call asked for so far.
    pub(crate) effects: Vec<Effect>,
    /// What a call for several messages wrote and measured; see [`deferred`].
    deferred: Option<Deferred>,
    /// Bytes that the call gave so far.
    output: usize,
    /// How often the call called the host so far.
    calls: u32,
    /// Reasons that this instance gave before, so that the shared list is not locked for them.
    reasons: Vec<Arc<Reason>>,
    /// Metrics that it used before, likewise.
    series: HashMap<Box<str>, Arc<Series>>,
}

/// What the instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Starting, describing itself, or being configured: it may set its timer and nothing else.
    Setup,
    /// Serving a call.
    Call,
}

/// How a plugin broke its limits or the contract inside a call of the host; the call traps.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    #[error("{0} is not allowed while the plugin is configured; only timers.every is")]
    EffectInSetup(&'static str),
    #[error("the call called the host more than {0} times; max_host_calls raises the limit")]
    HostCalls(u32),
    #[error("the call asked for more than {0} effects; max_effects raises the limit")]
    Effects(usize),
    #[error("the call gave more than {0} bytes of output; max_output raises the limit")]
    Output(usize),
    #[error("{0}")]
    Answer(String),
    #[error(transparent)]
    Kv(#[from] crate::store::KvError),
    #[error(transparent)]
    Torn(#[from] Torn),
    #[error("it logged or measured too much for a call that may have to be taken back")]
    Deferred,
    #[error("the system has no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Mistakes that cost the plugin an effect or a metric, but not the call; each is logged once a binding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mistake {
    GatewayAttribute = 0,
    AttributeTooLong = 1,
    GroupName = 2,
    TimerTooShort = 3,
    Metric = 4,
}

impl Host {
    pub(crate) fn new(parts: HostParts) -> Self {
        let HostParts { limits, store, stats, directory, clock, worker, on_thread, binding, generation } =
            parts;
        Self {
            limiter: Limiter::new(&limits),
            deadline: Deadline::default(),
            limits,
            store,
            stats,
            directory,
            chance: Chance::of(clock.script()),
            clock,
            worker,
            on_thread,
            binding,
            generation,
            phase: Phase::Setup,
            session: None,
            effects: Vec::new(),
            deferred: None,
            output: 0,
            calls: 0,
            reasons: Vec::new(),
            series: HashMap::new(),
        }
    }

    /// Before each call.
    pub(crate) fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.output = 0;
        self.calls = 0;
        self.limiter.begin();
    }

    /// Before each of several answers: what one may give is what an answer alone may.
    pub(crate) fn answer_begins(&mut self) {
        self.output = 0;
    }

    /// Counts a call of the host: the first thing that each of its functions does.
    pub(crate) fn step(&mut self) -> Result<(), Breach> {
        self.calls += 1;
        if self.calls > self.limits.host_calls {
            Err(Breach::HostCalls(self.limits.host_calls))
        } else {
            Ok(())
        }
    }

    /// Counts bytes that the plugin gives.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Breach> {
        self.output = self.output.saturating_add(bytes);
        if self.output > self.limits.max_output {
            Err(Breach::Output(self.limits.max_output))
        } else {
            Ok(())
        }
    }

    /// Takes an effect that carries so many bytes.
    pub(crate) fn ask(&mut self, what: &'static str, bytes: usize, effect: Effect) -> Result<(), Breach> {
        if self.phase == Phase::Setup && !matches!(effect, Effect::Every { .. }) {
            return Err(Breach::EffectInSetup(what));
        }
        self.spend(bytes)?;
        if self.effects.len() >= self.limits.max_effects {
            return Err(Breach::Effects(self.limits.max_effects));
        }
        self.effects.push(effect);
        Ok(())
    }

    /// Refuses an effect without failing the call.
    pub(crate) fn refuse(&mut self, mistake: Mistake, why: &dyn std::fmt::Display) {
        // Only the worker itself writes its counter.
        if let Some(stats) = self.worker.and_then(|worker| self.stats.get(usize::from(worker.0))) {
            stats.refused_effects.add(1);
        }
        self.report(mistake, why);
    }

    /// Says once what the plugin does wrong.
    pub(crate) fn report(&mut self, mistake: Mistake, why: &dyn std::fmt::Display) {
        if self.store.first_report(mistake as u8) {
            tracing::warn!(
                target: "weir::plugin",
                plugin = %self.binding,
                generation = self.generation,
                "{why}; further ones are only counted"
            );
        }
    }

    /// A reason of the plugin's own, as it will be counted.
    pub(crate) fn drop_reason(&self, text: &str) -> Arc<str> {
        let known = self.reasons.iter().find(|reason| &*reason.name == text);
        known.map_or_else(|| label(text).into(), |reason| reason.name.clone())
    }

    /// Counts a drop by the plugin's own reason.
    pub(crate) fn count_drop(&mut self, text: &str) -> Arc<str> {
        let known = self.reasons.iter().find(|reason| &*reason.name == text).cloned();
        let reason = known.unwrap_or_else(|| {
            let reason = self.store.drop_reasons().intern(text);
            if &*reason.name == text {
                self.reasons.push(reason.clone());
            }
            reason
        });
        reason.count();
        reason.name.clone()
    }
}

/// What a [`Host`] is made of.
pub(crate) struct HostParts {
    pub(crate) limits: PluginLimits,
    pub(crate) store: Arc<BindingStore>,
    /// The generation's counters; none while it is tried.
    pub(crate) stats: Arc<[CallStats]>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Clock,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) on_thread: bool,
    pub(crate) binding: Arc<str>,
    pub(crate) generation: u64,
}

impl crate::contract::v0_1::imports::types::Host for Host {}
