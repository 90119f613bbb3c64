//! A worker's plugin instances: one for each generation of a binding that serves, renewed when it fails.

use crate::id::{BindingId, GenerationId};
use crate::message::Message;
use crate::program::{Call, Failure, FailureCause, Instance, Seat};
use crate::snapshot::{Link, Snapshot};
use crate::time::Time;
use crate::together::Together;
use crate::verdict::{Effect, Verdict};
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Roster {
    /// By binding; of most there is one generation.
    slots: Vec<Vec<Slot>>,
    /// Failures that nobody has logged yet.
    pub(crate) notices: Vec<Notice>,
}

/// A plugin failure, for the log.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The binding's name.
    pub binding: std::sync::Arc<str>,
    /// Which version of it.
    pub generation: u64,
    /// What happened.
    pub failure: Failure,
    /// When the next instance is made; `None`: at the next call.
    pub retry_in: Option<Duration>,
    /// It was one failure in a row too many: see [`Quarantine`](crate::Quarantine).
    pub quarantined: bool,
}

/// Which of a plugin's functions is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Open,
    Message,
    Close,
    Timer,
}

impl Entry {
    /// Its place in [`CallStats::others`](crate::CallStats::others).
    const fn other(self) -> Option<usize> {
        match self {
            Self::Message => None,
            Self::Open => Some(0),
            Self::Close => Some(1),
            Self::Timer => Some(2),
        }
    }
}

#[derive(Default)]
struct Slot {
    generation: u64,
    instance: Option<Box<dyn Instance>>,
    /// Failures with no answer of the function that failed last in between.
    strikes: u32,
    /// That function; `None`: the instance could not be made.
    struck: Option<Entry>,
    /// No instance is made before.
    retry_at: Time,
    /// The interval of `on-timer`, and when it is due.
    every: Option<(Duration, Time)>,
    /// The interval that the last instance asked for when it was made, until somebody [takes](Roster::take_asked) it.
    asked: Option<u32>,
    /// What one message took last, in nanoseconds; 0: no message was answered yet.
    pace: u64,
    /// Calls for several messages that failed, with none that succeeded in between.
    scattered: u32,
    /// No call for several messages is made before.
    alone_until: Time,
}

/// More notices than this are not kept between two looks at them; the counters have them all.
const NOTICES: usize = 64;
/// What a call for several messages may be expected to take: well within any deadline, and no longer than others can wait.
const SEVERAL_NS: u64 = 1_000_000;

impl Roster {
    /// Makes the instances of a new snapshot before its first message, and lets those go that no chain uses any more.
    pub(crate) fn adopt(&mut self, snapshot: &Snapshot, seat: &Seat, now: Time) {
        // Those that end go first: a generation does not need room beside the one that it replaces.
        let serving = |by: GenerationId| {
            let link = snapshot.link(by.binding);
            link.is_some_and(|link| link.all().any(|one| one.generation == by.generation))
        };
        for (binding, slots) in self.slots.iter_mut().enumerate() {
            let binding = BindingId(binding as u16);
            slots.retain(|slot| serving(GenerationId { binding, generation: slot.generation }));
        }
        for link in snapshot.bindings.iter().flat_map(Link::all).filter(|link| link.offload.is_none()) {
            self.prepare(link, seat, now);
        }
    }

    /// Makes the instance if there is none, unless it is to be let alone.
    pub(crate) fn prepare(&mut self, link: &Link, seat: &Seat, now: Time) {
        let waits = self.slot(link.id()).is_some_and(|slot| now < slot.retry_at);
        if !waits && !link.quarantine.is_on() {
            // A failure is counted and noticed there; the first message tries again.
            let _ = self.ready(link, seat, now);
        }
    }

    /// One call of a link's instance.
    pub(crate) fn call<T>(
        &mut self,
        link: &Link,
        entry: Entry,
        seat: &Seat,
        now: Time,
        call: &mut Call,
        run: impl FnOnce(&mut dyn Instance, &mut Call) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let stats = &link.stats[usize::from(seat.worker.0)];
        call.nanoseconds = 0;
        let slot = self.ready(link, seat, now)?;
        let Some(instance) = slot.instance.as_deref_mut() else { unreachable!("ready makes one") };
        stats.calls.add(1);
        if let Some(other) = entry.other() {
            stats.others[other].add(1);
        }
        match run(instance, call) {
            Ok(answer) => {
                let worn = instance.worn();
                slot.answered(entry);
                if entry == Entry::Message {
                    slot.pace = call.nanoseconds.max(1);
                }
                if let Some(cause) = worn {
                    stats.renewal(cause).add(1);
                    slot.instance = None;
                }
                Ok(answer)
            }
            Err(failure) => {
                call.effects.clear();
                stats.failure(failure.cause).add(1);
                if entry == Entry::Message {
                    stats.unanswered.add(1);
                }
                let retry_in = slot.strike(Some(entry), now);
                let quarantined = link.quarantine.begins(slot.strikes);
                self.notice(link, &failure, retry_in, quarantined);
                Err(failure)
            }
        }
    }

