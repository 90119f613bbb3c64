//! What was fitted on one machine, for another: two runs tell how much slower or faster it is.

use crate::coefficients::{Coefficients, Terms};
use crate::measure::{MeasureError, Probe, Run, Setup};
use crate::model::{Part, Transport, Workload, parts};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// The machine differs at most so many times; what says more is taken for a disturbed measurement.
const MOST: f64 = 8.0;
/// Messages in flight of the second run.
const DEEP: usize = 64;
/// Of each run so many slices are taken, and their median counts.
const SLICES: usize = 5;
const SLICE: Duration = Duration::from_millis(300);

/// How many times as long things take here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scale {
    /// What happens once a turn: waking, reading, writing. Mostly the kernel's.
    pub turns: f64,
    /// What happens for each message.
    pub messages: f64,
}

impl Scale {
    /// From what runs of one message alone and of many together cost here, µs. `None`: they contradict the formula, or each other.
    pub fn of(terms: &Terms, alone: &(Workload, f64), together: &(Workload, f64)) -> Option<Self> {
        let split = |workload: &Workload| {
            let parts = parts(terms, workload);
            let turns: f64 = Part::ALL
                .into_iter()
                .zip(parts)
                .filter(|(part, _)| matches!(part, Part::Turn | Part::Among))
                .map(|(_, part)| part)
                .sum();
            (turns, parts.iter().sum::<f64>() - turns)
        };
        let ((turns_one, messages_one), (turns_many, messages_many)) = (split(&alone.0), split(&together.0));
        let determinant = turns_one * messages_many - turns_many * messages_one;
        if determinant.abs() < f64::EPSILON {
            return None;
        }
        let turns = (alone.1 * messages_many - together.1 * messages_one) / determinant;
        let messages = (turns_one * together.1 - turns_many * alone.1) / determinant;
        let likely = |scale: f64| (MOST.recip()..=MOST).contains(&scale);
        (likely(turns) && likely(messages)).then_some(Self { turns, messages })
    }

    /// Measures this machine with that gateway, for some 5 seconds.
    ///
    /// # Errors
    /// It cannot be measured; or what was measured makes no sense.
    pub fn measure(
        program: &Path,
        coefficients: &Coefficients,
        transport: Transport,
    ) -> Result<Self, MeasureError> {
        let measure = |burst: usize| -> Result<(Workload, f64), MeasureError> {
            let setup = Setup {
                transport,
                sessions: 100,
                size: 64,
                burst,
                fanout: None,
                plugin: None,
                calls: 0,
                copy_calls: 0,
                plugin_us: 0.0,
            };
            let mut probe = Probe::start(program, &setup)?;
            let mut runs: Vec<Run> =
                (0..SLICES).map(|_| probe.run(SLICE)).collect::<Result<_, MeasureError>>()?;
            runs.sort_by(|one, other| one.cost_us.total_cmp(&other.cost_us));
            let middle = runs[SLICES / 2];
            Ok((middle.workload, middle.cost_us))
        };
        let (alone, together) = (measure(1)?, measure(DEEP)?);
        let found =
            coefficients.of(transport).and_then(|measured| Self::of(&measured.terms, &alone, &together));
        found.ok_or_else(|| {
            MeasureError::Talk(format!(
                "an echo took {:.2} µs alone and {:.2} µs among {DEEP}, which the formula cannot explain; \
                 was the machine busy with something else? try again",
                alone.1, together.1
            ))
        })
    }

    /// The coefficients as they are here.
    #[must_use]
    pub fn apply(self, coefficients: &Coefficients) -> Coefficients {
        let mut scaled = coefficients.clone();
        scaled.call = scaled.call.scaled(self.messages);
        for measured in scaled.transports.values_mut() {
            measured.terms = measured.terms.scaled(self.turns, self.messages);
        }
        scaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cost;

    const TERMS: Terms = Terms::ROUND;

    fn echoes(terms: &Terms) -> [(Workload, f64); 2] {
        [1.0, 64.0].map(|burst| {
            let workload = Workload { burst, ..Workload::default() };
            (workload, cost(terms, &workload))
        })
    }

    #[test]
    fn a_machine_with_another_kernel_and_another_core_is_told_apart() {
        let [alone, together] = echoes(&TERMS.scaled(1.7, 0.8));
        let scale = Scale::of(&TERMS, &alone, &together).unwrap();
        assert!((scale.turns - 1.7).abs() < 1e-9 && (scale.messages - 0.8).abs() < 1e-9, "{scale:?}");
    }

    #[test]
    fn all_that_is_known_is_scaled_also_what_is_taken_off_a_plugins_loop() {
        let shipped = Coefficients::shipped().unwrap();
        let scaled = Scale { turns: 2.0, messages: 3.0 }.apply(&shipped);
        assert!((scaled.call.alone / shipped.call.alone - 3.0).abs() < 1e-9);
        assert!((scaled.call.together / shipped.call.together - 3.0).abs() < 1e-9);
        for (transport, measured) in &shipped.transports {
            let terms = scaled.of(*transport).unwrap().terms;
            assert!((terms.turn / measured.terms.turn - 2.0).abs() < 1e-9);
            assert!((terms.message / measured.terms.message - 3.0).abs() < 1e-9);
        }
        // Bytes are the same everywhere.
        assert_eq!(scaled.memory, shipped.memory);
    }

    #[test]
    fn what_makes_no_sense_is_no_scale() {
        let [alone, together] = echoes(&TERMS);
        // Together dearer than alone; and a machine a hundred times as slow.
        assert_eq!(Scale::of(&TERMS, &alone, &(together.0, alone.1 * 2.0)), None);
        assert_eq!(Scale::of(&TERMS, &(alone.0, alone.1 * 100.0), &(together.0, together.1 * 100.0)), None);
        assert_eq!(Scale::of(&Terms::default(), &alone, &together), None);
    }
}
