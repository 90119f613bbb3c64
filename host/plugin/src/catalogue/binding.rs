//! One binding: what was offered, what became of it, and who serves.

use super::Change;
use super::band::Figures;
use super::lineup::{Event, Lineup, Serves, Taken};
use super::status::{
    BindingState, BindingStatus, OffloadStatus, PinStatus, PinnedStatus, PreviousStatus, RefusedStatus,
    RolloutStatus, ServingStatus,
};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::generation::{BindingSpec, Generation};
use crate::refusal::Refusal;
use crate::state::{BindingRecord, Good};
use crate::store::BindingStore;
use std::sync::Arc;
use std::time::Instant;
use weir_core::{Era, Link, Share, Term};

/// A binding.
///
/// Invariant: `standing` is `Active` or `Trying` only if what was offered last serves.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) store: Arc<BindingStore>,
    pub(crate) standing: Standing,
    offer: Option<Offer>,
    pub(crate) lineup: Lineup<Arc<Generation>>,
    /// When what everybody meets began to, in milliseconds since 1970.
    since: u64,
    /// When `standing` became what it is, likewise.
    changed: u64,
    /// Generations that were taken back, since the process began.
    taken_back: u64,
}

/// What became of the last offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was offered yet, or it is being prepared.
    New,
    /// Every session meets it, those apart that are pinned.
    Active,
    /// A share of the sessions does.
    Trying,
    /// It does not serve.
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

impl Serves for Arc<Generation> {
    fn number(&self) -> u64 {
        Generation::number(self)
    }

    fn figures(&self) -> Figures {
        Figures::of(&self.totals())
    }

    fn is_quarantined(&self) -> bool {
        Generation::is_quarantined(self)
    }

    fn is_other_version(&self, than: &Self) -> bool {
        !Good::of(self).is(than.digest(), &than.spec().config)
    }
}

impl Binding {
    pub(crate) fn new(store: Arc<BindingStore>) -> Self {
        Self {
            store,
            standing: Standing::New,
            offer: None,
            lineup: Lineup::default(),
            since: 0,
            changed: Clock::now(),
            taken_back: 0,
        }
    }

    pub(crate) fn file(&self) -> &str {
        self.offer.as_ref().map_or("", |offer| &offer.file)
    }

    pub(crate) fn serving(&self) -> Option<&Arc<Generation>> {
        self.lineup.stable()
    }

    /// Whether exactly this was offered last and dealt with. A file that was gone and is back is dealt with anew.
    pub(crate) fn is_offered(&self, file: &str, digest: Digest, spec: &BindingSpec) -> bool {
        matches!(self.standing, Standing::Active | Standing::Trying | Standing::Refused(_))
            && self.offer.as_ref().is_some_and(|offer| {
                *offer.file == *file && offer.digest == digest && offer.spec.is_same_but_rollout(spec)
            })
    }

    /// Nothing else has changed: the trials that are under way and those to come go by this.
    pub(crate) fn follow(&mut self, spec: &BindingSpec) {
        if let Some(offer) = &mut self.offer {
            offer.spec.rollout.clone_from(&spec.rollout);
        }
    }

    /// Takes the result of an offer.
    pub(crate) fn settle(
        &mut self,
        file: &str,
        digest: Digest,
        spec: &BindingSpec,
        prepared: Result<Arc<Generation>, Refusal>,
        (now, era): (Instant, Era),
    ) -> Change {
        self.offer = Some(Offer { file: file.into(), digest, spec: spec.clone() });
        self.changed = Clock::now();
        match prepared {
            Ok(generation) => match self.lineup.take_up(generation.clone(), &spec.rollout, now, era) {
                Taken::Everybody => {
                    self.since = self.changed;
                    self.standing = Standing::Active;
                    Change::Swapped(generation)
                }
                Taken::Canary(canary) => {
                    self.standing = Standing::Trying;
                    Change::Trying { generation, share: canary.share, window: canary.window }
                }
            },
            Err(refusal) => {
                self.standing = Standing::Refused(refusal.clone());
                Change::Refused(refusal)
            }
        }
    }

