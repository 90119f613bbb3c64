//! From what somebody wants to what it takes: how busy, how much at most, and what binds first.

use crate::coefficients::Coefficients;
use crate::model::{Part, Workload, cost, parts};
use serde::Serialize;

/// Sessions that one worker can hold: a slot has 24 bits.
pub const MOST_OF_A_WORKER: f64 = 16_777_216.0;
/// Files that a gateway has open beside its sessions, with some room.
pub const OTHER_FILES: f64 = 200.0;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Demand {
    /// Connected, whether they talk or not.
    pub sessions: f64,
    /// Inbound messages a second of all of them.
    pub rate: f64,
    /// What a message is.
    pub workload: Workload,
    /// Seconds between pings to each session, whether it talks or not; 0: none.
    pub ping_interval: f64,
    /// Plugins in the chain.
    pub plugins: f64,
}

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Supply {
    /// One worker on each.
    pub cores: f64,
    /// The part of each core that may be used, above 0 and at most 1: what is left is for bursts, and for others.
    pub budget: f64,
    /// Bytes for the gateway and the kernel's part of its sockets; `None`: not asked.
    pub memory: Option<f64>,
    /// Bits a second each way; `None`: not asked.
    pub network: Option<f64>,
}

/// What runs out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Time of the cores within their budget.
    Processor,
    /// Bytes.
    Memory,
    /// Bits a second.
    Network,
    /// Slots of a worker.
    Slots,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// CPU time of a message, µs, with the plugins'.
    pub message_us: f64,
    /// The same by term, without the plugins' own work.
    pub parts_us: Vec<(Part, f64)>,
    /// The plugins' own work, µs a message.
    pub plugin_us: f64,
    /// CPU time of a second's pings, µs.
    pub pings_us: f64,
    /// How full the fullest worker is, against the mean: sessions fall to workers by chance.
    pub unevenness: f64,
    /// Part of the cores' time that is used: 1 is all of it.
    pub utilisation: f64,
    /// The most inbound messages a second within the budget.
    pub highest_rate: f64,
    /// Bytes of the gateway.
    pub memory_gateway: f64,
    /// Bytes of the kernel's for sockets.
    pub memory_kernel: f64,
    /// Bits a second of payloads, in and out.
    pub network: [f64; 2],
    /// Files that must be allowed.
    pub files: f64,
    /// What is used of each supply that was named, largest first: over 1 it does not suffice.
    pub used: Vec<(Bound, f64)>,
    /// Nine in ten runs that the fit had not seen were within this part of what was measured.
    pub uncertainty: f64,
}

impl Plan {
    /// Works it out. `None`: the transport was not measured.
    pub fn new(coefficients: &Coefficients, demand: &Demand, supply: &Supply) -> Option<Self> {
        let Demand { sessions, rate, workload, ping_interval, plugins } = *demand;
        let measured = coefficients.of(workload.transport)?;
        let message_us = cost(&measured.terms, &workload);
        let pings = if ping_interval > 0.0 { sessions / ping_interval } else { 0.0 };
        let pings_us = pings * measured.terms.ping;
        let unevenness = fullest(workload.talking, supply.cores);
        let second = supply.cores * 1e6;
        let utilisation = (rate * message_us + pings_us) / second;
        let left = (second * supply.budget / unevenness - pings_us).max(0.0);
        let memory = &coefficients.memory;
        let each = match workload.transport {
            crate::Transport::Tcp => memory.tcp,
            crate::Transport::WebSocket => memory.websocket,
        };
        let memory_gateway =
            memory.gateway + if plugins > 0.0 { memory.plugins } else { 0.0 } + sessions * each;
        let memory_kernel = sessions * memory.kernel;
        let bits = rate * workload.size * 8.0;
        let network = [bits, bits * workload.fanout.unwrap_or(1.0)];
        let mut used = vec![
            (Bound::Processor, utilisation * unevenness / supply.budget),
            (Bound::Slots, sessions * fullest(sessions, supply.cores) / supply.cores / MOST_OF_A_WORKER),
        ];
        used.extend(supply.memory.map(|bytes| (Bound::Memory, (memory_gateway + memory_kernel) / bytes)));
        used.extend(supply.network.map(|bits| (Bound::Network, network[0].max(network[1]) / bits)));
        used.sort_by(|one, other| other.1.total_cmp(&one.1));
        Some(Self {
            message_us,
            parts_us: Part::ALL.into_iter().zip(parts(&measured.terms, &workload)).collect(),
            plugin_us: workload.plugin_us,
            pings_us,
            unevenness,
            utilisation,
            highest_rate: left / message_us,
            memory_gateway,
            memory_kernel,
            network,
            files: sessions + OTHER_FILES,
            used,
            uncertainty: measured.held_out.most,
        })
    }