    /// Asks a link's instance for several messages at once, as far as it can be asked so now. Adds a verdict for each of the first of
    /// them, perhaps for none, and gives what it took in nanoseconds. Nothing is counted of a verdict before it is [used](Self::used).
    ///
    /// A call that fails has not been: its instance goes, and the messages are for a fresh one, one by one. So the one that is to blame
    /// is found, and no other meets what becomes of it. A plugin that fails so is not asked for several again for 1, 2, 4 … 30 seconds.
    pub(crate) fn foresee(
        &mut self,
        link: &Link,
        seat: &Seat,
        now: Time,
        call: &mut Call,
        messages: &[Message<'_>],
        verdicts: &mut Vec<Verdict>,
    ) -> u64 {
        let stats = &link.stats[usize::from(seat.worker.0)];
        let mut nanoseconds = 0;
        while verdicts.len() < messages.len() {
            let known = verdicts.len();
            // Instances are made for single messages, so that what is counted then is counted once.
            let Some(slot) = self.slot_mut(link.id()).filter(|_| !link.quarantine.is_on()) else { break };
            let count = slot.several(messages.len() - known, now);
            let Some(instance) = slot.instance.as_deref_mut().filter(|_| count > 1) else { break };
            call.session = None;
            call.nanoseconds = 0;
            let asked = &messages[known..known + count];
            let done = instance.messages(asked, call, verdicts);
            stats.batches.add(1);
            nanoseconds += call.nanoseconds;
            let failure = match done {
                Ok(()) if is_sound(asked, &verdicts[known..], &call.effects) => {
                    let worn = instance.worn();
                    slot.scattered = 0;
                    slot.pace = (call.nanoseconds / count as u64).max(1);
                    if let Some(cause) = worn {
                        stats.renewal(cause).add(1);
                        slot.instance = None;
                    }
                    continue;
                }
                Ok(()) => Failure {
                    cause: FailureCause::Answer,
                    detail: "it answered several messages as none can be answered".into(),
                },
                Err(failure) => failure,
            };
            verdicts.truncate(known);
            call.effects.clear();
            stats.batches_failed.add(1);
            slot.scatter(now);
            // What a message did to it, that message will do again. Answers that are none are never asked for again.
            if failure.cause == FailureCause::Answer {
                stats.calls.add(1);
                stats.failure(failure.cause).add(1);
                stats.unanswered.add(1);
                self.notice(link, &failure, None, false);
            }
            break;
        }
        nanoseconds
    }

    /// Whether a link's instance can be asked for several messages now.
    pub(crate) fn takes_several(&self, link: &Link, now: Time) -> bool {
        let ready = self.slot(link.id()).filter(|slot| slot.instance.is_some());
        !link.quarantine.is_on() && ready.is_some_and(|slot| slot.several(2, now) > 1)
    }

    /// Whether what a link's instance said ahead is what it would say now: not after failures for which it is left alone.
    pub(crate) fn stands_by(&self, link: &Link, now: Time) -> bool {
        !link.quarantine.is_on() && self.slot(link.id()).is_some_and(|slot| now >= slot.retry_at)
    }

    /// A verdict that was given ahead is what becomes of its message: from now on it counts as a call.
    pub(crate) fn used(&mut self, link: &Link, seat: &Seat, now: Time, verdict: &Verdict) {
        link.stats[usize::from(seat.worker.0)].calls.add(1);
        if let Some(slot) = self.slot_mut(link.id()) {
            slot.answered(Entry::Message);
        }
        if let Verdict::Drop(reason) = verdict
            && let Ok(slot) = self.ready(link, seat, now)
            && let Some(instance) = slot.instance.as_deref_mut()
        {
            instance.dropped(reason);
        }
    }

    fn ready(&mut self, link: &Link, seat: &Seat, now: Time) -> Result<&mut Slot, Failure> {
        let binding = link.binding.index();
        let slots = self.slots_of(link.binding);
        let at = place_of(slots, link.generation);
        let slot = &mut slots[at];
        let stats = &link.stats[usize::from(seat.worker.0)];
        if link.quarantine.is_on() {
            (slot.instance, slot.every) = (None, None);
            stats.failure(FailureCause::Quarantined).add(1);
            return Err(Failure {
                cause: FailureCause::Quarantined,
                detail: "it failed too often in a row; another file or config ends this".into(),
            });
        }
        if slot.instance.is_some() {
            return Ok(&mut self.slots[binding][at]);
        }
        if now < slot.retry_at {
            stats.failure(FailureCause::BackOff).add(1);
            return Err(Failure {
                cause: FailureCause::BackOff,
                detail: "its last instance failed; the next one is not yet due".into(),
            });
        }
        let mut effects = Vec::new();
        match link.program.instantiate(seat, &mut effects) {
            Ok(instance) => {
                stats.instances.add(1);
                slot.instance = Some(instance);
                for effect in effects {
                    if let Effect::Every { milliseconds } = effect {
                        slot.every(milliseconds, now);
                        slot.asked = Some(milliseconds);
                    }
                }
            }
            Err(failure) => {
                stats.failure(failure.cause).add(1);
                let retry_in = slot.strike(None, now);
                let quarantined = link.quarantine.begins(slot.strikes);
                self.notice(link, &failure, retry_in, quarantined);
                return Err(failure);
            }
        }
        Ok(&mut self.slots[binding][at])
    }

    fn slot(&self, id: GenerationId) -> Option<&Slot> {
        self.slots.get(id.binding.index())?.iter().find(|slot| slot.generation == id.generation)
    }

    fn slot_mut(&mut self, id: GenerationId) -> Option<&mut Slot> {
        self.slots.get_mut(id.binding.index())?.iter_mut().find(|slot| slot.generation == id.generation)
    }

    fn slots_of(&mut self, binding: BindingId) -> &mut Vec<Slot> {
        let binding = binding.index();
        if self.slots.len() <= binding {
            self.slots.resize_with(binding + 1, Vec::new);
        }
        &mut self.slots[binding]
    }

    /// Has a place for the timer of a generation that is called elsewhere.
    pub(crate) fn keep_time(&mut self, id: GenerationId) {
        place_of(self.slots_of(id.binding), id.generation);
    }

    /// The interval that a new instance asked for, once.
    pub(crate) fn take_asked(&mut self, id: GenerationId) -> Option<u32> {
        self.slot_mut(id)?.asked.take()
    }

    /// Failures elsewhere, for the log.
    pub(crate) fn note(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            if self.notices.len() < NOTICES || notice.quarantined {
                self.notices.push(notice);
            }
        }
    }

