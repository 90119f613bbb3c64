//! The bar on a terminal.

use crate::settings::Settings;
use crate::shared::{Nanos, Shared};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering::Relaxed;

/// Drawn on standard error, where that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    last: Cell<(Nanos, u64)>,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Self {
        let shown = wanted && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template("{prefix}{bar:30} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
        Self { bar, last: Cell::new((0, 0)) }
    }

    /// What stands before it, where there are several runs.
    pub(crate) fn set_prefix(&self, prefix: String) {
        self.bar.set_prefix(prefix);
    }

    pub(crate) fn opening(&self, shared: &Shared, connections: u32) {
        let (open, failed) = (shared.live.open.load(Relaxed), shared.live.failed.load(Relaxed));
        self.bar.set_length(connections.into());
        self.bar.set_position(open + failed);
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        self.bar.set_message(format!("{open} of {connections} connections open{failed}"));
    }

    pub(crate) fn loading(&self, shared: &Shared, settings: &Settings, now: Nanos) {
        if self.bar.is_hidden() {
            return;
        }
        let Some(window) = shared.window() else { return };
        let (then, before) = self.last.get();
        if now.saturating_sub(then) < 200_000_000 {
            return;
        }
        let received = shared.live.received.load(Relaxed);
        let rate = received.saturating_sub(before) as f64 / (now.saturating_sub(then) as f64 / 1e9);
        self.last.set((now, received));
        self.bar.set_length((settings.warm_up + settings.duration).as_millis() as u64);
        self.bar.set_position(now.saturating_sub(window.start) / 1_000_000);
        let stage = if now < window.from { "warming up".into() } else { format!("{rate:.0} messages/s") };
        let open = shared.live.open.load(Relaxed);
        self.bar.set_message(format!("{stage}, {open} connections; Ctrl-C ends early"));
    }

    pub(crate) fn draining(&self) {
        self.bar.set_message("waiting for the last answers");
    }

    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
        self.bar.reset();
        self.last.set((0, 0));
    }
}
