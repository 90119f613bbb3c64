//! Least squares without negative coefficients.
//!
//! What is made small is the error relative to what was measured: runs of 0.3 µs and of 4 ms a message count alike. Coefficients are
//! found one after the other, each with the others held, until nothing moves (coordinate descent). With eleven of them that is quick, and
//! it needs no decomposition that breaks down where two terms nearly say the same.

use crate::model::{Part, Workload, features};

const TERMS: usize = Part::ALL.len();
/// Rounds over all coefficients: far more than are needed.
const ROUNDS: usize = 200_000;
/// What no longer counts as moving, as a part of the largest coefficient.
const STILL: f64 = 1e-12;

/// Coefficients in the order of [`Part::ALL`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitted {
    /// µs.
    pub values: [f64; TERMS],
    /// How many rounds it took.
    pub rounds: usize,
}

/// Fits the formula to workloads and what a message of each cost, µs. A term that no run pays stays 0.
///
/// Runs that cost nothing are left out: no error is relative to nothing.
pub fn fit(runs: &[(Workload, f64)]) -> Fitted {
    // Rows as parts of what was measured, less what is known: the goal is 1 for each.
    let rows: Vec<([f64; TERMS], f64)> = runs
        .iter()
        .filter(|(_, measured)| *measured > 0.0)
        .map(|(workload, measured)| {
            let goal = (measured - workload.plugin_us) / measured;
            (features(workload).map(|feature| feature / measured), goal)
        })
        .collect();
    let mut gram = [[0.0; TERMS]; TERMS];
    let mut toward = [0.0; TERMS];
    for (row, goal) in &rows {
        for one in 0..TERMS {
            toward[one] += row[one] * goal;
            for other in 0..TERMS {
                gram[one][other] += row[one] * row[other];
            }
        }
    }
    let mut values = [0.0_f64; TERMS];
    for round in 0..ROUNDS {
        let mut moved = 0.0_f64;
        for at in 0..TERMS {
            if gram[at][at] <= 0.0 {
                continue;
            }
            let others: f64 =
                (0..TERMS).filter(|other| *other != at).map(|other| gram[at][other] * values[other]).sum();
            let next = ((toward[at] - others) / gram[at][at]).max(0.0);
            moved = moved.max((next - values[at]).abs());
            values[at] = next;
        }
        let largest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        if moved <= largest * STILL {
            return Fitted { values, rounds: round + 1 };
        }
    }
    Fitted { values, rounds: ROUNDS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coefficients::Terms;
    use crate::model::cost;

    const TRUE: [f64; TERMS] = [9.5, 1.2, 0.45, 0.6, 1.9, 0.08, 3.4, 0.25, 0.31, 0.12, 0.19];

    /// Settings like those of the bench.
    fn settings() -> Vec<Workload> {
        let mut settings = Vec::new();
        for burst in [1.0, 4.0, 16.0, 64.0] {
            for (talking, size, calls) in [
                (100.0, 64.0, 0.0),
                (1000.0, 64.0, 0.0),
                (100.0, 4096.0, 0.0),
                (100.0, 64.0, 2.0),
                (300.0, 512.0, 1.0),
            ] {
                settings.push(Workload { talking, size, burst, calls, ..Workload::default() });
            }
            for (fanout, size) in [(10.0, 64.0), (300.0, 64.0), (1000.0, 1024.0), (1000.0, 64.0)] {
                settings.push(Workload { fanout: Some(fanout), size, burst, ..Workload::default() });
                settings.push(Workload {
                    fanout: Some(fanout),
                    size,
                    burst,
                    copy_calls: 1.0,
                    ..Workload::default()
                });
            }
        }
        settings
    }

    #[test]
    fn known_coefficients_are_found_again() {
        let terms = Terms::new(TRUE, 0.0);
        let runs: Vec<_> =
            settings().into_iter().map(|workload| (workload, cost(&terms, &workload))).collect();
        let fitted = fit(&runs);
        for (part, (found, known)) in Part::ALL.iter().zip(fitted.values.iter().zip(TRUE)) {
            assert!((found / known - 1.0).abs() < 1e-3, "{part:?}: {found} and not {known}; {fitted:?}");
        }
    }

    #[test]
    fn noise_moves_them_little_and_predictions_less() {
        let terms = Terms::new(TRUE, 0.0);
        // Up to 5 % off, the same each time.
        let mut state = 7_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1.0 + ((state >> 40) as f64 / f64::from(1 << 24) - 0.5) / 10.0
        };
        let runs: Vec<_> =
            settings().into_iter().map(|workload| (workload, cost(&terms, &workload) * noise())).collect();
        let found = Terms::new(fit(&runs).values, 0.0);
        for workload in settings() {
            let off = cost(&found, &workload) / cost(&terms, &workload) - 1.0;
            assert!(off.abs() < 0.05, "{off} at {workload:?}");
        }
    }

    #[test]
    fn a_plugins_own_work_is_no_term() {
        let terms = Terms::new(TRUE, 0.0);
        let runs: Vec<_> = settings()
            .into_iter()
            .map(|workload| Workload { plugin_us: workload.calls * 3.0, ..workload })
            .map(|workload| (workload, cost(&terms, &workload)))
            .collect();
        let call = fit(&runs).values[5];
        assert!((call / TRUE[5] - 1.0).abs() < 0.01, "{call}");
    }

    #[test]
    fn nothing_is_negative_and_what_no_run_pays_is_nothing() {
        // Dearer together than alone: the formula can only say that it makes no difference.
        let runs = [1.0, 64.0].map(|burst| (Workload { burst, ..Workload::default() }, 1.0 + burst));
        let fitted = fit(&runs);
        assert!(fitted.values.iter().all(|value| *value >= 0.0));
        assert_eq!(fitted.values[6..], [0.0; 5]);
        assert!(fit(&[]).values.iter().all(|value| value.abs() < f64::EPSILON));
        let idle = fit(&[(Workload::default(), 0.0)]);
        assert!(idle.values.iter().all(|value| value.abs() < f64::EPSILON));
    }
}
