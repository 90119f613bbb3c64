//! What was fitted, and where; shipped with the binary, and written anew by the bench that measures it.

use crate::model::{Part, TOGETHER, Transport, Workload, cost};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file of this version of Weir.
const SHIPPED: &str = include_str!("../coefficients.json");

/// What each term of the formula costs, µs; and a ping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the terms of the formula: see `Part`")]
pub struct Terms {
    pub turn: f64,
    pub among: f64,
    pub message: f64,
    pub kib: f64,
    pub enter: f64,
    pub call: f64,
    pub copy_turn: f64,
    pub copy_among: f64,
    pub copy: f64,
    pub copy_kib: f64,
    pub copy_call: f64,
    /// A ping to an idle session, or a heartbeat message over framed TCP, and its answer. Not fitted: it is measured alone.
    pub ping: f64,
}

impl Terms {
    /// Without the ping, in the order of [`Part::ALL`].
    pub fn as_array(&self) -> [f64; Part::ALL.len()] {
        let Self {
            turn,
            among,
            message,
            kib,
            enter,
            call,
            copy_turn,
            copy_among,
            copy,
            copy_kib,
            copy_call,
            ping: _,
        } = *self;
        [turn, among, message, kib, enter, call, copy_turn, copy_among, copy, copy_kib, copy_call]
    }

    /// Some that are easy to reckon with.
    #[cfg(test)]
    pub(crate) const ROUND: Self = Self {
        turn: 10.0,
        among: 1.0,
        message: 0.5,
        kib: 0.4,
        enter: 2.0,
        call: 0.1,
        copy_turn: 4.0,
        copy_among: 0.3,
        copy: 0.2,
        copy_kib: 0.1,
        copy_call: 0.2,
        ping: 15.0,
    };

    /// From that order.
    pub fn new(values: [f64; Part::ALL.len()], ping: f64) -> Self {
        let [turn, among, message, kib, enter, call, copy_turn, copy_among, copy, copy_kib, copy_call] =
            values;
        Self {
            turn,
            among,
            message,
            kib,
            enter,
            call,
            copy_turn,
            copy_among,
            copy,
            copy_kib,
            copy_call,
            ping,
        }
    }

    /// As they would be on another machine: what happens once a turn, which is mostly the kernel's, and what happens for each message
    /// take so many times as long.
    #[must_use]
    pub fn scaled(&self, turns: f64, messages: f64) -> Self {
        let scaled = std::array::from_fn(|at| {
            self.as_array()[at]
                * match Part::ALL[at] {
                    Part::Turn | Part::Among | Part::CopyTurn | Part::CopyAmong => turns,
                    Part::Message
                    | Part::Kib
                    | Part::Enter
                    | Part::Call
                    | Part::Copy
                    | Part::CopyKib
                    | Part::CopyCall => messages,
                }
        });
        Self::new(scaled, self.ping * turns)
    }
}

/// How far the formula was off: |predicted − measured| ÷ measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// How many runs there were.
    pub runs: usize,
    /// Half of them were within this.
    pub median: f64,
    /// Nine of ten were.
    pub most: f64,
    /// All were.
    pub worst: f64,
}

impl Errors {
    /// Of runs and what the formula says of them.
    pub fn of<'a>(terms: &Terms, runs: impl IntoIterator<Item = &'a (Workload, f64)>) -> Self {
        let mut errors: Vec<f64> = runs
            .into_iter()
            .map(|(workload, measured)| (cost(terms, workload) / measured - 1.0).abs())
            .collect();
        errors.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (errors.len() as f64 * share).ceil() as usize;
            // To a tenth of a percent.
            (errors.get(place.max(1) - 1).copied().unwrap_or_default() * 1e3).round() / 1e3
        };
        Self { runs: errors.len(), median: at(0.5), most: at(0.9), worst: at(1.0) }
    }
}

/// A plugin that does nothing, in a loop alone, µs a message.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Called for each message.
    pub alone: f64,
    /// Called for [`TOGETHER`] at once.
    pub together: f64,
}

impl Call {
    /// For so many at once, from 1 to [`TOGETHER`]: what is paid once a call is shared by them.
    pub fn of(&self, at_once: f64) -> f64 {
        // 1 for one message, 0 for as many as the other loop had.
        let share = (TOGETHER / at_once.clamp(1.0, TOGETHER) - 1.0) / (TOGETHER - 1.0);
        self.together + (self.alone - self.together).max(0.0) * share
    }

    /// As it would be on a machine where what happens for each message takes so many times as long.
    #[must_use]
    pub fn scaled(&self, messages: f64) -> Self {
        Self { alone: self.alone * messages, together: self.together * messages }
    }
}

/// Of one transport.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// What the terms cost.
    pub terms: Terms,
    /// Over the runs that they were fitted to.
    pub training: Errors,
    /// Over runs that the fit has not seen. This is what an answer is worth.
    pub held_out: Errors,
}

