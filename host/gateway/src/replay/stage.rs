//! One version of a plugin in the production runtime, told what it was told when it was recorded.

use super::compare::Outcome;
use super::convert;
use super::seen::Seen;
use super::tape::{Event, Met, Step, Tape};
use anyhow::Context;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use weir_core::{
    Call, Directions, Directory, Effect, Failure, Instance, Message, Payload, Program as _, Rejection, Seat,
    SessionInfo, Verdict, WorkerId,
};
use weir_plugin::{BindingSpec, BindingStore, Generation, Moment, Runtime, Script};
use weir_recording::{Answer, Header, Session};

/// Calls of timers, and what comes before the first step, are numbered from here on.
const BESIDE: u64 = 1 << 63;
const MICROS_IN_MILLI: u64 = 1000;

/// A version, its one instance, and what it can see.
pub(super) struct Stage {
    generation: Arc<Generation>,
    store: Arc<BindingStore>,
    script: Arc<Script>,
    seat: Seat,
    instance: Option<Box<dyn Instance>>,
    call: Call,
    seen: Seen,
    /// Of the open sessions.
    infos: HashMap<Session, SessionInfo>,
    listener: String,
    /// Groups that every session joins.
    joined: Vec<Arc<str>>,
    began: u64,
    monotonic: u64,
    /// When the call under way is, in microseconds.
    now: u64,
    /// The interval of `on-timer` and when it is due, in microseconds.
    every: Option<(u64, u64)>,
    beside: u64,
    pub(super) instances: u64,
    pub(super) timer_calls: u64,
    /// Failures of `on-timer` and `on-close`, of which the recording does not tell, by cause, with the first of each.
    pub(super) beside_failures: BTreeMap<String, (u64, String)>,
    /// What this machine took for each message, in nanoseconds.
    took: Vec<u64>,
}

