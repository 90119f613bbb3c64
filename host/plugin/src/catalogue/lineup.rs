//! The generations of one binding that serve at once: who came, who is on trial, whose sessions stay.
//!
//! It knows no wasm and no clock: what a generation counted, the time and the era are arguments.

use super::band::Figures;
use super::trial::{Course, Trial};
use crate::rollout::{CanaryPolicy, RolloutPolicy};
use std::time::{Duration, Instant};
use weir_core::Era;

/// Generations of a binding that serve at once. When there would be more, the sessions of the oldest move.
pub(crate) const MAX_LIVE: usize = 4;

/// A generation, as far as it matters here.
pub(crate) trait Serves: Clone {
    fn number(&self) -> u64;
    fn figures(&self) -> Figures;
    /// Whether it failed so often in a row that nobody calls it any more.
    fn is_quarantined(&self) -> bool;
}

/// Invariant: nothing is on trial or pinned where nothing serves.
#[derive(Debug)]
pub(crate) struct Lineup<G> {
    /// What every session meets that no other is for; and timers.
    stable: Option<Served<G>>,
    /// `stable` is watched, and this serves again if it fails.
    probation: Option<Probation<G>>,
    /// On trial with a share of the sessions.
    canary: Option<Canary<G>>,
    /// Those that were replaced and keep the sessions that began with them, the newest first.
    pinned: Vec<Pinned<G>>,
}

/// A generation that serves, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Served<G> {
    pub(crate) generation: G,
    /// The sessions that opened in this era or later, and of those such a part; the newest first.
    pub(crate) terms: Vec<(Era, f64)>,
}

#[derive(Debug)]
struct Probation<G> {
    before: Served<G>,
    trial: Trial,
}

#[derive(Debug)]
struct Canary<G> {
    served: Served<G>,
    share: f64,
    trial: Trial,
}

#[derive(Debug)]
struct Pinned<G> {
    served: Served<G>,
    until: Instant,
}

/// Whom a generation that came meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Taken {
    Everybody,
    Canary(CanaryPolicy),
}

/// Something that a look led to; each changes who serves.
#[derive(Clone, Debug)]
pub(crate) enum Event<G> {
    /// A canary stood its time: every session meets it.
    Promoted(G),
    /// A generation left the band; the other serves where it did.
    TakenBack { bad: G, serving: G, why: String },
    /// Sessions that stayed with a generation move.
    Drained(G),
}

/// What is on trial, for people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OnTrial<G> {
    pub(crate) generation: G,
    /// Of the sessions; `None`: all.
    pub(crate) share: Option<f64>,
    pub(crate) left: Duration,
    pub(crate) finding: String,
    pub(crate) strikes: u32,
}

impl<G> Default for Lineup<G> {
    fn default() -> Self {
        Self { stable: None, probation: None, canary: None, pinned: Vec::new() }
    }
}

impl<G: Serves> Lineup<G> {
    pub(crate) fn stable(&self) -> Option<&G> {
        self.stable.as_ref().map(|served| &served.generation)
    }

    /// Every generation that some session meets, the newest first, and what the rest meets.
    pub(crate) fn serving(&self) -> Option<(Vec<&Served<G>>, &G)> {
        let stable = self.stable.as_ref()?;
        let canary = self.canary.iter().map(|canary| &canary.served);
        let pinned = self.pinned.iter().map(|pinned| &pinned.served);
        Some((canary.chain(std::iter::once(stable)).chain(pinned).collect(), &stable.generation))
    }