    /// Something serves that was not offered: what was refused cannot, and this is what served before a restart.
    pub(crate) fn fall_back(&mut self, generation: Arc<Generation>, (now, era): (Instant, Era)) {
        let Some(offer) = &self.offer else { return };
        self.lineup.take_up(generation, &offer.spec.rollout, now, era);
        self.since = Clock::now();
    }

    /// Its file is gone. What was tried of it is not tried further.
    pub(crate) fn lose(&mut self) {
        self.lineup.call_off();
        self.standing = Standing::Missing;
        self.changed = Clock::now();
    }

    /// What was refused may be offered again, if `fits`. True: the last offer was.
    pub(crate) fn forgive(&mut self, fits: impl FnOnce(&Refusal) -> bool) -> bool {
        let refused = matches!(&self.standing, Standing::Refused(refusal) if fits(refusal));
        if refused {
            self.stand(Standing::New);
        }
        refused
    }

    fn stand(&mut self, standing: Standing) {
        self.standing = standing;
        self.changed = Clock::now();
    }

    /// How its generations are made.
    pub(crate) fn spec(&self) -> Option<&BindingSpec> {
        self.offer.as_ref().map(|offer| &offer.spec)
    }

    /// An operator goes back: a canary is called off, else what served before serves again, or `otherwise` where that is not known.
    /// Gives what was taken back; `None`: there is nothing to go back to.
    pub(crate) fn roll_back(&mut self, otherwise: Option<Arc<Generation>>, why: &str) -> Option<TakenBack> {
        let bad = if let Some(canary) = self.lineup.call_off() {
            canary
        } else {
            let bad = self.lineup.go_back(otherwise)?;
            self.since = Clock::now();
            bad
        };
        let serving = self.serving()?.clone();
        self.taken_back += 1;
        if self.is_offer(&bad) && self.standing != Standing::Missing {
            self.stand(Standing::Refused(Refusal::RolledBack(why.to_owned())));
        }
        Some(TakenBack { bad, serving, why: why.to_owned() })
    }

    /// What serves is to go on. Gives it, with the canary whose trial ends.
    pub(crate) fn pin(&mut self) -> Option<(Arc<Generation>, Option<Arc<Generation>>)> {
        let serving = self.serving()?.clone();
        let called_off = self.lineup.call_off();
        self.lineup.trust();
        if self.standing == Standing::Trying {
            let file = serving.digest().to_string().into();
            self.stand(Standing::Refused(Refusal::Pinned { file }));
        }
        Some((serving, called_off))
    }

    /// Sessions meet it again: what is on trial has its whole time before it.
    pub(crate) fn resume(&mut self, now: Instant) {
        if let Some(offer) = &self.offer {
            self.lineup.begin_anew(&offer.spec.rollout, now);
        }
    }

    fn is_offer(&self, generation: &Generation) -> bool {
        self.offer.as_ref().is_some_and(|offer| {
            offer.digest == generation.digest() && offer.spec.is_same_but_rollout(generation.spec())
        })
    }

    /// Looks at what is on trial. Gives the changes, and what was taken back with what serves instead.
    pub(crate) fn look(&mut self, now: Instant, era: Era) -> (Vec<Change>, Vec<TakenBack>) {
        let Some(offer) = self.offer.as_ref().filter(|_| self.lineup.is_watched()) else {
            return (Vec::new(), Vec::new());
        };
        let events = self.lineup.look(&offer.spec.rollout, now, era);
        let (mut changes, mut taken_back) = (Vec::new(), Vec::new());
        for event in events {
            let clock = Clock::now();
            match event {
                Event::Promoted(generation) => {
                    self.standing = Standing::Active;
                    (self.since, self.changed) = (clock, clock);
                    changes.push(Change::Promoted(generation));
                }
                Event::TakenBack { bad, serving, why } => {
                    let refusal = Refusal::RolledBack(why.clone());
                    self.taken_back += 1;
                    let everybodys = self.standing == Standing::Active;
                    // Where the offer is a canary that goes on, what was taken back is the one before it.
                    let offered = self.is_offer(&bad);
                    if offered {
                        self.standing = Standing::Refused(refusal.clone());
                        self.changed = clock;
                    }
                    if everybodys || !offered {
                        self.since = clock;
                    }
                    taken_back.push(TakenBack { bad: bad.clone(), serving: serving.clone(), why });
                    changes.push(Change::TakenBack { bad, serving, refusal });
                }
                Event::Drained(generation) => changes.push(Change::Drained(generation)),
            }
        }
        (changes, taken_back)
    }

