//! What is done about overload.

use super::{Check, DAY, HOUR, MINUTE};
use crate::field::Field;
use crate::value::{Fraction, MemoryBound, Size};
use crate::{MemoryLimit, Overload, Steps, raw};
use std::time::Duration;

/// With less than this no gateway starts.
const LEAST_MEMORY: usize = 16 << 20;

impl Check<'_> {
    pub(super) fn overload(&mut self, raw: &raw::Overload) -> Overload {
        let default = Overload::default();
        let enabled = self.read_or(&raw.enabled, "enabled", default.enabled);
        let memory = match self.read(&raw.memory, "memory") {
            None | Some((MemoryBound::Auto, _)) => MemoryLimit::Auto,
            Some((MemoryBound::Size(Size(bytes)), span)) => {
                self.within(span, "memory", *bytes, &(LEAST_MEMORY..=1 << 44), |bytes| {
                    Size(bytes).to_string()
                });
                MemoryLimit::Bytes(*bytes)
            }
        };
        let delay = self.time(&raw.delay, "delay", Duration::ZERO..=MINUTE, default.delay);
        if let Some(span) = raw.delay.span().filter(|_| !delay.is_zero() && delay < Duration::from_millis(10))
        {
            let shown = humantime::format_duration(delay).to_string();
            self.blame(span, format!("`delay` must be \"0s\" or at least 10ms, not {shown}"));
        }
        let mut fraction =
            |field: &Field<Fraction>, key: &str, default: f64| self.read_or(field, key, Fraction(default)).0;
        let steps = Steps {
            idle: fraction(&raw.steps.idle, "idle", default.steps.idle),
            drain: fraction(&raw.steps.drain, "drain", default.steps.drain),
            refuse: fraction(&raw.steps.refuse, "refuse", default.steps.refuse),
        };
        let leave = fraction(&raw.leave, "leave", default.leave);
        let share = fraction(&raw.share, "share", default.share);
        let written = &raw.steps;
        let spans = [&written.refuse, &written.drain, &written.idle].map(|field| field.span());
        if let Some(span) = spans.into_iter().flatten().next()
            && (steps.idle > steps.drain || steps.drain > steps.refuse)
        {
            let Steps { idle, drain, refuse } = steps;
            let message = format!(
                "the steps must follow each other: `idle` is {idle}, `drain` is {drain}, `refuse` is {refuse}"
            );
            self.blame_with_help(span, message, "none may be lower than the one before it");
        }
        if let Some(span) = raw.leave.span().or(raw.steps.idle.span())
            && leave >= steps.idle
        {
            self.blame(span, format!("`leave` ({leave}) must be less than `idle` ({})", steps.idle));
        }
        Overload {
            enabled,
            memory,
            delay,
            steps,
            leave,
            dwell: self.time(&raw.dwell, "dwell", Duration::ZERO..=HOUR, default.dwell),
            silent: self.time(&raw.silent, "silent", Duration::ZERO..=DAY, default.silent),
            share,
            retry: self.time(&raw.retry, "retry", Duration::ZERO..=HOUR, default.retry),
        }
    }
}