impl Stage {
    pub(super) fn prepare(
        runtime: &Runtime,
        script: &Arc<Script>,
        file: &Path,
        spec: &BindingSpec,
        header: &Header,
    ) -> anyhow::Result<Self> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        script.tell(Moment {
            call: BESIDE,
            now: header.began / MICROS_IN_MILLI,
            monotonic: header.monotonic,
        });
        let store = Arc::new(BindingStore::new(runtime.options()));
        let generation = runtime.prepare(&bytes, spec, &store).with_context(|| file.display().to_string())?;
        let directory = Arc::new(Directory::new(1));
        let mut stage = Self {
            generation,
            store,
            script: script.clone(),
            seen: Seen::new(directory.clone()),
            infos: HashMap::new(),
            seat: Seat { worker: WorkerId(0), directory },
            instance: None,
            call: Call::default(),
            listener: header.listener.clone(),
            joined: header.join.iter().map(|group| group.as_str().into()).collect(),
            began: header.began,
            monotonic: header.monotonic,
            now: header.began,
            every: None,
            beside: BESIDE,
            instances: 0,
            timer_calls: 0,
            beside_failures: BTreeMap::new(),
            took: Vec::new(),
        };
        // As a worker does it: before the first message. Its timer runs from here on.
        match stage.ready() {
            Ok(instance) => stage.instance = Some(instance),
            Err(failure) => anyhow::bail!("{}: no instance: {}", file.display(), failure.detail),
        }
        Ok(stage)
    }

    pub(super) fn generation(&self) -> &Generation {
        &self.generation
    }

    /// For which messages it is called.
    pub(super) fn directions(&self) -> Directions {
        self.generation.manifest().directions
    }

    /// Tells it of a step, after the timers that were due before. `None`: there is nothing to tell, or it is not in the file.
    pub(super) fn step(&mut self, number: usize, step: &Step) -> anyhow::Result<Option<Outcome>> {
        self.timers(step.at);
        self.tell(number as u64, step.at);
        Ok(match &step.event {
            Event::Open(open, told) => {
                self.seen.open(open, &self.joined);
                self.infos.insert(step.session, convert::info(open, &self.listener)?);
                if *told { self.open(step.session) } else { None }
            }
            Event::Told(verdict) => {
                self.seen.follow(step.session, verdict);
                self.open(step.session)
            }
            Event::Message(met) => self.message(step.session, met),
            Event::Others(effects) => {
                self.seen.others(effects);
                None
            }
            Event::Close { code, reason } => {
                let said = self.close(step.session, *code, reason);
                self.seen.close(step.session);
                self.infos.remove(&step.session);
                Some(said)
            }
        })
    }

    /// After the last step: timers until the end of the recording.
    pub(super) fn finish(&mut self, tape: &Tape) {
        self.timers(tape.last);
    }

    /// What this machine took for a message, in nanoseconds: the median and the 99th of a hundred.
    pub(super) fn took(&mut self) -> (u64, u64) {
        self.took.sort_unstable();
        let at = |share: usize| self.took.get(self.took.len() * share / 100).copied().unwrap_or(0);
        (at(50), at(99))
    }

    fn tell(&mut self, call: u64, at: u64) {
        self.now = at;
        let monotonic = self.monotonic + at.saturating_sub(self.began) / MICROS_IN_MILLI;
        // What has expired is gone, whichever keys are met: how full the store is must not depend on where they lie in it.
        self.store.kv().sweep(monotonic);
        self.script.tell(Moment { call, now: at / MICROS_IN_MILLI, monotonic });
    }

    fn timers(&mut self, until: u64) {
        while let Some((interval, due)) = self.every.filter(|(_, due)| *due <= until) {
            self.every = Some((interval, due + interval));
            self.beside += 1;
            self.timer_calls += 1;
            self.tell(self.beside, due);
            self.call.session = None;
            let outcome = self.run(|instance, call| instance.timer(call).map(|()| None));
            self.note_failure("on-timer", &outcome);
        }
    }

    fn open(&mut self, session: Session) -> Option<Outcome> {
        let info = self.infos.get(&session)?.clone();
        self.call.session = Some(self.seen.lend(session));
        Some(self.run(|instance, call| {
            Ok(match instance.open(&info, call)? {
                Ok(()) => None,
                Err(said) => Some(Verdict::Close(said)),
            })
        }))
    }

    fn message(&mut self, session: Session, met: &Met) -> Option<Outcome> {
        if let Some(verdict) = &met.verdict {
            self.seen.follow(session, verdict);
        }
        let payload = met.payload.bytes()?;
        let direction = convert::core_direction(met.direction);
        if !self.directions().contains(direction) {
            return Some(Outcome::untouched());
        }
        let message = Message {
            session: convert::id(session),
            sequence: met.sequence,
            direction,
            kind: convert::core_kind(met.kind),
            payload: Payload::Borrowed(payload),
            lane: None,
            hops: 0,
            pressed: false,
        };
        self.call.session = Some(self.seen.lend(session));
        let begun = Instant::now();
        let outcome = self.run(|instance, call| instance.message(&message, call).map(Some));
        self.took.push(begun.elapsed().as_nanos() as u64);
        Some(outcome)
    }

    fn close(&mut self, session: Session, code: u16, reason: &str) -> Outcome {
        self.call.session = Some(self.seen.lend(session));
        let end = Rejection { code, reason: reason.into() };
        let outcome =
            self.run(|instance, call| instance.close(convert::id(session), &end, call).map(|()| None));
        self.note_failure("on-close", &outcome);
        outcome
    }

    /// One call. After a failure the next one has a fresh instance: the gateway would have it wait, but that is about time.
    fn run(
        &mut self,
        ask: impl FnOnce(&mut dyn Instance, &mut Call) -> Result<Option<Verdict>, Failure>,
    ) -> Outcome {
        self.call.effects.clear();
        self.call.fuel = 0;
        let said = self.ready().and_then(|mut instance| {
            let said = ask(&mut *instance, &mut self.call);
            if said.is_ok() && instance.worn().is_none() {
                self.instance = Some(instance);
            }
            said
        });
        let fuel = Some(self.call.fuel);
        match said {
            Ok(verdict) => {
                let effects = std::mem::take(&mut self.call.effects);
                self.seen.apply(&effects);
                self.set_timer(&effects);
                Outcome {
                    answer: verdict.map_or_else(
                        || Outcome::untouched().answer,
                        |verdict| convert::answer(&verdict, None),
                    ),
                    effects: effects.iter().map(convert::effect).collect(),
                    detail: None,
                    nanoseconds: None,
                    fuel,
                }
            }
            Err(Failure { cause, detail }) => Outcome {
                answer: Answer::Failed { cause: cause.label().into() },
                effects: Vec::new(),
                // With the places in its sources, where the file has them.
                detail: Some(self.generation.locate(&detail).unwrap_or_else(|| detail.into())),
                nanoseconds: None,
                fuel,
            },
        }
    }

    /// The instance, made if there is none.
    fn ready(&mut self) -> Result<Box<dyn Instance>, Failure> {
        if let Some(instance) = self.instance.take() {
            return Ok(instance);
        }
        let mut effects = Vec::new();
        let instance = self.generation.instantiate(&self.seat, &mut effects)?;
        self.instances += 1;
        self.set_timer(&effects);
        Ok(instance)
    }

    fn set_timer(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Every { milliseconds } = effect else { continue };
            let interval = u64::from(*milliseconds) * MICROS_IN_MILLI;
            self.every = match (interval, self.every) {
                (0, _) => None,
                // A renewed instance asks for the same again: the rhythm goes on.
                (_, Some((same, due))) if same == interval => Some((same, due)),
                _ => Some((interval, self.now + interval)),
            };
        }
    }

    fn note_failure(&mut self, function: &str, outcome: &Outcome) {
        if let Answer::Failed { cause } = &outcome.answer {
            let detail = outcome.detail.clone().unwrap_or_default();
            let (count, _) = self.beside_failures.entry(format!("{function} {cause}")).or_insert((0, detail));
            *count += 1;
        }
    }
}