/// Bytes that an idle session takes, and what is there without any.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The gateway without sessions and plugins.
    pub gateway: f64,
    /// The engine and one small plugin.
    pub plugins: f64,
    /// Of the gateway for a session.
    pub tcp: f64,
    /// The same.
    pub websocket: f64,
    /// The kernel's for one end of a connection.
    pub kernel: f64,
}

/// Between which settings runs were made. Beyond them an answer is a guess.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Sessions that talked.
    pub talking: [f64; 2],
    /// Bytes.
    pub size: [f64; 2],
    /// Messages that come together.
    pub burst: [f64; 2],
    /// Members of a group.
    pub fanout: [f64; 2],
    /// Workers.
    pub cores: [f64; 2],
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// Of the gateway.
    pub weir: String,
    /// The day, as YYYY-MM-DD.
    pub date: String,
    /// Processor, cores, kernel.
    pub machine: String,
    /// The part of all its cores, from 0 to 1, that other programs used meanwhile: what takes from the caches makes everything dearer.
    /// `None`: they used much, and how much was not measured.
    pub others: Option<f64>,
    /// What a plugin that does nothing takes in a loop alone, µs a message: it is taken off what such a loop says of another plugin.
    pub call: Call,
    /// By name of the transport.
    pub transports: BTreeMap<Transport, Measured>,
    /// Of sessions.
    pub memory: Memory,
    /// Of the runs.
    pub range: Range,
}

impl Coefficients {
    /// Those that this version of Weir brings along.
    ///
    /// # Errors
    /// The file in the sources is broken; a test holds that it is not.
    pub fn shipped() -> Result<Self, serde_json::Error> {
        Self::parse(SHIPPED)
    }

    /// From the text of a file.
    ///
    /// # Errors
    /// It is not such a file.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// As it lies in the file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Of a transport.
    pub fn of(&self, transport: Transport) -> Option<&Measured> {
        self.transports.get(&transport)
    }
}

impl Measured {
    /// From what was fitted, the runs that it was fitted to, and those that were held out of it.
    pub fn new(terms: Terms, training: &[(Workload, f64)], held_out: &[(Workload, f64)]) -> Self {
        Self { terms, training: Errors::of(&terms, training), held_out: Errors::of(&terms, held_out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_has_every_transport_and_nothing_negative() {
        let shipped = Coefficients::shipped().unwrap();
        for transport in Transport::ALL {
            let measured = shipped.of(transport).unwrap();
            assert!(measured.terms.as_array().iter().all(|value| *value >= 0.0), "{measured:?}");
            assert!(measured.terms.turn > 0.0 && measured.terms.ping > 0.0, "{measured:?}");
            assert!(measured.held_out.runs > 0 && measured.held_out.most <= measured.held_out.worst);
        }
        assert_eq!(Coefficients::parse(&shipped.to_text()).unwrap(), shipped);
    }

    #[test]
    fn errors_are_those_of_the_middle_of_nine_in_ten_and_of_all() {
        let terms = Terms { message: 10.0, ..Terms::default() };
        let off = |by: f64| (Workload::default(), 10.0 / (1.0 + by));
        let runs: Vec<_> = (1..=10).map(|percent| off(f64::from(percent) / 100.0)).collect();
        let errors = Errors::of(&terms, &runs);
        assert_eq!(errors.runs, 10);
        for (error, expected) in [(errors.median, 0.05), (errors.most, 0.09), (errors.worst, 0.10)] {
            assert!((error - expected).abs() < 1e-9, "{errors:?}");
        }
        assert_eq!(Errors::of(&terms, &[]), Errors::default());
    }

    #[test]
    fn a_call_takes_what_was_measured_and_between_that_less_the_more_there_are_in_it() {
        let call = Call { alone: 1.0, together: 0.1 };
        let all: Vec<f64> = (1..=64).map(|at_once| call.of(f64::from(at_once))).collect();
        assert!((all[0] - 1.0).abs() < 1e-12 && (all[63] - 0.1).abs() < 1e-12, "{all:?}");
        assert!(all.is_sorted_by(|one, next| one > next), "{all:?}");
        // Entering is paid once: two calls of 32 cost one entrance more than one of 64.
        let entering = (1.0 - 0.1) * 64.0 / 63.0;
        assert!((all[31] * 64.0 - all[63] * 64.0 - entering).abs() < 1e-9, "{all:?}");
        assert!((call.of(1_000.0) - 0.1).abs() < 1e-12, "no call has more");
    }

    #[test]
    fn another_machine_is_slower_in_turns_or_in_messages() {
        let terms = Terms::new([1.0; Part::ALL.len()], 1.0).scaled(2.0, 3.0);
        assert_eq!((terms.turn, terms.copy_among, terms.ping), (2.0, 2.0, 2.0));
        assert_eq!((terms.message, terms.enter, terms.copy_kib), (3.0, 3.0, 3.0));
    }
}
