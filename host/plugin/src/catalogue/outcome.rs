//! What became of an offer, a look or an order.

use crate::digest::Digest;
use crate::generation::{BindingSpec, Generation};
use crate::refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;

/// What became of a binding.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which.
    pub binding: Arc<str>,
    /// What happened.
    pub change: Change,
    /// What all sessions met before it.
    pub before: Option<Was>,
    /// What was offered, where that led to it.
    pub offered: Option<Offered>,
}

/// A generation that served, which may be freed by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Was {
    /// Its number.
    pub generation: u64,
    /// Of its file.
    pub file: Digest,
}

/// A file and what it was to be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Of the file.
    pub file: Digest,
    /// Of the binding's settings.
    pub settings: Digest,
}

impl Was {
    pub(super) fn of(generation: &Arc<Generation>) -> Self {
        Self { generation: generation.number(), file: generation.digest() }
    }
}

impl Offered {
    pub(super) fn of(file: Digest, spec: &BindingSpec) -> Self {
        Self { file, settings: spec.settings_digest() }
    }
}

/// What happened to a binding. Whatever is not `Unchanged` or `Refused` changes who serves: replace the snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Nothing: the same file and the same spec.
    Unchanged,
    /// Another generation serves all sessions from now on, those apart that stay with one before.
    Swapped(Arc<Generation>),
    /// A new generation serves a share of the sessions.
    Trying {
        /// Which.
        generation: Arc<Generation>,
        /// Of the sessions, from 0 to 1.
        share: f64,
        /// For how long.
        window: Duration,
    },
    /// One that served a share of the sessions serves all.
    Promoted(Arc<Generation>),
    /// A generation left the band and serves no more.
    TakenBack {
        /// Which.
        bad: Arc<Generation>,
        /// What serves where it did.
        serving: Arc<Generation>,
        /// Why.
        refusal: Refusal,
    },
    /// Sessions that stayed with this generation meet the newest from now on.
    Drained(Arc<Generation>),
    /// What was offered is refused; what served before serves on.
    Refused(Refusal),
    /// The file is gone; what served before serves on where a chain names it.
    Missing,
    /// What served before a restart serves again, because what is offered is not to.
    Restored(Arc<Generation>),
    /// An operator has taken the binding out of all chains.
    Disabled,
    /// An operator has put it back.
    Enabled,
    /// An operator has had something taken back.
    RolledBack {
        /// What is not to serve.
        bad: Arc<Generation>,
        /// What serves all sessions.
        serving: Arc<Generation>,
    },
    /// An operator wants this to serve whatever is offered.
    Pinned {
        /// What serves.
        serving: Arc<Generation>,
        /// A canary whose trial ended with that.
        called_off: Option<Arc<Generation>>,
    },
    /// What is offered may serve again.
    Unpinned,
    /// So many files that were taken back may be offered again.
    Accepted(usize),
    /// Nothing is known of the binding any more.
    Forgotten,
}
