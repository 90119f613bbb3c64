//! What a binding keeps across its generations: keys and values, metrics, drop reasons, the sum of their counters, the budget of log
//! lines.

mod budgets;
mod kv;
mod ledger;
mod log_budget;
mod metrics;
mod reasons;

pub use budgets::Budget;
pub use kv::{Kv, KvError, MAX_KEY, MAX_VALUE, Room};
pub use metrics::{HistogramReading, MAX_NAMES, Metrics, Reading, Value};
pub use reasons::{DropReasons, MAX_REASONS};

pub(crate) use ledger::Counts;
pub(crate) use log_budget::{Admission, LogBudget};
pub(crate) use metrics::{MetricError, Series, SeriesKind};
pub(crate) use reasons::{Reason, label};

use crate::offload::MAX_THREADS;
use crate::options::RuntimeOptions;
use budgets::BudgetHits;
use ledger::Ledger;
use std::sync::atomic::{AtomicU32, Ordering};
use weir_core::{CallTotals, WorkerId};

/// What a binding keeps for as long as the process knows a binding of that name, whatever is loaded into it.
#[derive(Debug)]
pub struct BindingStore {
    kv: Kv,
    metrics: Metrics,
    reasons: DropReasons,
    ledger: Ledger,
    logs: Box<[LogBudget]>,
    /// Of a binding's own threads; those of two generations with the same number share one for as long as both are there.
    thread_logs: Box<[LogBudget]>,
    hits: BudgetHits,
    reported: AtomicU32,
}

impl BindingStore {
    /// An empty store for as many workers as the runtime has.
    pub fn new(options: &RuntimeOptions) -> Self {
        Self {
            kv: Kv::default(),
            metrics: Metrics::default(),
            reasons: DropReasons::default(),
            ledger: Ledger::new(options.workers),
            // One more: for trying a generation, which no worker does.
            logs: (0..=options.workers).map(|_| LogBudget::default()).collect(),
            thread_logs: (0..MAX_THREADS).map(|_| LogBudget::default()).collect(),
            hits: BudgetHits::default(),
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

    /// What the workers counted about all generations of the binding that there ever were: no counter runs backwards.
    pub fn totals(&self) -> CallTotals {
        self.ledger.totals()
    }

    /// What was counted about each generation that still exists, by number; and about all before them together. The sum is
    /// [`BindingStore::totals`].
    pub fn generations(&self) -> (Vec<(u64, CallTotals)>, CallTotals) {
        self.ledger.read()
    }

    /// Log lines that were dropped because there were too many.
    pub fn dropped_log_lines(&self) -> u64 {
        self.logs.iter().chain(&self.thread_logs).map(LogBudget::dropped).sum()
    }

    /// How often it met a budget, over all workers and generations.
    pub fn budget_hits(&self, budget: Budget) -> u64 {
        self.hits.of(budget)
    }

    pub(crate) fn count_hit(&self, budget: Budget) {
        self.hits.count(budget);
    }

    /// The budget of a worker's lines, or of a thread's; without either that of a trial.
    pub(crate) fn log_budget(&self, worker: Option<WorkerId>, on_thread: bool) -> &LogBudget {
        if let Some(budget) = worker.and_then(|thread| self.thread_logs.get(usize::from(thread.0)))
            && on_thread
        {
            return budget;
        }
        let trial = self.logs.len() - 1;
        &self.logs[worker.map_or(trial, |worker| usize::from(worker.0).min(trial))]
    }

    /// The number of the next generation, from 1, and its counters: a set for each worker, and for each of so many threads of its own.
    pub(crate) fn next_generation(&self, threads: usize) -> (u64, Counts) {
        self.ledger.open(threads)
    }

    /// True the first time that it is asked about this kind of mistake.
    pub(crate) fn first_report(&self, kind: u8) -> bool {
        let bit = 1 << (kind % 32);
        self.reported.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}
