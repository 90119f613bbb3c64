//! One binding's state machine.

use super::Change;
use super::probation::{Probation, Tally, Trial};
use super::status::{BindingState, BindingStatus, ServingStatus};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::generation::{BindingSpec, Generation};
use crate::refusal::Refusal;
use crate::store::BindingStore;
use std::sync::Arc;
use std::time::Instant;

/// A binding.
///
/// Invariants: `standing` is `Active` only if `serving` is what was offered last; `trial` is there only while `serving` replaced
/// another generation and is on probation.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) store: Arc<BindingStore>,
    pub(crate) standing: Standing,
    offer: Option<Offer>,
    serving: Option<Arc<Generation>>,
    /// When `serving` began to, in milliseconds since 1970.
    since: u64,
    /// When `standing` became what it is, likewise.
    changed: u64,
    trial: Option<Trial>,
}

/// What became of the last offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was offered yet, or it is being prepared.
    New,
    /// It serves.
    Active,
    /// It does not.
    Refused(Refusal),
    /// Its file is gone.
    Missing,
}

#[derive(Debug)]
struct Offer {
    file: Box<str>,
    digest: Digest,
    spec: BindingSpec,
}

impl Binding {
    pub(crate) fn new(store: Arc<BindingStore>) -> Self {
        Self {
            store,
            standing: Standing::New,
            offer: None,
            serving: None,
            since: 0,
            changed: Clock::now(),
            trial: None,
        }
    }

    pub(crate) fn file(&self) -> &str {
        self.offer.as_ref().map_or("", |offer| &offer.file)
    }

    pub(crate) fn serving(&self) -> Option<&Arc<Generation>> {
        self.serving.as_ref()
    }

    /// Whether exactly this was offered last and dealt with. A file that was gone and is back is dealt with anew.
    pub(crate) fn is_offered(&self, file: &str, digest: Digest, spec: &BindingSpec) -> bool {
        matches!(self.standing, Standing::Active | Standing::Refused(_))
            && self
                .offer
                .as_ref()
                .is_some_and(|offer| *offer.file == *file && offer.digest == digest && offer.spec == *spec)
    }

    /// Takes the result of an offer.
    pub(crate) fn settle(
        &mut self,
        file: &str,
        digest: Digest,
        spec: &BindingSpec,
        prepared: Result<Arc<Generation>, Refusal>,
    ) -> Change {
        self.offer = Some(Offer { file: file.into(), digest, spec: spec.clone() });
        self.changed = Clock::now();
        match prepared {
            Ok(generation) => {
                self.trial = self.serving.take().map(|before| Trial::begin(before, self.trial.take()));
                self.serving = Some(generation.clone());
                self.since = self.changed;
                self.standing = Standing::Active;
                Change::Swapped(generation)
            }
            Err(refusal) => {
                self.standing = Standing::Refused(refusal.clone());
                Change::Refused(refusal)
            }
        }
    }

    /// Its file is gone.
    pub(crate) fn lose(&mut self) {
        self.standing = Standing::Missing;
        self.changed = Clock::now();
    }

    /// Takes the serving generation back if it fails more than its share.
    pub(crate) fn judge(&mut self, probation: &Probation, now: Instant) -> Option<Arc<Generation>> {
        let own = Tally::of(&self.serving.as_ref()?.totals());
        let trial = self.trial.take()?;
        match trial.judge(probation, own, now) {
            Ok(None) => None,
            Ok(Some(trial)) => {
                self.trial = Some(trial);
                None
            }
            Err((back, reason)) => {
                self.standing = Standing::Refused(Refusal::RolledBack(reason));
                self.serving = Some(back.clone());
                self.changed = Clock::now();
                self.since = self.changed;
                Some(back)
            }
        }
    }

    pub(crate) fn status(&self, name: &Arc<str>) -> BindingStatus {
        let grants = self.offer.as_ref().map_or_else(Vec::new, |offer| offer.spec.grants.iter().collect());
        BindingStatus {
            name: (**name).into(),
            file: self.file().into(),
            state: match &self.standing {
                Standing::New => BindingState::New,
                Standing::Active => BindingState::Active,
                Standing::Refused(refusal) => BindingState::Refused { reason: refusal.to_string() },
                Standing::Missing => BindingState::Missing,
            },
            changed_ms: self.changed,
            offered: self.offer.as_ref().map(|offer| offer.digest),
            grants,
            serving: self.serving.as_ref().map(|generation| ServingStatus {
                generation: generation.number(),
                digest: generation.digest(),
                size: generation.size(),
                contract: generation.contract().into(),
                manifest: (**generation.manifest()).clone(),
                since_ms: self.since,
            }),
            probation: self.trial.is_some(),
            quarantined: self.serving.as_ref().is_some_and(|generation| generation.is_quarantined()),
            dropped_log_lines: self.store.dropped_log_lines(),
            kv_keys: self.store.kv().keys(),
            kv_bytes: self.store.kv().bytes(),
        }
    }
}
