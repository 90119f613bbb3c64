//! What a binding keeps across its generations: keys and values, metrics, drop reasons, counters, the budget of log lines.

mod kv;
mod log_budget;
mod metrics;
mod reasons;

pub use kv::{Kv, KvError, MAX_KEY, MAX_VALUE};
pub use metrics::{HistogramReading, MAX_NAMES, Metrics, Reading, Value};
pub use reasons::{DropReasons, MAX_REASONS};

pub(crate) use log_budget::{Admission, LogBudget};
pub(crate) use metrics::{MetricError, Series, SeriesKind};
pub(crate) use reasons::{Reason, label};

use crate::options::RuntimeOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use weir_core::{CallStats, WorkerId};

/// What a binding keeps for as long as the process knows a binding of that name, whatever is loaded into it.
#[derive(Debug)]
pub struct BindingStore {
    kv: Kv,
    metrics: Metrics,
    reasons: DropReasons,
    stats: Arc<[CallStats]>,
    logs: Box<[LogBudget]>,
    generations: AtomicU64,
    reported: AtomicU32,
}

impl BindingStore {
    /// An empty store for as many workers as the runtime has.
    pub fn new(options: &RuntimeOptions) -> Self {
        Self {
            kv: Kv::new(options.kv_bytes, options.kv_keys),
            metrics: Metrics::default(),
            reasons: DropReasons::default(),
            stats: (0..options.workers).map(|_| CallStats::default()).collect(),
            // One more: for trying a generation, which no worker does.
            logs: (0..=options.workers).map(|_| LogBudget::default()).collect(),
            generations: AtomicU64::new(0),
            reported: AtomicU32::new(0),
        }
    }

    /// Keys and values.
    pub fn kv(&self) -> &Kv {
        &self.kv
    }

    /// What the plugin counts and measures itself.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The plugin's own words for why it dropped messages, and how often.
    pub fn drop_reasons(&self) -> &DropReasons {
        &self.reasons
    }

    /// What the workers count, one set for each; the same for all generations, so that no counter runs backwards.
    pub fn stats(&self) -> &Arc<[CallStats]> {
        &self.stats
    }

    /// Log lines that were dropped because there were too many.
    pub fn dropped_log_lines(&self) -> u64 {
        self.logs.iter().map(LogBudget::dropped).sum()
    }

    /// The budget of a worker's lines; without a worker that of a trial.
    pub(crate) fn log_budget(&self, worker: Option<WorkerId>) -> &LogBudget {
        let trial = self.logs.len() - 1;
        &self.logs[worker.map_or(trial, |worker| usize::from(worker.0).min(trial))]
    }

    /// The number of the next generation, from 1.
    pub(crate) fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// True the first time that it is asked about this kind of mistake.
    pub(crate) fn first_report(&self, kind: u8) -> bool {
        let bit = 1 << (kind % 32);
        self.reported.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Counts an effect that was refused. Only the worker itself writes its counter.
    pub(crate) fn count_refused_effect(&self, worker: Option<WorkerId>) {
        if let Some(stats) = worker.and_then(|worker| self.stats.get(usize::from(worker.0))) {
            stats.refused_effects.add(1);
        }
    }
}
