//! What all tasks know of each other, and what they count.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counts and orders.
#[derive(Debug, Default)]
pub(crate) struct Board {
    begun: AtomicBool,
    stopped: AtomicBool,
    /// Of clients whose every message comes back.
    pub(crate) echoed: Count,
    /// Published to the group of the honest, and what its members got of it.
    pub(crate) published: Count,
    pub(crate) members: AtomicU64,
    pub(crate) members_done: AtomicU64,
    /// Sent through the plugin that traps, and what came back.
    pub(crate) risked: Count,
    /// Sent to the upstream that fails, and what came back.
    pub(crate) upstream: Count,
    /// Of sessions that were taken back, and how often.
    pub(crate) returning: Count,
    pub(crate) returns: AtomicU64,
    /// Of peers that come and go: sessions, and messages.
    pub(crate) visits: AtomicU64,
    pub(crate) visited: Count,
    /// Peers that broke a rule, and those that ended without a word.
    pub(crate) broken: AtomicU64,
    pub(crate) resets: AtomicU64,
    /// Peers that say nothing, and those that read nothing.
    pub(crate) silent: AtomicU64,
    pub(crate) slow: AtomicU64,
    pub(crate) flooded: AtomicU64,
    /// Times that the upstream died.
    pub(crate) outages: AtomicU64,
    /// The longest way there and back of an honest message, in microseconds.
    longest: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// Messages there and back.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
}

impl Count {
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    pub(crate) fn send(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn receive(&self) {
        self.received.fetch_add(1, Ordering::SeqCst);
    }
}

impl Board {
    /// All members of the group are there: what is published from now on comes to all.
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn took(&self, time: Duration) {
        self.longest.fetch_max(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// What an honest client came to.
    pub(crate) fn judge<T>(&self, name: &str, outcome: anyhow::Result<T>) -> Option<T> {
        outcome
            .map_err(|error| {
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(format!("{name}: {error:#}"));
            })
            .ok()
    }

    /// Panics if something went wrong that must not.
    pub(crate) fn assert_fine(&self) {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            failures.is_empty(),
            "{} failures: {:#?}",
            failures.len(),
            &failures[..failures.len().min(8)]
        );
    }

    pub(crate) fn figures(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let mut text = format!(
            "{} messages came back, each once and in order; {} published came to {} members; longest way there and back {:.0?}\n",
            self.echoed.received(),
            self.published.sent(),
            of(&self.members),
            Duration::from_micros(of(&self.longest)),
        );
        let _ = writeln!(
            text,
            "soak: {} sent through a plugin that traps, {} came back; {} sent to an upstream that died {} times, {} came back",
            self.risked.sent(),
            self.risked.received(),
            self.upstream.sent(),
            of(&self.outages),
            self.upstream.received(),
        );
        let _ = writeln!(
            text,
            "soak: {} messages came back in sessions that were taken back {} times",
            self.returning.received(),
            of(&self.returns),
        );
        let _ = write!(
            text,
            "soak: {} visits with {} messages; {} peers broke a rule, {} were gone without a word, {} said nothing, {} read nothing of \
             {} messages",
            of(&self.visits),
            self.visited.received(),
            of(&self.broken),
            of(&self.resets),
            of(&self.silent),
            of(&self.slow),
            of(&self.flooded),
        );
        text
    }
}
