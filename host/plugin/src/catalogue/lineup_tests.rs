use super::*;
use crate::rollout::Band;
use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;
use weir_core::Histogram;

#[derive(Clone, Debug)]
struct Fake(u64, Rc<Cell<Figures>>, Rc<Cell<bool>>);

impl Serves for Fake {
    fn number(&self) -> u64 {
        self.0
    }

    fn figures(&self) -> Figures {
        self.1.get()
    }

    fn is_quarantined(&self) -> bool {
        self.2.get()
    }
}

impl Fake {
    fn new(number: u64) -> Self {
        Self(number, Rc::default(), Rc::default())
    }

    fn counts(&self, answers: u64, failures: u64) {
        let mut figures = self.1.get();
        figures.calls += answers + failures;
        figures.failures += failures;
        figures.latency[3] += answers;
        assert_eq!(figures.latency.len(), Histogram::BOUNDS.len() + 1);
        self.1.set(figures);
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn canary() -> RolloutPolicy {
    let canary = Some(CanaryPolicy { share: 0.05, window: 30 * SECOND });
    RolloutPolicy { canary, band: Band { looks: 1, ..Band::default() }, ..RolloutPolicy::default() }
}

fn all() -> RolloutPolicy {
    RolloutPolicy { canary: None, ..canary() }
}

fn pinning(policy: RolloutPolicy) -> RolloutPolicy {
    RolloutPolicy { pin: Some(600 * SECOND), ..policy }
}

/// The generations and for whom they are; at last what the rest meets.
fn shown(lineup: &Lineup<Fake>) -> String {
    let Some((served, rest)) = lineup.serving() else { return String::new() };
    let mut text = String::new();
    for Served { generation, terms } in served {
        for (era, share) in terms {
            let _ = write!(text, "{}@{}:{share} ", generation.0, era.0);
        }
    }
    text + &rest.0.to_string()
}

fn told(events: &[Event<Fake>]) -> String {
    let one = |event: &Event<Fake>| match event {
        Event::Promoted(generation) => format!("promoted {}", generation.0),
        Event::TakenBack { bad, serving, .. } => format!("{} back to {}", bad.0, serving.0),
        Event::Drained(generation) => format!("drained {}", generation.0),
    };
    events.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A lineup with these generations, one after the other; each stands its trials before the next comes.
fn stood(policy: &RolloutPolicy, now: Instant, numbers: &[u64]) -> (Lineup<Fake>, Vec<Fake>) {
    let mut lineup = Lineup::default();
    let fakes: Vec<_> = numbers.iter().map(|number| Fake::new(*number)).collect();
    for fake in &fakes {
        lineup.take_up(fake.clone(), policy, now, Era(fake.0 as u32));
        fake.counts(1000, 0);
        lineup.probation = None;
    }
    (lineup, fakes)
}

#[test]
fn the_first_generation_meets_everybody_and_is_not_on_trial() {
    let (start, mut lineup) = (Instant::now(), Lineup::default());
    assert_eq!(lineup.take_up(Fake::new(1), &canary(), start, Era(1)), Taken::Everybody);
    assert_eq!(shown(&lineup), "1@0:1 1");
    assert!(!lineup.is_watched());
    assert_eq!(lineup.on_trial(start), None);
}

impl PartialEq for Fake {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

#[test]
fn a_canary_meets_its_share_for_its_time_and_then_everybody() {
    let start = Instant::now();
    let (mut lineup, _) = stood(&all(), start, &[1]);
    let new = Fake::new(2);
    assert!(matches!(lineup.take_up(new.clone(), &canary(), start, Era(2)), Taken::Canary(_)));
    assert_eq!(shown(&lineup), "2@0:0.05 1@0:1 1");
    new.counts(1000, 0);
    assert_eq!(told(&lineup.look(&canary(), start + 29 * SECOND, Era(2))), "");
    let trial = lineup.on_trial(start + 29 * SECOND).unwrap();
    assert_eq!((trial.generation.0, trial.share, trial.left), (2, Some(0.05), SECOND));
    assert_eq!(told(&lineup.look(&canary(), start + 30 * SECOND, Era(3))), "promoted 2");
    assert_eq!(shown(&lineup), "2@0:1 2@0:0.05 2");
    // Everybody's, it is watched for some time more.
    assert!(lineup.is_on_probation());
    new.counts(0, 1000);
    assert_eq!(told(&lineup.look(&canary(), start + 31 * SECOND, Era(4))), "2 back to 1");
    assert_eq!(shown(&lineup), "1@0:1 1");
    assert!(!lineup.is_watched());
}

#[test]
fn a_canary_that_fails_is_taken_back_and_nobody_else_noticed() {
    let start = Instant::now();
    let (mut lineup, _) = stood(&all(), start, &[1]);
    let new = Fake::new(2);
    lineup.take_up(new.clone(), &canary(), start, Era(2));
    new.counts(0, 9);
    assert_eq!(told(&lineup.look(&canary(), start, Era(2))), "2 back to 1");
    assert_eq!(shown(&lineup), "1@0:1 1");
}

#[test]
fn one_in_quarantine_is_taken_back_whatever_its_band_says_unless_the_one_before_is_there_too() {
    let start = Instant::now();
    let (mut lineup, before) = stood(&all(), start, &[1]);
    let canary = RolloutPolicy { band: Band { failures: 0, looks: 9, ..Band::default() }, ..canary() };
    let new = Fake::new(2);
    lineup.take_up(new.clone(), &canary, start, Era(2));
    assert_eq!(told(&lineup.look(&canary, start, Era(2))), "");
    new.2.set(true);
    let events = lineup.look(&canary, start, Era(2));
    assert_eq!(told(&events), "2 back to 1");
    assert!(matches!(&events[0], Event::TakenBack { why, .. } if why.contains("so often in a row")));
    let third = Fake::new(3);
    lineup.take_up(third.clone(), &all(), start, Era(3));
    third.2.set(true);
    before[0].2.set(true);
    assert_eq!(told(&lineup.look(&all(), start, Era(3))), "", "nothing is better");
    before[0].2.set(false);
    assert_eq!(told(&lineup.look(&all(), start, Era(3))), "3 back to 1");
}

#[test]
fn the_next_version_takes_the_place_of_a_canary() {
    let start = Instant::now();
    let (mut lineup, _) = stood(&all(), start, &[1]);
    lineup.take_up(Fake::new(2), &canary(), start, Era(2));
    lineup.take_up(Fake::new(3), &canary(), start, Era(3));
    assert_eq!(shown(&lineup), "3@0:0.05 1@0:1 1");
    lineup.take_up(Fake::new(4), &all(), start, Era(4));
    assert_eq!(shown(&lineup), "4@0:1 4");
    assert!(!lineup.call_off() && lineup.is_on_probation());
}

#[test]
fn what_has_not_stood_its_trial_is_nothing_to_go_back_to() {
    let start = Instant::now();
    let (mut lineup, _) = stood(&all(), start, &[1]);
    lineup.take_up(Fake::new(2), &all(), start, Era(2));
    let third = Fake::new(3);
    lineup.take_up(third.clone(), &all(), start, Era(3));
    third.counts(0, 9);
    assert_eq!(told(&lineup.look(&all(), start, Era(3))), "3 back to 1");
    // A canary beside one on probation: each is judged by itself.
    lineup.take_up(Fake::new(4), &all(), start, Era(4));
    let fourth = lineup.stable().unwrap().clone();
    lineup.take_up(Fake::new(5), &canary(), start, Era(5));
    fourth.counts(0, 9);
    assert_eq!(told(&lineup.look(&canary(), start, Era(5))), "4 back to 1");
    assert_eq!(shown(&lineup), "5@0:0.05 1@0:1 1");
}

#[test]
fn pinned_sessions_stay_until_their_time_is_over() {
    let (start, policy) = (Instant::now(), pinning(canary()));
    let (mut lineup, _) = stood(&pinning(all()), start, &[1]);
    lineup.take_up(Fake::new(2), &policy, start, Era(2));
    assert_eq!(shown(&lineup), "2@2:0.05 1@1:1 1");
    let promoted = start + 30 * SECOND;
    assert_eq!(told(&lineup.look(&policy, promoted, Era(7))), "promoted 2");
    assert_eq!(shown(&lineup), "2@7:1 2@2:0.05 1@1:1 2");
    assert_eq!(lineup.pinned(promoted)[0].1, 600 * SECOND);
    assert_eq!(told(&lineup.look(&policy, promoted + 599 * SECOND, Era(7))), "");
    assert_eq!(told(&lineup.look(&policy, promoted + 600 * SECOND, Era(7))), "drained 1");
    assert_eq!(shown(&lineup), "2@7:1 2@2:0.05 2");
    assert!(!lineup.is_watched());
}

#[test]
fn what_is_taken_back_leaves_its_sessions_to_the_one_before() {
    let (start, policy) = (Instant::now(), pinning(all()));
    let (mut lineup, _) = stood(&policy, start, &[1]);
    let new = Fake::new(2);
    lineup.take_up(new.clone(), &policy, start, Era(2));
    assert_eq!(shown(&lineup), "2@2:1 1@1:1 2");
    new.counts(0, 9);
    assert_eq!(told(&lineup.look(&policy, start, Era(2))), "2 back to 1");
    // Sessions of era 2 are of era 1 and later.
    assert_eq!(shown(&lineup), "1@1:1 1");
}

#[test]
fn only_so_many_are_alive_and_the_oldest_moves_first() {
    let (start, policy) = (Instant::now(), pinning(all()));
    let (mut lineup, _) = stood(&policy, start, &[1, 2, 3, 4, 5]);
    assert_eq!(shown(&lineup), "5@5:1 4@4:1 3@3:1 5");
    lineup.take_up(Fake::new(6), &pinning(canary()), start, Era(6));
    assert_eq!(lineup.serving().unwrap().0.len(), MAX_LIVE);
    // Where nothing is pinned any more, all move.
    lineup.take_up(Fake::new(7), &all(), start, Era(7));
    assert_eq!(shown(&lineup), "7@0:1 7");
}