    /// Sets the interval of a generation's `on-timer`.
    pub(crate) fn every(&mut self, id: GenerationId, milliseconds: u32, now: Time) {
        if let Some(slot) = self.slot_mut(id) {
            slot.every(milliseconds, now);
        }
    }

    /// Whether the generation's `on-timer` is due; if so, its next time is set.
    pub(crate) fn timer_due(&mut self, id: GenerationId, now: Time) -> bool {
        let Some((interval, due)) = self.slot_mut(id).and_then(|slot| slot.every.as_mut()) else {
            return false;
        };
        if now < *due {
            return false;
        }
        // A worker that was late does not catch up with a burst.
        *due = (*due + *interval).max(now);
        true
    }

    pub(crate) fn next_timer(&self, id: GenerationId) -> Option<Time> {
        self.slot(id)?.every.map(|(_, due)| due)
    }

    fn notice(&mut self, link: &Link, failure: &Failure, retry_in: Option<Duration>, quarantined: bool) {
        // A quarantine is told of once: it has a place of its own.
        if self.notices.len() < NOTICES || quarantined {
            self.notices.push(Notice {
                binding: link.name.clone(),
                generation: link.generation,
                failure: failure.clone(),
                retry_in,
                quarantined,
            });
        }
    }
}

/// The place of a generation's slot, made if there is none.
fn place_of(slots: &mut Vec<Slot>, generation: u64) -> usize {
    slots.iter().position(|slot| slot.generation == generation).unwrap_or_else(|| {
        slots.push(Slot { generation, ..Slot::default() });
        slots.len() - 1
    })
}

