//! What plugins cost and did: by binding, and by generation.
//!
//! The families of bindings never run backwards. Those of generations have a series for each generation that exists, a handful at most;
//! what those before them counted is one series, `generation="past"`, so that a thousand reloads do not leave a thousand series.
//! At any moment the generations of a binding add up to the binding.

use super::{Labels, Metrics, Page, with};
use std::fmt;
use weir_core::{CallTotals, FailureCause};

/// A binding, its sum, and its generations by name; all read at one moment.
type Read = (String, CallTotals, Vec<(String, CallTotals)>);

impl Metrics {
    pub(super) fn bindings(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let bindings = self.read_bindings();
        let of = |name: &str| vec![("binding", name.to_owned())];
        let each = |read: &dyn Fn(&CallTotals) -> u64| -> Vec<(Labels, u64)> {
            bindings.iter().map(|(name, totals, _)| (of(name), read(totals))).collect()
        };
        page.counter(
            "plugin_messages_unanswered",
            "Messages, and releases, that a plugin was asked about and gave no answer that could be taken",
            each(&|totals| totals.unanswered),
        )?;
        page.counter("plugin_releases", "Verdicts on held messages", each(&|totals| totals.released))?;
        let functions = bindings.iter().flat_map(|(name, totals, _)| {
            let [open, close, timer] = totals.others;
            let counts = [("message", totals.messages()), ("open", open), ("close", close), ("timer", timer)];
            counts.map(|(function, count)| (with(&of(name), "function", function), count))
        });
        page.counter("plugin_function_calls", "Calls of a plugin, by function", functions.collect())?;
        page.seconds("plugin_cpu", "Processor time of all calls", each(&|totals| totals.cpu_ns))?;
        page.gauge("plugin_memory_bytes", "Memory of all instances now", each(&|totals| totals.memory))?;
        page.gauge(
            "plugin_memory_peak_bytes",
            "The most memory that one instance had",
            each(&|totals| totals.memory_peak),
        )?;
        generations(page, &bindings)
    }

    fn read_bindings(&self) -> Vec<Read> {
        let Some(catalogue) = &*self.0.catalogue.load() else { return Vec::new() };
        let read = |status: weir_plugin::BindingStatus| {
            let (live, past) = catalogue.store(&status.name)?.generations();
            let mut totals = past;
            for (_, generation) in &live {
                totals.add(generation);
            }
            let mut generations: Vec<_> =
                live.into_iter().map(|(number, totals)| (number.to_string(), totals)).collect();
            generations.push(("past".to_owned(), past));
            Some((status.name.into_string(), totals, generations))
        };
        catalogue.status().into_iter().filter_map(read).collect()
    }
}

fn generations(page: &mut Page<'_, '_>, bindings: &[Read]) -> fmt::Result {
    let all = || {
        bindings.iter().flat_map(|(name, _, generations)| {
            let labels =
                move |number: &str| vec![("binding", name.clone()), ("generation", number.to_owned())];
            generations.iter().map(move |(number, totals)| (labels(number), totals))
        })
    };
    let each = |read: &dyn Fn(&CallTotals) -> u64| -> Vec<(Labels, u64)> {
        all().map(|(labels, totals)| (labels, read(totals))).collect()
    };
    page.gauge(
        "plugin_generation_calls",
        "Calls of each generation; \"past\": of all that are gone, together",
        each(&|totals| totals.calls),
    )?;
    page.gauge(
        "plugin_generation_memory_bytes",
        "Memory of all instances of a generation now",
        each(&|totals| totals.memory),
    )?;
    let mut verdicts = Vec::new();
    let mut failures = Vec::new();
    for (labels, totals) in all() {
        verdicts.extend(kinds(totals).map(|(kind, count)| (with(&labels, "verdict", kind), count)));
        failures.extend(
            FailureCause::ALL.map(|cause| (with(&labels, "cause", cause.label()), totals.failure(cause))),
        );
    }
    page.gauge("plugin_generation_verdicts", "Verdicts of each generation, by kind", verdicts)?;
    page.gauge(
        "plugin_generation_failures",
        "Calls of each generation that gave no answer, by cause",
        failures,
    )?;
    let cpu = all().map(|(labels, totals)| (labels, totals.cpu_ns as f64 / 1e9));
    page.gauge("plugin_generation_cpu_seconds", "Processor time of each generation", cpu.collect())?;
    let latency = all().map(|(labels, totals)| (labels, totals.latency, totals.latency_ns));
    page.histogram(
        "plugin_generation_call_duration",
        "How long each on-message of a generation took that gave an answer",
        latency.collect(),
    )
}

/// Verdicts on messages, and on sessions (`refuse`), by the words that metrics have for them.
pub(crate) fn kinds(totals: &CallTotals) -> [(&'static str, u64); 6] {
    [
        ("forward", totals.forwarded),
        ("change", totals.changed),
        ("drop", totals.dropped),
        ("close", totals.closed),
        ("hold", totals.held),
        ("refuse", totals.refused),
    ]
}
