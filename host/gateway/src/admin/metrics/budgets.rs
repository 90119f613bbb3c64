//! What plugins meet of their budgets.

use super::{Page, with};
use crate::run::{BindingView, Shared};
use std::fmt;
use weir_core::{FailureCause, Worn};
use weir_plugin::Budget;

pub(super) fn show(shared: &Shared, bindings: &[BindingView], page: &mut Page<'_, '_>) -> fmt::Result {
    let catalogue = shared.catalogue.load();
    let (mut hits, mut renewals, mut quarantined) = (Vec::new(), Vec::new(), Vec::new());
    for binding in bindings {
        let label = vec![("binding", binding.name.to_string())];
        for cause in Worn::ALL {
            renewals.push((with(&label, "cause", cause.label()), binding.totals.renewal(cause)));
        }
        hits.push((with(&label, "budget", "held"), binding.totals.failure(FailureCause::Held)));
        let Some(catalogue) = &*catalogue else { continue };
        if let Some(store) = catalogue.store(&binding.name) {
            for budget in Budget::ALL {
                hits.push((with(&label, "budget", budget.label()), store.budget_hits(budget)));
            }
            hits.push((with(&label, "budget", "log_lines"), store.dropped_log_lines()));
        }
        let serving = catalogue.serving(&binding.name);
        quarantined.push((label, u64::from(serving.is_some_and(|generation| generation.is_quarantined()))));
    }
    page.counter("plugin_budget_hits", "How often a plugin met one of its budgets", hits)?;
    page.counter("plugin_renewals", "Instances that had not failed and were renewed, by cause", renewals)?;
    page.gauge(
        "plugin_quarantined",
        "1: it failed too often in a row, and is not called until there is another file or config",
        quarantined,
    )
}
