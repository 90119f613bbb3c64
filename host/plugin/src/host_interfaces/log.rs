//! `weir:plugin/log`. Lines are written as they come, not when the call returns: a panic's text must outlive its trap.

use super::Host;
use super::deferred::Said;
use crate::contract::v0_1::imports::log::{self, Level};
use crate::store::Admission;
use wasmtime::Result;

/// The most bytes in a line; a longer one is cut.
const MAX_LINE: usize = 4096;

macro_rules! line {
    ($host:expr, $level:ident, $($text:tt)*) => {
        tracing::event!(
            target: "weir::plugin",
            tracing::Level::$level,
            plugin = %$host.binding,
            generation = $host.generation,
            worker = $host.worker.filter(|_| !$host.on_thread).map(|worker| worker.0),
            thread = $host.worker.filter(|_| $host.on_thread).map(|thread| thread.0),
            $($text)*
        )
    };
}

impl log::Host for Host {
    fn log(&mut self, level: Level, text: String) -> Result<()> {
        self.step()?;
        // What nobody listens to costs nothing of the budget.
        let enabled = match level {
            Level::Trace => tracing::enabled!(target: "weir::plugin", tracing::Level::TRACE),
            Level::Debug => tracing::enabled!(target: "weir::plugin", tracing::Level::DEBUG),
            Level::Info => tracing::enabled!(target: "weir::plugin", tracing::Level::INFO),
            Level::Warn => tracing::enabled!(target: "weir::plugin", tracing::Level::WARN),
            Level::Error => tracing::enabled!(target: "weir::plugin", tracing::Level::ERROR),
        };
        if !enabled {
            return Ok(());
        }
        if let Some(Said::Line(level, text)) = self.wait(text.len(), Said::Line(level, text))? {
            self.write_line(level, &text);
        }
        Ok(())
    }
}

impl Host {
    pub(super) fn write_line(&mut self, level: Level, text: &str) {
        let budget = self.store.log_budget(self.worker, self.on_thread);
        match budget.admit(self.clock.monotonic(), self.limits.log_rate) {
            Admission::Dropped => return,
            Admission::Written { dropped_before: 0 } => {}
            Admission::Written { dropped_before } => line!(
                self,
                WARN,
                "{dropped_before} lines of this plugin were dropped: it wrote more than {} a second",
                self.limits.log_rate
            ),
        }
        let text = &text[..text.floor_char_boundary(MAX_LINE)];
        match level {
            Level::Trace => line!(self, TRACE, "{text}"),
            Level::Debug => line!(self, DEBUG, "{text}"),
            Level::Info => line!(self, INFO, "{text}"),
            Level::Warn => line!(self, WARN, "{text}"),
            Level::Error => line!(self, ERROR, "{text}"),
        }
    }
}
