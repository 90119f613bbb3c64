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
        Self::on(if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() })
    }

    fn on(target: ProgressDrawTarget) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::Window;
    use crate::trial::settings;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// What a terminal was told to show.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            200
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is there after this was shown. A bar is drawn a few times a second; its last state always is.
    fn shown(show: impl Fn(&Progress)) -> String {
        let screen = Screen::default();
        let progress = Progress::on(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        show(&progress);
        progress.bar.abandon();
        let text = screen.0.lock().unwrap();
        text.clone()
    }

    #[test]
    fn it_says_how_far_the_run_is() {
        let settings = settings(&["ws://127.0.0.1:1", "--duration", "10s", "--warm-up", "2s"]).unwrap();
        let shared = Shared::new(&settings);
        shared.live.open.store(30, Relaxed);
        shared.live.failed.store(2, Relaxed);
        let opening = shown(|progress| progress.opening(&shared, 100));
        assert!(opening.contains("30 of 100 connections open, 2 failed"), "{opening:?}");
        let second = 1_000_000_000;
        shared.begin(Window { start: second, from: 3 * second, to: 13 * second });
        let warm = shown(|progress| progress.loading(&shared, &settings, 2 * second));
        assert!(warm.contains("warming up"), "{warm:?}");
        shared.live.received.store(5_000, Relaxed);
        let loading = shown(|progress| {
            progress.last.set((4 * second, 1_000));
            progress.loading(&shared, &settings, 6 * second);
        });
        assert!(loading.contains("2000 messages/s, 30 connections"), "{loading:?}");
    }
}
