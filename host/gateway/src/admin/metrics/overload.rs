//! How hard the process is pressed, and what that has cost.

use super::{Metrics, Page};
use std::fmt;
use weir_core::{Counter, OverloadStats};

impl Metrics {
    pub(super) fn overload(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let view = &self.0.overload;
        page.gauge(
            "overload_level",
            "The step that is taken against overload: 0 none, 1 idle sessions are closed, 2 some are, 3 nobody new is let in",
            vec![(Vec::new(), u64::from(view.level()))],
        )?;
        let of = |name: &'static str, label: &str| vec![(name, label.to_owned())];
        let pressure = view.pressure().map(|(resource, value)| (of("resource", resource), value));
        page.gauge("overload_pressure", "What is used, as a part of what there is", pressure.to_vec())?;
        let entries = view.entries().map(|(step, count)| (of("step", step), count));
        page.counter("overload_entries", "How often each step was taken", entries.to_vec())?;
        let sum = |read: &dyn Fn(&OverloadStats) -> &Counter| -> u64 {
            self.0.stats.iter().map(|worker| read(&worker.overload).value()).sum()
        };
        let touched = vec![
            (of("step", "idle"), sum(&|stats| &stats.idle)),
            (of("step", "drain"), sum(&|stats| &stats.drained)),
            (of("step", "refuse"), sum(&|stats| &stats.refused)),
        ];
        page.counter("overload_connections", "Connections that each step closed, or did not let in", touched)
    }
}
