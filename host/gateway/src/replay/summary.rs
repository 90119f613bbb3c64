//! What a replay adds up to.

use super::compare::{Difference, Outcome};
use super::tape::{Event, Step};
use std::collections::BTreeMap;
use weir_recording::Answer;

/// Of all steps that were compared.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) compared: u64,
    pub(super) different: u64,
    /// How many have each kind of difference; one may have several.
    pub(super) kinds: BTreeMap<String, u64>,
    /// Messages of which the recording has no verdict, because no instance was there.
    pub(super) unjudged: u64,
    /// Failures of the new version by cause, with the first of each.
    pub(super) failures: BTreeMap<String, (u64, String)>,
    /// Of the other one.
    pub(super) failures_before: BTreeMap<String, (u64, String)>,
    /// Of messages, as recorded, in nanoseconds.
    recorded: Vec<u64>,
    fuel: Vec<u64>,
    fuel_before: Vec<u64>,
}

/// A distribution: the median, the 99th of a hundred, the most.
pub(super) struct Spread {
    pub(super) median: u64,
    pub(super) p99: u64,
    pub(super) most: u64,
}

impl Summary {
    /// A step that cannot be compared.
    pub(super) fn pass_over(&mut self, step: &Step) {
        if let Event::Message(met) = &step.event
            && met.payload.bytes().is_some()
        {
            self.unjudged += 1;
        }
    }

    pub(super) fn add(
        &mut self,
        step: &Step,
        expected: &Outcome,
        said: &Outcome,
        differences: &[Difference],
    ) {
        self.compared += 1;
        self.different += u64::from(!differences.is_empty());
        for difference in differences {
            *self.kinds.entry(difference.label()).or_default() += 1;
        }
        fail(&mut self.failures, said);
        fail(&mut self.failures_before, expected);
        if matches!(step.event, Event::Message(_)) {
            self.recorded.extend(expected.nanoseconds);
            self.fuel.extend(said.fuel);
            self.fuel_before.extend(expected.fuel);
        }
    }

    pub(super) fn is_same(&self) -> bool {
        self.different == 0
    }

    /// What the recorded calls took, in nanoseconds.
    pub(super) fn recorded(&mut self) -> Option<Spread> {
        spread(&mut self.recorded)
    }

    /// Fuel that the new version used for a message.
    pub(super) fn fuel(&mut self) -> Option<Spread> {
        spread(&mut self.fuel)
    }

    /// The same of the one that it is compared with, where that was replayed too.
    pub(super) fn fuel_before(&mut self) -> Option<Spread> {
        spread(&mut self.fuel_before)
    }
}

fn fail(failures: &mut BTreeMap<String, (u64, String)>, outcome: &Outcome) {
    if let Answer::Failed { cause } = &outcome.answer {
        let first = || (0, outcome.detail.clone().unwrap_or_default());
        failures.entry(cause.clone()).or_insert_with(first).0 += 1;
    }
}

fn spread(values: &mut [u64]) -> Option<Spread> {
    values.sort_unstable();
    let most = *values.last()?;
    let at = |share: usize| values[values.len() * share / 100];
    Some(Spread { median: at(50), p99: at(99), most })
}