impl Slot {
    fn answered(&mut self, entry: Entry) {
        // A plugin that fails on every message is not as good as new because it answers that a session opened: clients that come anew
        // for each message would keep it from ever being left alone.
        if self.struck.is_none_or(|struck| struck == entry) {
            self.strikes = 0;
        }
    }

    /// How many of so many messages may be given to it at once.
    fn several(&self, messages: usize, now: Time) -> usize {
        if self.pace == 0 || now < self.alone_until {
            return 0;
        }
        let in_time = (SEVERAL_NS / self.pace).min(Together::MESSAGES as u64) as usize;
        messages.min(in_time)
    }

    /// A call for several messages failed: for a while they go one by one.
    fn scatter(&mut self, now: Time) {
        self.instance = None;
        self.scattered = self.scattered.saturating_add(1);
        let wait = Duration::from_secs(1 << (self.scattered - 1).min(5)).min(Duration::from_secs(30));
        self.alone_until = now + wait;
    }

    /// The first failure is answered with a fresh instance at once, the next after 1, 2, 4 … 30 seconds.
    fn strike(&mut self, entry: Option<Entry>, now: Time) -> Option<Duration> {
        self.instance = None;
        self.struck = entry;
        self.strikes = self.strikes.saturating_add(1);
        if self.strikes < 2 {
            return None;
        }
        let wait = Duration::from_secs(1 << (self.strikes - 2).min(5)).min(Duration::from_secs(30));
        self.retry_at = now + wait;
        Some(wait)
    }

    fn every(&mut self, milliseconds: u32, now: Time) {
        let interval = Duration::from_millis(milliseconds.into());
        self.every = match (milliseconds, self.every) {
            (0, _) => None,
            // A renewed instance asks for the same again: the rhythm goes on.
            (_, Some((same, due))) if same == interval => Some((same, due)),
            _ => Some((interval, now + interval)),
        };
    }
}

