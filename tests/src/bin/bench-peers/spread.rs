//! Medians and spreads: of one system, and of a pair in the same round.

use crate::results::Series;

/// The middle of some figures, the lowest and the highest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) middle: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Nothing of nothing.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let at = values.len() / 2;
        let middle =
            if values.len() % 2 == 1 { values[at] } else { f64::midpoint(values[at - 1], values[at]) };
        Some(Self { middle, low, high })
    }

    /// One figure of a system over all rounds.
    pub(crate) fn figure(series: &Series, figure: &str) -> Option<Self> {
        Self::of(series.runs.iter().flatten().filter_map(|run| run.get(figure).copied()).collect())
    }

    /// The ratios of two systems' figures, round by round: `above` divided by `below`.
    pub(crate) fn ratio(above: &Series, below: &Series, figure: &str) -> Option<Self> {
        let pairs = above.runs.iter().zip(&below.runs);
        Self::of(
            pairs
                .filter_map(|(above, below)| {
                    Some(above.as_ref()?.get(figure)? / below.as_ref()?.get(figure)?)
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Figures;

    fn series(costs: &[Option<f64>]) -> Series {
        let run = |cost: &Option<f64>| cost.map(|cost| Figures::from([("cost".to_owned(), cost)]));
        Series { system: "one".into(), runs: costs.iter().map(run).collect() }
    }

    #[test]
    fn a_ratio_is_that_of_neighbours_and_not_of_medians() {
        let (above, below) =
            (series(&[Some(2.0), Some(30.0), Some(4.0)]), series(&[Some(1.0), Some(10.0), Some(4.0)]));
        let ratio = Spread::ratio(&above, &below, "cost").unwrap();
        assert_eq!(ratio, Spread { middle: 2.0, low: 1.0, high: 3.0 });
    }

    #[test]
    fn rounds_that_failed_have_no_part() {
        let (above, below) = (series(&[Some(2.0), None, Some(4.0)]), series(&[None, Some(1.0), Some(1.0)]));
        let middle = Spread::ratio(&above, &below, "cost").unwrap().middle;
        assert!((middle - 4.0).abs() < f64::EPSILON, "{middle}");
        assert_eq!(Spread::figure(&series(&[None]), "cost"), None);
    }
}