    /// What a chain has of it.
    pub(crate) fn link(&self) -> Option<Link> {
        let (served, rest) = self.lineup.serving()?;
        let mut link = rest.link();
        if served.len() > 1 {
            let term = |generation: &Arc<Generation>, (since, share): &(Era, f64)| Term {
                link: generation.link(),
                since: *since,
                share: Share::new(*share),
            };
            link.terms = served
                .into_iter()
                .flat_map(|served| served.terms.iter().map(|each| term(&served.generation, each)))
                .collect();
        }
        Some(link)
    }

    pub(crate) fn status(&self, name: &Arc<str>, record: BindingRecord, now: Instant) -> BindingStatus {
        let grants = self.offer.as_ref().map_or_else(Vec::new, |offer| offer.spec.grants.iter().collect());
        BindingStatus {
            name: (**name).into(),
            file: self.file().into(),
            state: match &self.standing {
                Standing::New => BindingState::New,
                Standing::Active => BindingState::Active,
                Standing::Trying => BindingState::Trying,
                Standing::Refused(refusal @ Refusal::Pinned { .. }) => {
                    BindingState::Waiting { reason: refusal.to_string() }
                }
                Standing::Refused(refusal) => BindingState::Refused { reason: refusal.to_string() },
                Standing::Missing => BindingState::Missing,
            },
            changed_ms: self.changed,
            offered: self.offer.as_ref().map(|offer| offer.digest),
            grants,
            serving: self.serving().map(|generation| ServingStatus {
                generation: generation.number(),
                digest: generation.digest(),
                size: generation.size(),
                contract: generation.contract().into(),
                manifest: (**generation.manifest()).clone(),
                since_ms: self.since,
                offload: generation.spec().limits.offload.as_ref().map(|policy| OffloadStatus {
                    threads: policy.threads,
                    queue: policy.queue,
                    waiting: generation.totals().waiting(),
                }),
            }),
            probation: self.lineup.is_on_probation(),
            quarantined: self.serving().is_some_and(Serves::is_quarantined),
            taken_back: self.taken_back,
            disabled_ms: record.disabled,
            pin: record.pinned.map(|pin| PinStatus { digest: pin.good.file, at_ms: pin.at_ms }),
            previous: match self.lineup.previous() {
                Some(previous) => Some(PreviousStatus {
                    generation: Some(previous.number()),
                    digest: previous.digest().to_string().into(),
                    version: Some(previous.manifest().version.as_str().into()),
                }),
                None => record.previous.map(|good| PreviousStatus {
                    generation: None,
                    digest: good.file,
                    version: None,
                }),
            },
            rollout: self.lineup.on_trial(now).map(|trial| RolloutStatus {
                generation: trial.generation.number(),
                digest: trial.generation.digest(),
                version: trial.generation.manifest().version.as_str().into(),
                share: trial.share.unwrap_or(1.0),
                left_ms: trial.left.as_millis() as u64,
                band: trial.finding.into(),
                strikes: trial.strikes,
            }),
            pinned: self
                .lineup
                .pinned(now)
                .into_iter()
                .map(|(generation, left)| PinnedStatus {
                    generation: generation.number(),
                    left_ms: left.as_millis() as u64,
                })
                .collect(),
            refused: record
                .refused
                .into_iter()
                .map(|refused| RefusedStatus {
                    digest: refused.file,
                    reason: refused.reason,
                    at_ms: refused.at_ms,
                })
                .collect(),
            dropped_log_lines: self.store.dropped_log_lines(),
            kv_keys: self.store.kv().keys(),
            kv_bytes: self.store.kv().bytes(),
        }
    }
}

/// A generation that was taken back, and the one that serves where it did.
#[derive(Debug)]
pub(crate) struct TakenBack {
    pub(crate) bad: Arc<Generation>,
    pub(crate) serving: Arc<Generation>,
    pub(crate) why: String,
}