    /// Everything that something may still need: what serves, and what would serve again.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &G> {
        let serving = self.serving().map(|(all, _)| all).unwrap_or_default();
        let before = self.probation.iter().map(|probation| &probation.before);
        serving.into_iter().chain(before).map(|served| &served.generation)
    }

    /// A new generation is there. The first one, and every one that is to have no canary, meets all sessions.
    pub(crate) fn take_up(&mut self, new: G, policy: &RolloutPolicy, now: Instant, era: Era) -> Taken {
        // Nothing is compared with one that was not there for long: the next one takes its place.
        self.canary = None;
        let mut served = Served { generation: new, terms: Vec::new() };
        let from = if policy.pin.is_some() { era } else { Era(0) };
        let (Some(stable), Some(canary)) = (&self.stable, policy.canary) else {
            self.replace(served, from, policy, now);
            return Taken::Everybody;
        };
        served.terms.push((from, canary.share));
        let (own, before) = (served.generation.figures(), stable.generation.figures());
        let trial = Trial::begin(now, canary.window, own, before);
        self.canary = Some(Canary { served, share: canary.share, trial });
        Taken::Canary(canary)
    }

    /// Every session that is not pinned elsewhere meets this from now on.
    fn replace(&mut self, mut new: Served<G>, from: Era, policy: &RolloutPolicy, now: Instant) {
        new.terms.insert(0, (from, 1.0));
        let own = new.generation.figures();
        let Some(old) = self.stable.replace(new) else { return };
        match policy.pin {
            Some(drain) => {
                self.pinned.insert(0, Pinned { served: old.clone(), until: now + drain });
                // Two are there beside them: this one, and the next on trial.
                self.pinned.truncate(MAX_LIVE - 2);
            }
            None => self.pinned.clear(),
        }
        // What has not stood its own trial is nothing to go back to.
        let before = self.probation.take().map_or(old, |probation| probation.before);
        if !policy.band.window.is_zero() {
            let figures = before.generation.figures();
            self.probation =
                Some(Probation { before, trial: Trial::begin(now, policy.band.window, own, figures) });
        }
    }

    /// Looks at those on trial, and at the time of those whose sessions stay.
    pub(crate) fn look(&mut self, policy: &RolloutPolicy, now: Instant, era: Era) -> Vec<Event<G>> {
        let mut events = Vec::new();
        self.look_at_stable(policy, now, &mut events);
        self.look_at_canary(policy, now, era, &mut events);
        self.pinned.retain(|pinned| {
            let over = now >= pinned.until;
            if over {
                events.push(Event::Drained(pinned.served.generation.clone()));
            }
            !over
        });
        events
    }

    fn look_at_stable(&mut self, policy: &RolloutPolicy, now: Instant, events: &mut Vec<Event<G>>) {
        let (Some(stable), Some(probation)) = (&self.stable, &mut self.probation) else { return };
        let (own, before) = (stable.generation.figures(), probation.before.generation.figures());
        let course = if gave_up(&stable.generation, &probation.before.generation) {
            Course::Failed(GAVE_UP.into())
        } else {
            probation.trial.look(&policy.band, own, before, now)
        };
        match course {
            Course::GoesOn => {}
            Course::Stood => self.probation = None,
            Course::Failed(why) => {
                let bad = stable.generation.clone();
                let Some(Probation { before, .. }) = self.probation.take() else { return };
                let number = before.generation.number();
                self.pinned.retain(|pinned| pinned.served.generation.number() != number);
                let serving = before.generation.clone();
                self.stable = Some(before);
                events.push(Event::TakenBack { bad, serving, why });
            }
        }
    }

    fn look_at_canary(&mut self, policy: &RolloutPolicy, now: Instant, era: Era, events: &mut Vec<Event<G>>) {
        let (Some(stable), Some(canary)) = (&self.stable, &mut self.canary) else { return };
        let (own, before) = (canary.served.generation.figures(), stable.generation.figures());
        let course = if gave_up(&canary.served.generation, &stable.generation) {
            Course::Failed(GAVE_UP.into())
        } else {
            canary.trial.look(&policy.band, own, before, now)
        };
        match course {
            Course::GoesOn => {}
            Course::Stood => {
                let Some(Canary { served, .. }) = self.canary.take() else { return };
                let generation = served.generation.clone();
                let from = if policy.pin.is_some() { era } else { Era(0) };
                self.replace(served, from, policy, now);
                events.push(Event::Promoted(generation));
            }
            Course::Failed(why) => {
                let (bad, serving) = (canary.served.generation.clone(), stable.generation.clone());
                self.canary = None;
                events.push(Event::TakenBack { bad, serving, why });
            }
        }
    }

    /// Ends the trial of a canary: its sessions meet what the others do.
    pub(crate) fn call_off(&mut self) -> bool {
        self.canary.take().is_some()
    }

    /// Whether anything happens here because time passes.
    pub(crate) fn is_watched(&self) -> bool {
        self.probation.is_some() || self.canary.is_some() || !self.pinned.is_empty()
    }

    pub(crate) fn is_on_probation(&self) -> bool {
        self.probation.is_some()
    }

    /// What is on trial; a canary before what everybody meets.
    pub(crate) fn on_trial(&self, now: Instant) -> Option<OnTrial<G>> {
        let (served, share, trial) = match (&self.canary, &self.stable, &self.probation) {
            (Some(canary), ..) => (&canary.served, Some(canary.share), &canary.trial),
            (None, Some(stable), Some(probation)) => (stable, None, &probation.trial),
            _ => return None,
        };
        Some(OnTrial {
            generation: served.generation.clone(),
            share,
            left: trial.left(now),
            finding: trial.shown(),
            strikes: trial.strikes(),
        })
    }

    /// Those whose sessions stay, and for how long.
    pub(crate) fn pinned(&self, now: Instant) -> Vec<(G, Duration)> {
        let left = |pinned: &Pinned<G>| pinned.until.saturating_duration_since(now);
        self.pinned.iter().map(|pinned| (pinned.served.generation.clone(), left(pinned))).collect()
    }
}

/// Why a generation in quarantine is taken back, as the end of a sentence.
const GAVE_UP: &str = "it failed so often in a row that no worker calls it any more";

/// Whether the one before serves better whatever the figures say: nobody calls the new one any more.
fn gave_up<G: Serves>(new: &G, before: &G) -> bool {
    new.is_quarantined() && !before.is_quarantined()
}

#[cfg(test)]
#[path = "lineup_tests.rs"]
mod tests;