    /// Between what the utilisation lies where the formula is off by no more than its uncertainty, which is a part of what is measured,
    /// not of what the formula says.
    pub fn utilisation_range(&self) -> [f64; 2] {
        [self.utilisation / (1.0 + self.uncertainty), self.utilisation / (1.0 - self.uncertainty).max(0.01)]
    }

    /// The same of the highest rate: what costs more allows less.
    pub fn highest_rate_range(&self) -> [f64; 2] {
        [self.highest_rate * (1.0 - self.uncertainty).max(0.0), self.highest_rate * (1.0 + self.uncertainty)]
    }
}

/// What of it is beyond what was measured, one sentence each: there the answer is a guess.
pub fn beyond(coefficients: &Coefficients, demand: &Demand, supply: &Supply) -> Vec<String> {
    let Workload { talking, size, burst, fanout, .. } = demand.workload;
    let range = &coefficients.range;
    let sides = [
        ("sessions that talk", talking, range.talking),
        ("bytes of a message", size, range.size),
        ("messages that come together", burst, range.burst),
        ("members of a group", fanout.unwrap_or(range.fanout[0]), range.fanout),
        ("cores", supply.cores, range.cores),
    ];
    sides
        .into_iter()
        .filter(|(_, asked, [least, most])| asked < least || asked > most)
        .map(|(what, asked, [least, most])| {
            let measured = if least < most { format!("{least} to {most}") } else { format!("{most}") };
            format!("{what}: {measured} measured, {asked} asked")
        })
        .collect()
}