/// Whether these can be the verdicts on these messages.
fn is_sound(messages: &[Message<'_>], verdicts: &[Verdict], effects: &[Effect]) -> bool {
    let sound = |(message, verdict): (&Message<'_>, &Verdict)| match verdict {
        Verdict::Forward(_) => message.kind != crate::Kind::Text || !verdict.is_garbled_text(),
        Verdict::Drop(_) | Verdict::Close(_) => true,
        Verdict::Hold(_) => false,
    };
    effects.is_empty() && messages.len() == verdicts.len() && messages.iter().zip(verdicts).all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Directory;
    use crate::id::WorkerId;
    use crate::lineup::{Era, Share, Term};
    use crate::program::{Directions, Program, SessionInfo, Worn};
    use crate::quarantine::Quarantine;
    use crate::snapshot::OnFailure;
    use crate::stats::CallStats;
    use crate::verdict::{Rejection, Verdict};
    use crate::{Message, SessionId};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Fragile {
        made: AtomicUsize,
        worn: bool,
        every: u32,
    }

    struct Instant {
        worn: bool,
    }

    impl Program for Fragile {
        fn instantiate(&self, _: &Seat, effects: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
            self.made.fetch_add(1, Ordering::Relaxed);
            effects.push(Effect::Every { milliseconds: self.every });
            Ok(Box::new(Instant { worn: self.worn }))
        }
    }

    impl Instance for Instant {
        fn open(&mut self, _: &SessionInfo, _: &mut Call) -> Result<Result<(), Rejection>, Failure> {
            Ok(Ok(()))
        }

        fn message(&mut self, _: &Message<'_>, _: &mut Call) -> Result<Verdict, Failure> {
            Ok(Verdict::Hold(0))
        }

        fn close(&mut self, _: SessionId, _: &Rejection, _: &mut Call) -> Result<(), Failure> {
            Ok(())
        }

        fn timer(&mut self, _: &mut Call) -> Result<(), Failure> {
            Ok(())
        }

        fn worn(&self) -> Option<Worn> {
            self.worn.then_some(Worn::Memory)
        }
    }

    fn link(program: &Arc<Fragile>) -> Link {
        Link {
            binding: BindingId(2),
            name: "fragile".into(),
            generation: 1,
            program: program.clone(),
            directions: Directions::default(),
            on_failure: OnFailure::default(),
            stats: (0..1).map(|_| CallStats::default()).collect(),
            terms: Arc::default(),
            max_held: usize::MAX,
            quarantine: Arc::new(Quarantine::after(0)),
            offload: None,
        }
    }

    fn seat() -> Seat {
        Seat { worker: WorkerId(0), directory: Arc::new(Directory::new(1)) }
    }

    fn call(roster: &mut Roster, link: &Link, now: Time, fails: bool) -> Result<(), FailureCause> {
        call_of(roster, link, Entry::Message, now, fails)
    }

    fn call_of(
        roster: &mut Roster,
        link: &Link,
        entry: Entry,
        now: Time,
        fails: bool,
    ) -> Result<(), FailureCause> {
        let failure = Failure { cause: FailureCause::Deadline, detail: "".into() };
        let answer = roster.call(link, entry, &seat(), now, &mut Call::default(), |_, call| {
            call.effects.push(Effect::Every { milliseconds: 9 });
            if fails { Err(failure) } else { Ok(()) }
        });
        answer.map_err(|failure| failure.cause)
    }

    #[test]
    fn the_next_instance_comes_at_once_then_later_and_later() {
        let program = Arc::new(Fragile::default());
        let (mut roster, link) = (Roster::default(), link(&program));
        let mut now = Time(0);
        for wait in [0, 1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(call(&mut roster, &link, now, true), Err(FailureCause::Deadline));
            let retry_in = roster.notices.pop().unwrap().retry_in;
            assert_eq!(retry_in, (wait > 0).then(|| Duration::from_secs(wait)));
            if wait > 0 {
                let early = Time((now + Duration::from_secs(wait)).0 - 1);
                assert_eq!(call(&mut roster, &link, early, true), Err(FailureCause::BackOff));
            }
            now = now + Duration::from_secs(wait);
        }
        // An answer makes it as good as new.
        assert_eq!(call(&mut roster, &link, now, false), Ok(()));
        assert_eq!(call(&mut roster, &link, now, true), Err(FailureCause::Deadline));
        assert_eq!(call(&mut roster, &link, now, false), Ok(()));
        assert_eq!(link.stats[0].instances.value() as usize, program.made.load(Ordering::Relaxed));
        assert_eq!(link.stats[0].failure(FailureCause::Deadline).value(), 9);
        assert_eq!(link.stats[0].failure(FailureCause::BackOff).value(), 7);
    }

    #[test]
    fn after_so_many_failures_in_a_row_no_worker_tries_again() {
        let program = Arc::new(Fragile { every: 10, ..Fragile::default() });
        let mut link = link(&program);
        link.quarantine = Arc::new(Quarantine::after(3));
        let (mut roster, mut other) = (Roster::default(), Roster::default());
        assert_eq!(call(&mut other, &link, Time(0), false), Ok(()));
        for at in [0, 0, 1_000_000] {
            assert!(!link.quarantine.is_on());
            assert_eq!(call(&mut roster, &link, Time(at), true), Err(FailureCause::Deadline));
        }
        let told: Vec<_> = roster.notices.iter().map(|notice| notice.quarantined).collect();
        assert_eq!(told, [false, false, true]);
        let made = program.made.load(Ordering::Relaxed);
        let late = Time(1_000_000_000_000);
        for roster in [&mut roster, &mut other] {
            assert_eq!(call(roster, &link, late, false), Err(FailureCause::Quarantined));
            assert_eq!(roster.next_timer(link.id()), None);
            roster.adopt(&Snapshot { bindings: vec![link.clone()], ..Snapshot::default() }, &seat(), late);
        }
        assert_eq!(program.made.load(Ordering::Relaxed), made, "not even by a snapshot");
        assert_eq!(link.stats[0].failure(FailureCause::Quarantined).value(), 2);
        let next = Link { generation: 2, quarantine: Arc::new(Quarantine::after(3)), ..link };
        assert_eq!(call(&mut roster, &next, late, false), Ok(()));
    }

    #[test]
    fn only_the_function_that_failed_can_make_good_for_it() {
        let program = Arc::new(Fragile::default());
        let (mut roster, link) = (Roster::default(), link(&program));
        let mut call = |entry, fails| call_of(&mut roster, &link, entry, Time(0), fails);
        // Sessions that open, say what it fails on, and end.
        assert_eq!(call(Entry::Open, false), Ok(()));
        assert_eq!(call(Entry::Message, true), Err(FailureCause::Deadline));
        assert_eq!(call(Entry::Close, false), Ok(()));
        assert_eq!(call(Entry::Open, false), Ok(()));
        assert_eq!(call(Entry::Message, true), Err(FailureCause::Deadline));
        assert_eq!(call(Entry::Close, false), Err(FailureCause::BackOff));
    }

    #[test]
    fn a_failed_call_has_no_effects() {
        let program = Arc::new(Fragile::default());
        let mut given = Call::default();
        let failed =
            Roster::default().call(&link(&program), Entry::Timer, &seat(), Time(0), &mut given, |_, call| {
                call.effects.push(Effect::Every { milliseconds: 9 });
                Err::<(), _>(Failure { cause: FailureCause::Trap, detail: "".into() })
            });
        assert!(failed.is_err() && given.effects.is_empty());
    }

    #[test]
    fn a_worn_instance_is_renewed_and_a_new_generation_begins_anew() {
        let program = Arc::new(Fragile { worn: true, ..Fragile::default() });
        let (mut roster, first) = (Roster::default(), link(&program));
        for made in 1..4 {
            call(&mut roster, &first, Time(0), false).unwrap();
            assert_eq!(program.made.load(Ordering::Relaxed), made);
        }
        assert_eq!(first.stats[0].renewal(Worn::Memory).value(), 3);
        (0..3).for_each(|_| assert!(call(&mut roster, &first, Time(0), true).is_err()));
        let second = Link { generation: 2, ..first };
        assert_eq!(call(&mut roster, &second, Time(0), false), Ok(()), "what the last one did is forgotten");
    }

    #[test]
    fn a_snapshot_brings_its_instances_and_takes_others_away() {
        let program = Arc::new(Fragile { every: 10, ..Fragile::default() });
        let (mut roster, link) = (Roster::default(), link(&program));
        let snapshot = Snapshot { bindings: vec![link.clone()], ..Snapshot::default() };
        roster.adopt(&snapshot, &seat(), Time(0));
        roster.adopt(&snapshot, &seat(), Time(0));
        assert_eq!(program.made.load(Ordering::Relaxed), 1);
        assert_eq!(roster.next_timer(link.id()), Some(Time(10_000)));
        assert!(!roster.timer_due(link.id(), Time(9_999)) && roster.timer_due(link.id(), Time(10_000)));
        // One that waits for its next instance is not counted as a failure by a reload.
        (0..2).for_each(|_| assert!(call(&mut roster, &link, Time(0), true).is_err()));
        roster.adopt(&snapshot, &seat(), Time(1));
        assert_eq!(link.stats[0].failure(FailureCause::BackOff).value(), 0);
        roster.adopt(&Snapshot::default(), &seat(), Time(1));
        assert_eq!(roster.next_timer(link.id()), None);
    }

    #[test]
    fn two_generations_have_an_instance_each_and_the_timer_is_the_links_own() {
        let (old, new) = (
            Arc::new(Fragile { every: 10, ..Fragile::default() }),
            Arc::new(Fragile { every: 3, ..Fragile::default() }),
        );
        let mut roster = Roster::default();
        let tried = Link { generation: 2, ..link(&new) };
        let term = Term { link: tried.clone(), since: Era(0), share: Share::new(0.5) };
        let both = Link { terms: [term].into(), ..link(&old) };
        let snapshot = |link: &Link| Snapshot { bindings: vec![link.clone()], ..Snapshot::default() };
        roster.adopt(&snapshot(&both), &seat(), Time(0));
        let made = || (old.made.load(Ordering::Relaxed), new.made.load(Ordering::Relaxed));
        assert_eq!(made(), (1, 1));
        // One that fails leaves the other alone.
        assert!(call(&mut roster, &tried, Time(0), true).is_err());
        assert!(call(&mut roster, &tried, Time(0), true).is_err());
        assert_eq!(call(&mut roster, &tried, Time(0), false), Err(FailureCause::BackOff));
        assert_eq!(call(&mut roster, &both, Time(0), false), Ok(()));
        roster.adopt(&snapshot(&both), &seat(), Time(1));
        assert_eq!(made(), (1, 2), "an instance that serves is kept");
        assert_eq!(roster.next_timer(both.id()), Some(Time(10_000)));
        roster.adopt(&snapshot(&tried), &seat(), Time(1));
        assert_eq!(roster.next_timer(both.id()), None, "what serves no more is gone");
        assert_eq!(roster.slots[both.binding.index()].len(), 1);
    }

    #[test]
    fn notices_are_bounded() {
        let program = Arc::new(Fragile::default());
        let (mut roster, link) = (Roster::default(), link(&program));
        for at in 0..200 {
            assert!(call(&mut roster, &link, Time(at * 100_000_000), true).is_err());
        }
        assert_eq!(roster.notices.len(), NOTICES);
    }
}
