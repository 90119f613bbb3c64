//! Sessions that wait for their clients.

use super::{Labels, Metrics, Page, with};
use std::fmt;
use weir_core::{Counter, ResumeStats};

type Read = fn(&ResumeStats) -> &Counter;

impl Metrics {
    pub(super) fn resume(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let each = |read: &dyn Fn(&ResumeStats) -> &Counter| -> Vec<(Labels, u64)> {
            let sum = |at: usize| {
                self.0.stats.iter().map(|worker| read(&worker.listeners[at].resume).value()).sum()
            };
            let all = self.0.listener_names.iter().enumerate();
            all.map(|(at, name)| (vec![("listener", name.clone())], sum(at))).collect()
        };
        page.gauge(
            "sessions_away",
            "Open sessions that wait for their clients now",
            each(&|stats| &stats.away),
        )?;
        page.gauge(
            "messages_waiting_away",
            "Messages that wait with these sessions",
            each(&|stats| &stats.waiting),
        )?;
        page.counter(
            "sessions_parted",
            "Times that a session lost its connection and began to wait",
            each(&|stats| &stats.parted),
        )?;
        page.counter(
            "sessions_not_parted",
            "Sessions that lost their connections and ended, because as many waited as may",
            each(&|stats| &stats.crowded),
        )?;
        page.counter(
            "messages_again",
            "Messages queued once more for clients that came back",
            each(&|stats| &stats.again),
        )?;
        let outcomes: [(&str, Read); 4] = [
            ("resumed", |stats| &stats.resumed),
            ("missed", |stats| &stats.missed),
            ("expired", |stats| &stats.expired),
            ("unknown", |stats| &stats.unknown),
        ];
        let returned = outcomes.into_iter().flat_map(|(outcome, read)| {
            each(&read).into_iter().map(move |(labels, count)| (with(&labels, "outcome", outcome), count))
        });
        page.counter(
            "sessions_returned",
            "Clients that came back with a token, by what became of it",
            returned.collect(),
        )
    }
}
