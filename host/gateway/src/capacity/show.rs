//! The answer, for people and as JSON.

use super::plugin::Work;
use serde_json::json;
use std::fmt::Write as _;
use weir_capacity::{Bound, Coefficients, Demand, Part, Plan, Scale, Supply};

/// Parts of a message's cost that are less than this are not shown, µs.
const SMALL: f64 = 0.005;
/// The part of the cores from which on what others used of them is worth a word.
const BUSY: f64 = 0.05;

pub(super) struct Answer<'a> {
    pub(super) demand: Demand,
    pub(super) supply: Supply,
    pub(super) plan: Plan,
    /// What is beyond what was measured.
    pub(super) beyond: Vec<String>,
    pub(super) plugin: Option<Work>,
    pub(super) coefficients: &'a Coefficients,
    pub(super) scale: Option<Scale>,
}

impl Answer<'_> {
    /// Whether all that was asked about suffices.
    pub(super) fn suffices(&self) -> bool {
        self.plan.used.first().is_none_or(|(_, used)| *used <= 1.0)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let Self { demand, supply, plan, beyond, plugin, coefficients, scale } = self;
        json!({
            "demand": demand,
            "supply": supply,
            "plan": plan,
            "suffices": self.suffices(),
            "beyond": beyond,
            "plugin": plugin,
            "measured": {
                "weir": coefficients.weir,
                "date": coefficients.date,
                "machine": coefficients.machine,
                "others": coefficients.others,
                "scaled": scale,
                "held_out": coefficients.of(demand.workload.transport).map(|measured| measured.held_out),
            },
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = self.wanted();
        let mut line = |name: &str, said: String| {
            let _ = writeln!(text, "{name:<11} {said}");
        };
        let Self { demand, supply, plan, .. } = self;
        let [least, most] = plan.utilisation_range();
        let [slowest, fastest] = plan.highest_rate_range();
        line(
            "processor",
            format!(
                "{:.1} % of {} ({:.1} to {:.1} %)",
                plan.utilisation * 100.0,
                cores(supply.cores),
                least * 100.0,
                most * 100.0,
            ),
        );
        line("a message", self.parts());
        if plan.pings_us > 0.0 {
            let part = plan.pings_us / supply.cores / 1e4;
            line("pings", format!("{part:.1} % of that machine, one every {} s", demand.ping_interval));
        }
        line(
            "highest",
            format!(
                "{} messages a second with {:.0} % of each core ({} to {}){}",
                number(plan.highest_rate),
                supply.budget * 100.0,
                number(slowest),
                number(fastest),
                if plan.unevenness > 1.02 {
                    format!("; by chance the fullest worker has {:.2} times the mean", plan.unevenness)
                } else {
                    String::new()
                }
            ),
        );
        line(
            "memory",
            format!(
                "{}: the gateway's {}, the kernel's for sockets {}",
                bytes(plan.memory_gateway + plan.memory_kernel),
                bytes(plan.memory_gateway),
                bytes(plan.memory_kernel)
            ),
        );
        let [inbound, outbound] = plan.network.map(|bits| bits / 1e6);
        line("network", format!("{inbound:.1} Mbit/s in, {outbound:.1} out, payloads alone"));
        line("runs out", self.bounds());
        line("allow", self.settings());
        text += &self.how_sure();
        text
    }

    fn wanted(&self) -> String {
        let Demand { sessions, rate, workload, plugins, .. } = self.demand;
        let to = match workload.fanout {
            Some(members) => format!(", each to a group of {}", number(members)),
            None => ", each echoed or forwarded".to_owned(),
        };
        let met = if plugins > 0.0 {
            let deliveries = workload.copy_calls * workload.fanout.unwrap_or_default();
            format!(", {} of plugins for each", plural(workload.calls + deliveries, "call"))
        } else {
            String::new()
        };
        format!(
            "{} over {}, {} of {} bytes a second{to}{met}\n\n",
            plural(sessions, "session"),
            workload.transport.name(),
            plural(rate, "message"),
            number(workload.size)
        )
    }

    /// A message's cost, and what it is made of.
    fn parts(&self) -> String {
        let mut parts: Vec<String> = self
            .plan
            .parts_us
            .iter()
            .filter(|(_, cost)| *cost >= SMALL)
            .map(|(part, cost)| format!("{} {cost:.2}", name(*part)))
            .collect();
        if self.plan.plugin_us > 0.0 {
            parts.push(format!("the plugins' own work {:.2}", self.plan.plugin_us));
        }
        format!("{:.2} µs: {}", self.plan.message_us, parts.join(", "))
    }

    fn bounds(&self) -> String {
        let what = |bound: &Bound| match bound {
            Bound::Processor => "the processor's budget",
            Bound::Memory => "memory",
            Bound::Network => "the network",
            Bound::Slots => "the slots of a worker",
        };
        let said: Vec<String> = self
            .plan
            .used
            .iter()
            .filter(|(_, used)| *used >= 0.0005)
            .map(|(bound, used)| format!("{} ({:.1} % used)", what(bound), used * 100.0))
            .collect();
        let verdict = if self.suffices() { "first" } else { "DOES NOT SUFFICE:" };
        if said.is_empty() { "nothing".to_owned() } else { format!("{verdict} {}", said.join(", then ")) }
    }

    fn settings(&self) -> String {
        format!(
            "LimitNOFILE={:.0}, and one more for each upstream connection; limits.connections = {:.0} (docs/capacity.md has what else)",
            self.plan.files, self.demand.sessions
        )
    }

    fn how_sure(&self) -> String {
        let Self { coefficients, demand, .. } = self;
        let mut text = format!(
            "\nmeasured on {}, {}, weir {}",
            coefficients.machine, coefficients.date, coefficients.weir
        );
        match coefficients.others {
            Some(others) if others < BUSY => {}
            Some(others) => {
                let _ = write!(text, ", while others used {:.0} % of its cores", others * 100.0);
            }
            None => text.push_str(", while others used much of its cores"),
        }
        if let Some(held_out) = coefficients.of(demand.workload.transport).map(|measured| measured.held_out) {
            let _ = write!(
                text,
                ": of {} runs that the fit had not seen, half were within {:.0} %, nine in ten within {:.0} %, all within {:.0} %",
                held_out.runs,
                held_out.median * 100.0,
                held_out.most * 100.0,
                held_out.worst * 100.0
            );
        }
        text.push('\n');
        match self.scale {
            Some(scale) => {
                let _ = writeln!(
                    text,
                    "scaled to this machine: a turn takes {:.2} times as long, what each message adds {:.2} times",
                    scale.turns, scale.messages
                );
            }
            None => text.push_str("another machine is slower or faster: --calibrate measures this one\n"),
        }
        if let Some(work) = &self.plugin {
            let _ = writeln!(
                text,
                "{}: {:.2} µs a message of {} bytes in a loop alone, {:.2} µs of it its own work",
                work.name, work.loop_us, work.size, work.own_us
            );
        }
        for beyond in &self.beyond {
            let _ = writeln!(text, "beyond what was measured, so less sure: {beyond}");
        }
        text
    }
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Turn => "its turn",
        Part::Among => "memory grown cold",
        Part::Message => "the message itself",
        Part::Kib => "its bytes",
        Part::Enter => "entering plugins",
        Part::Call => "calling them",
        Part::CopyTurn => "writes to members",
        Part::CopyAmong => "among many members",
        Part::Copy => "deliveries",
        Part::CopyKib => "their bytes",
        Part::CopyCall => "calling plugins for them",
    }
}

fn cores(cores: f64) -> String {
    if (cores - 1.0).abs() < f64::EPSILON { "1 core".to_owned() } else { format!("{cores} cores") }
}

fn plural(count: f64, what: &str) -> String {
    let end = if (count - 1.0).abs() < f64::EPSILON { "" } else { "s" };
    format!("{} {what}{end}", number(count))
}

/// With commas between thousands.
fn number(value: f64) -> String {
    let digits = format!("{:.0}", value.clamp(0.0, 1e15));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(value: f64) -> String {
    const MIB: f64 = 1_048_576.0;
    if value < 1024.0 * MIB {
        format!("{:.0} MiB", value / MIB)
    } else {
        format!("{:.2} GiB", value / MIB / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0.4, 999.0, 1000.0, 1_234_567.0].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([plural(1.0, "call"), plural(2.0, "call")], ["1 call", "2 calls"]);
        assert_eq!([bytes(1_048_576.0), bytes(3.0 * 1_073_741_824.0)], ["1 MiB", "3.00 GiB"]);
    }
}
