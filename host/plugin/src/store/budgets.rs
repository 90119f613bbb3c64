//! How often a binding met each of its budgets.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something that a binding may use only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Budget {
    /// `memory`.
    Memory,
    /// `max_table`.
    Table,
    /// `stack`.
    Stack,
    /// `deadline`.
    Deadline,
    /// `max_host_calls`.
    HostCalls,
    /// `max_output`.
    Output,
    /// `max_effects`.
    Effects,
    /// `kv_bytes`, `kv_keys`.
    Kv,
}

impl Budget {
    /// All, in the order of their counters. Log lines and held bytes have counters of their own.
    pub const ALL: [Self; 8] = [
        Self::Memory,
        Self::Table,
        Self::Stack,
        Self::Deadline,
        Self::HostCalls,
        Self::Output,
        Self::Effects,
        Self::Kv,
    ];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Stack => "stack",
            Self::Deadline => "deadline",
            Self::HostCalls => "host_calls",
            Self::Output => "output",
            Self::Effects => "effects",
            Self::Kv => "kv",
        }
    }
}

/// Of all workers together: what is met rarely may be counted in one place.
#[derive(Debug, Default)]
pub(crate) struct BudgetHits([AtomicU64; Budget::ALL.len()]);

impl BudgetHits {
    pub(crate) fn count(&self, budget: Budget) {
        self.0[budget as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, budget: Budget) -> u64 {
        self.0[budget as usize].load(Ordering::Relaxed)
    }
}
