//! What all connections of a thread use.

use crate::failure::Failure;
use crate::payload::Payloads;
use crate::settings::Settings;
use crate::shared::{Nanos, Shared, Window};
use crate::tally::Tally;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// One for each thread: nothing of it is shared but what says so.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) settings: Arc<Settings>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tally: Tally,
    /// As it was when it was last looked at.
    pub(crate) window: Option<Window>,
    pub(crate) payloads: Payloads,
    /// Where templates are filled in.
    pub(crate) body: Vec<u8>,
    /// For masks.
    pub(crate) random: fastrand::Rng,
}

impl Shard {
    pub(crate) fn new(settings: &Arc<Settings>, shared: &Arc<Shared>, thread: usize) -> Self {
        let mut payloads = settings.payloads.clone();
        payloads.seed(thread as u64);
        Self {
            settings: Arc::clone(settings),
            shared: Arc::clone(shared),
            tally: Tally::default(),
            window: None,
            payloads,
            body: Vec::new(),
            random: fastrand::Rng::new(),
        }
    }

    /// Looks at what the other threads may have changed.
    pub(crate) fn look(&mut self) {
        self.window = self.shared.window();
    }

    /// A connection did not come to be.
    pub(crate) fn failed(&mut self, failure: Failure) {
        self.tally.failed += 1;
        self.shared.live.failed.fetch_add(1, Relaxed);
        self.tally.error(&failure.reason, || failure.about);
    }

    /// A connection that was open has ended before its time.
    pub(crate) fn closed(&mut self, failure: Failure) {
        self.tally.closed += 1;
        self.tally.error(&failure.reason, || failure.about);
    }

    /// Whether nothing more is sent on account of the time.
    pub(crate) fn is_over(&self, now: Nanos) -> bool {
        self.window.is_some_and(|window| now >= window.to)
    }
}
