//! The formula.
//!
//! CPU time of one inbound message, in microseconds:
//!
//! ```text
//! turn / burst + among · ln(talking / 100) / burst + message + kib · KiB          read, decoded, routed, answered or forwarded
//! + calls · (enter / messages of a call + call + the plugin's own work)            plugins
//! + fanout · (copy_turn / burst + copy_among · ln(fanout / 100) / burst
//!             + copy + copy_kib · KiB + copy_calls · copy_call)                    a group's deliveries
//! ```
//!
//! No coefficient is negative, so that more of anything never costs less; only what comes together makes the single message cheaper.

use crate::coefficients::Terms;
use serde::{Deserialize, Serialize};
use std::array;
use std::str::FromStr;

/// Sessions among which a message costs what `turn` says; each multiple of them adds the same.
pub const FEW: f64 = 100.0;
/// The most messages that a plugin is given in one call; of more at once, each so many are another call.
pub const TOGETHER: f64 = 64.0;
const KIB: f64 = 1024.0;

/// How clients are connected. What is not here was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Length prefixes of 32 bits.
    Tcp,
    /// Without TLS and compression.
    WebSocket,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::WebSocket];

    /// As it is written on the command line and in the file of coefficients.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::WebSocket => "websocket",
        }
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|transport| transport.name() == text).ok_or_else(|| {
            format!("\"{text}\" was not measured; there are tcp and websocket, both without TLS")
        })
    }
}

/// What one inbound message is and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// How its sender is connected, and who receives it.
    pub transport: Transport,
    /// Sessions that take turns in talking; those that only listen to a group do not count.
    pub talking: f64,
    /// Bytes of a payload.
    pub size: f64,
    /// Messages of one session that come together, at least 1.
    pub burst: f64,
    /// Deliveries of it to members of a group; `None`: it is echoed or forwarded, to one.
    pub fanout: Option<f64>,
    /// Calls of plugins for it: one for each plugin that meets the message, and one for each that meets its echo or answer.
    pub calls: f64,
    /// Calls of plugins for each delivery to a member of a group. They come one after the other, so that the plugin stays in the caches.
    pub copy_calls: f64,
    /// Whether plugins are given the messages that come together in one call.
    pub together: bool,
    /// CPU time of all these calls that is the plugins' own work, without the way into them and back; µs.
    pub plugin_us: f64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            transport: Transport::WebSocket,
            talking: FEW,
            size: 64.0,
            burst: 1.0,
            fanout: None,
            calls: 0.0,
            copy_calls: 0.0,
            together: true,
            plugin_us: 0.0,
        }
    }
}

/// A term of the formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Waking up, one read and one write.
    Turn,
    /// What that costs more where more sessions talk: their memory is cold.
    Among,
    /// Decoding, routing and queueing.
    Message,
    /// Copying and unmasking.
    Kib,
    /// Entering a plugin, once for all that it is given in one call.
    Enter,
    /// Giving it a message.
    Call,
    /// One write to a member of a group.
    CopyTurn,
    /// What that costs more where the group is larger.
    CopyAmong,
    /// Queueing what was framed once.
    Copy,
    /// The kernel's copy.
    CopyKib,
    /// A plugin's call for a delivery.
    CopyCall,
}

impl Part {
    /// All, in the order of [`features`].
    pub const ALL: [Self; 11] = [
        Self::Turn,
        Self::Among,
        Self::Message,
        Self::Kib,
        Self::Enter,
        Self::Call,
        Self::CopyTurn,
        Self::CopyAmong,
        Self::Copy,
        Self::CopyKib,
        Self::CopyCall,
    ];
}

/// How often a message pays each term: what its coefficient is multiplied with.
pub fn features(workload: &Workload) -> [f64; Part::ALL.len()] {
    let &Workload { talking, size, burst, fanout, calls, copy_calls, together, .. } = workload;
    let burst = burst.max(1.0);
    let in_one_call = if together { burst.min(TOGETHER) } else { 1.0 };
    let copies = fanout.unwrap_or(0.0);
    Part::ALL.map(|part| match part {
        Part::Turn => burst.recip(),
        Part::Among => beyond_few(talking) / burst,
        Part::Message => 1.0,
        Part::Kib => size / KIB,
        Part::Enter => calls / in_one_call,
        Part::Call => calls,
        Part::CopyTurn => copies / burst,
        Part::CopyAmong => copies * beyond_few(copies) / burst,
        Part::Copy => copies,
        Part::CopyKib => copies * size / KIB,
        Part::CopyCall => copies * copy_calls,
    })
}

/// CPU time of one inbound message, µs.
pub fn cost(terms: &Terms, workload: &Workload) -> f64 {
    parts(terms, workload).iter().sum::<f64>() + workload.plugin_us
}

/// The same, term by term, without the plugins' own work.
pub fn parts(terms: &Terms, workload: &Workload) -> [f64; Part::ALL.len()] {
    let (terms, features) = (terms.as_array(), features(workload));
    array::from_fn(|at| terms[at] * features[at])
}

fn beyond_few(sessions: f64) -> f64 {
    (sessions / FEW).max(1.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms::ROUND;

    #[test]
    fn a_message_pays_what_the_formula_says() {
        let one = Workload { size: 1024.0, ..Workload::default() };
        assert!((cost(&TERMS, &one) - 10.9).abs() < 1e-9);
        let many = Workload { talking: 100.0 * std::f64::consts::E, ..one };
        assert!((cost(&TERMS, &many) - 11.9).abs() < 1e-9);
        let four = Workload { burst: 4.0, calls: 2.0, plugin_us: 3.0, ..one };
        // 10 / 4 + 0.5 + 0.4 + 2 × (2 / 4 + 0.1) + 3
        assert!((cost(&TERMS, &four) - 7.6).abs() < 1e-9);
        let group = Workload { fanout: Some(10.0), ..one };
        // 10.9 + 10 × (4 + 0.2 + 0.1)
        assert!((cost(&TERMS, &group) - 53.9).abs() < 1e-9);
        let met = Workload { copy_calls: 2.0, ..group };
        assert!((cost(&TERMS, &met) - 57.9).abs() < 1e-9);
    }

    #[test]
    fn more_of_anything_never_costs_less_and_coming_together_never_costs_more() {
        let base = Workload { fanout: Some(50.0), calls: 1.0, ..Workload::default() };
        for step in 1..200 {
            let factor = f64::from(step) / 10.0;
            let next = factor + 0.1;
            let dearer: [fn(&Workload, f64) -> Workload; 7] = [
                |base, by| Workload { talking: base.talking * by, ..*base },
                |base, by| Workload { size: base.size * by, ..*base },
                |base, by| Workload { fanout: base.fanout.map(|copies| copies * by), ..*base },
                |base, by| Workload { calls: base.calls * by, ..*base },
                |base, by| Workload { calls: base.calls * by, together: false, burst: 8.0, ..*base },
                |base, by| Workload { copy_calls: by, ..*base },
                |base, by| Workload { plugin_us: by, ..*base },
            ];
            for vary in dearer {
                assert!(cost(&TERMS, &vary(&base, factor)) <= cost(&TERMS, &vary(&base, next)));
            }
            let burst = |by: f64| cost(&TERMS, &Workload { burst: by, ..base });
            assert!(burst(factor) >= burst(next));
        }
    }

    #[test]
    fn what_was_not_measured_is_refused_by_name() {
        assert_eq!("tcp".parse(), Ok(Transport::Tcp));
        let error = "quic".parse::<Transport>().unwrap_err();
        assert!(error.contains("\"quic\"") && error.contains("websocket"), "{error}");
    }
}