/// How much fuller than the mean the fullest of several workers is, where each session falls to one of them by chance: the largest of
/// `cores` draws lies some √(2 ln cores) deviations above the mean. In a fifth of all draws it is more. Not measured.
fn fullest(sessions: f64, cores: f64) -> f64 {
    if cores <= 1.0 || sessions < 1.0 {
        return 1.0;
    }
    (1.0 + (2.0 * cores.ln() * (cores - 1.0) / sessions).sqrt()).min(cores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    fn coefficients() -> Coefficients {
        Coefficients::shipped().unwrap()
    }

    fn demand() -> Demand {
        Demand {
            sessions: 200_000.0,
            rate: 50_000.0,
            workload: Workload { talking: 200_000.0, calls: 1.0, plugin_us: 2.0, ..Workload::default() },
            ping_interval: 30.0,
            plugins: 1.0,
        }
    }

    const SUPPLY: Supply = Supply { cores: 4.0, budget: 0.7, memory: None, network: None };

    #[test]
    fn the_highest_rate_is_the_one_that_uses_the_budget() {
        for transport in Transport::ALL {
            let mut demand = demand();
            demand.workload.transport = transport;
            demand.rate = Plan::new(&coefficients(), &demand, &SUPPLY).unwrap().highest_rate;
            let plan = Plan::new(&coefficients(), &demand, &SUPPLY).unwrap();
            let (bound, used) = plan.used[0];
            assert_eq!(bound, Bound::Processor);
            // The pings are spread over the workers as their sessions are.
            assert!((used - 1.0).abs() < 0.01, "{used}");
        }
    }

    #[test]
    fn more_wanted_leaves_less_and_more_there_allows_more() {
        let base = Plan::new(&coefficients(), &demand(), &SUPPLY).unwrap();
        let with = |change: fn(&mut Demand)| {
            let mut demand = demand();
            change(&mut demand);
            Plan::new(&coefficients(), &demand, &SUPPLY).unwrap()
        };
        let dearer: [fn(&mut Demand); 7] = [
            |demand| demand.sessions *= 2.0,
            |demand| demand.ping_interval = 10.0,
            |demand| demand.workload.size = 4096.0,
            |demand| demand.workload.plugin_us = 10.0,
            |demand| demand.workload.calls = 3.0,
            |demand| demand.workload.fanout = Some(20.0),
            |demand| (demand.workload.fanout, demand.workload.copy_calls) = (Some(20.0), 1.0),
        ];
        for change in dearer {
            let plan = with(change);
            assert!(plan.highest_rate < base.highest_rate && plan.utilisation > base.utilisation);
        }
        assert!(with(|demand| demand.rate *= 2.0).utilisation > base.utilisation);
        assert!(with(|demand| demand.sessions *= 2.0).memory_kernel > base.memory_kernel);
        let more = Plan::new(&coefficients(), &demand(), &Supply { cores: 8.0, ..SUPPLY }).unwrap();
        assert!(more.highest_rate > base.highest_rate * 1.9 && more.utilisation < base.utilisation);
    }

    #[test]
    fn what_runs_out_first_is_named_first() {
        let first = |supply: Supply| Plan::new(&coefficients(), &demand(), &supply).unwrap().used[0].0;
        assert_eq!(first(SUPPLY), Bound::Processor);
        assert_eq!(first(Supply { memory: Some(1e8), ..SUPPLY }), Bound::Memory);
        assert_eq!(first(Supply { network: Some(1e6), ..SUPPLY }), Bound::Network);
        let silent = Demand { sessions: 7e7, ping_interval: 0.0, rate: 0.0, ..demand() };
        let (bound, used) = Plan::new(&coefficients(), &silent, &SUPPLY).unwrap().used[0];
        assert!(bound == Bound::Slots && used > 7e7 / 4.0 / MOST_OF_A_WORKER, "{bound:?} {used}");
    }

    #[test]
    fn the_range_is_that_of_runs_that_were_off_by_as_much_as_the_uncertainty() {
        let plan = Plan { uncertainty: 0.25, ..Plan::new(&coefficients(), &demand(), &SUPPLY).unwrap() };
        // Off by a quarter of what was measured: the formula said 5 or 3 where 4 were measured.
        let [least, most] = plan.utilisation_range().map(|part| part / plan.utilisation);
        assert!((least - 4.0 / 5.0).abs() < 1e-9 && (most - 4.0 / 3.0).abs() < 1e-9, "{least} {most}");
        let [slowest, fastest] = plan.highest_rate_range().map(|rate| rate / plan.highest_rate);
        assert!(
            (slowest - 3.0 / 4.0).abs() < 1e-9 && (fastest - 5.0 / 4.0).abs() < 1e-9,
            "{slowest} {fastest}"
        );
        // A formula that is off by more than all of it says nothing, and does not divide by it.
        let nothing = Plan { uncertainty: 2.0, ..plan };
        assert!(nothing.utilisation_range()[1].is_finite() && nothing.highest_rate_range()[0] >= 0.0);
    }

    #[test]
    fn where_pings_take_all_there_is_no_rate_left() {
        let demand = Demand { sessions: 1e7, ping_interval: 1.0, ..demand() };
        let plan = Plan::new(&coefficients(), &demand, &SUPPLY).unwrap();
        assert!(plan.highest_rate.abs() < f64::EPSILON);
        assert!(plan.utilisation > 1.0);
    }

    #[test]
    fn what_lies_beyond_the_measured_is_said() {
        let coefficients = coefficients();
        let inside = Demand {
            workload: Workload { talking: coefficients.range.talking[1], ..Workload::default() },
            ..demand()
        };
        let one = Supply { cores: 1.0, ..SUPPLY };
        assert_eq!(beyond(&coefficients, &inside, &one), [""; 0]);
        let outside = Demand { workload: Workload { size: 1e6, ..inside.workload }, ..inside };
        let said = beyond(&coefficients, &outside, &SUPPLY);
        assert!(said.len() == 2 && said[0].contains("bytes") && said[1].contains("cores"), "{said:?}");
    }

    #[test]
    fn few_sessions_on_many_cores_fall_unevenly() {
        assert!((fullest(10.0, 1.0) - 1.0).abs() < f64::EPSILON);
        assert!(fullest(10.0, 4.0) > 1.5 && fullest(1e6, 4.0) < 1.01);
        assert!(fullest(1.0, 4.0) <= 4.0);
    }

    /// Seeded: the same in every run.
    #[test]
    fn what_is_planned_with_is_more_uneven_than_most_draws_and_less_than_the_worst() {
        let mut state = 0x5eed_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as usize) % below
        };
        for (sessions, cores) in [(100, 2), (200, 4), (1_000, 8), (2_000, 16)] {
            let planned = fullest(f64::from(sessions), cores as f64);
            let mut times: Vec<f64> = (0..200)
                .map(|_| {
                    let mut workers = vec![0_u32; cores];
                    (0..sessions).for_each(|_| workers[draw(cores)] += 1);
                    let fullest = workers.into_iter().max().unwrap_or_default();
                    f64::from(fullest) * cores as f64 / f64::from(sessions)
                })
                .collect();
            times.sort_by(f64::total_cmp);
            assert!(
                planned >= times[140] && planned <= times[199],
                "{sessions} {cores}: {planned} {times:?}"
            );
        }
    }
}
