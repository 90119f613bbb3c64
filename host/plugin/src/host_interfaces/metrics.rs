//! `weir:plugin/metrics`.

use super::deferred::Said;
use super::{Host, Mistake};
use crate::contract::v0_1::imports::metrics;
use crate::store::{MetricError, Series, SeriesKind};
use wasmtime::Result;

impl metrics::Host for Host {
    fn count(&mut self, name: String, by: u64) -> Result<()> {
        self.step()?;
        if let Some(Said::Count(name, by)) = self.wait(name.len(), Said::Count(name, by))? {
            self.raise(&name, by);
        }
        Ok(())
    }

    fn gauge(&mut self, name: String, value: f64) -> Result<()> {
        self.step()?;
        if let Some(Said::Gauge(name, value)) = self.wait(name.len(), Said::Gauge(name, value))? {
            self.set_gauge(&name, value);
        }
        Ok(())
    }

    fn observe(&mut self, name: String, value: f64) -> Result<()> {
        self.step()?;
        if let Some(Said::Observe(name, value)) = self.wait(name.len(), Said::Observe(name, value))? {
            self.record(&name, value);
        }
        Ok(())
    }
}

impl Host {
    pub(super) fn raise(&mut self, name: &str, by: u64) {
        self.measure(name, SeriesKind::Count, |series| series.count(by));
    }

    pub(super) fn set_gauge(&mut self, name: &str, value: f64) {
        self.measure(name, SeriesKind::Gauge, |series| series.set(value));
    }

    pub(super) fn record(&mut self, name: &str, value: f64) {
        self.measure(name, SeriesKind::Histogram, |series| series.observe(value));
    }

    /// A metric that cannot be is counted and told of once; a plugin that measures wrongly still serves.
    fn measure(
        &mut self,
        name: &str,
        kind: SeriesKind,
        apply: impl FnOnce(&Series) -> std::result::Result<(), MetricError>,
    ) {
        let done = match self.series.get(name) {
            Some(series) => apply(series),
            None => self.store.metrics().series(name, kind).and_then(|series| {
                let done = apply(&series);
                self.series.insert(name.into(), series);
                done
            }),
        };
        if let Err(error) = done {
            self.store.metrics().count_refused();
            let shown = &name[..name.floor_char_boundary(80)];
            self.report(
                Mistake::Metric,
                &format_args!("the plugin's metric {shown:?} was not taken: {error}"),
            );
        }
    }
}
