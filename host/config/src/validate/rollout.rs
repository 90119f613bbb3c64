//! How a new version of a plugin takes over.

use super::{Check, DAY, SECOND};
use crate::raw::{self, RolloutValue};
use crate::value::Fraction;
use crate::words::PinWord;
use crate::{Pin, Rollback, Rollout};
use std::time::Duration;

impl Check<'_> {
    pub(super) fn rollout(&mut self, raw: &raw::Settings, default: &Rollout) -> Rollout {
        match self.read(&raw.rollout, "rollout") {
            None => *default,
            Some((RolloutValue::All, _)) => Rollout::All,
            Some((RolloutValue::Canary { share, window }, _)) => {
                Rollout::Canary { share: *share, window: *window }
            }
        }
    }

    pub(super) fn pin(&mut self, raw: &raw::Settings, default: &Pin) -> Pin {
        let drain = self.time(&raw.pin_drain, "pin_drain", SECOND..=DAY, default.drain);
        let sessions =
            self.read(&raw.pin, "pin").map_or(default.sessions, |(word, _)| *word == PinWord::Session);
        Pin { sessions, drain }
    }

    pub(super) fn rollback(&mut self, raw: &raw::Rollback, default: &Rollback) -> Rollback {
        const MANY: u64 = 1_000_000;
        Rollback {
            window: self.time(&raw.window, "window", Duration::ZERO..=DAY, default.window),
            failures: self.count(&raw.failures, "failures", 0..=MANY, default.failures),
            failed_share: self.read_or(&raw.failed_share, "failed_share", Fraction(default.failed_share)).0,
            latency_factor: self.count(
                &raw.latency_factor,
                "latency_factor",
                0..=1_000,
                default.latency_factor,
            ),
            latency_slack: self.time(
                &raw.latency_slack,
                "latency_slack",
                Duration::ZERO..=SECOND,
                default.latency_slack,
            ),
            drop_difference: self
                .read_or(&raw.drop_difference, "drop_difference", Fraction(default.drop_difference))
                .0,
            calls: self.count(&raw.calls, "calls", 1..=MANY, default.calls),
            looks: self.count(&raw.looks, "looks", 1..=1_000, default.looks.into()) as u32,
        }
    }
}
