//! `weir capacity`: what so many sessions and messages take.
//!
//! What was measured comes from `host/capacity`; here it meets the command line, this machine and a plugin's file.

mod amounts;
mod plugin;
mod show;

pub(crate) use amounts::{bits, count, microseconds, percent, positive, rate};

use crate::cli::Capacity;
use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use plugin::Work;
use std::process::ExitCode;
use weir_capacity::{Coefficients, Demand, Plan, Scale, Supply, Transport, Workload, beyond, measure};

/// The part of this machine's memory that sessions may have: the rest is for what comes in crowds, and for others.
const OF_MEMORY: f64 = 0.75;
/// The default of `limits.ping_interval`, in seconds.
const PING_INTERVAL: f64 = 30.0;

/// Which messages a plugin meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Meets {
    /// From clients
    In,
    /// To clients
    Out,
    /// Those and these
    Both,
}

impl Meets {
    /// Whether it meets inbound messages, and whether outbound ones.
    fn directions(self) -> (bool, bool) {
        (self != Self::Out, self != Self::In)
    }
}

/// Runs the command. Exit code 0: the supply suffices; 1: it does not.
pub(crate) fn run(options: &Capacity) -> anyhow::Result<ExitCode> {
    ensure!(
        options.ping_interval.is_none_or(|seconds| (0.0..=86_400.0).contains(&seconds)),
        "--ping-interval takes seconds, from 0 to 86400"
    );
    ensure!(
        options.fanout.is_none_or(|members| members <= options.connections),
        "--fanout: a group has no more members than there are --connections"
    );
    let mut coefficients = coefficients(options)?;
    let scale = if options.calibrate {
        eprintln!("measuring this machine for some seconds");
        let program = std::env::current_exe().context("cannot find the program to measure")?;
        let scale = Scale::measure(&program, &coefficients, options.transport)?;
        coefficients = scale.apply(&coefficients);
        Some(scale)
    } else {
        None
    };
    let measured = match &options.plugin {
        Some(file) => Some(plugin::measure(file, options, &coefficients)?),
        None => None,
    };
    let demand = demand(options, measured.as_ref());
    let supply = supply(options);
    let Some(plan) = Plan::new(&coefficients, &demand, &supply) else {
        bail!("{} was not measured for these coefficients", options.transport.name());
    };
    let answer = show::Answer {
        beyond: beyond(&coefficients, &demand, &supply),
        demand,
        supply,
        plan,
        plugin: measured,
        coefficients: &coefficients,
        scale,
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&answer.json())?);
    } else {
        print!("{}", answer.text());
    }
    Ok(if answer.suffices() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn coefficients(options: &Capacity) -> anyhow::Result<Coefficients> {
    let Some(file) = &options.coefficients else { return Ok(Coefficients::shipped()?) };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Coefficients::parse(&text).with_context(|| {
        format!("{}: not a file of coefficients; `make experiments ONLY=capacity` writes one", file.display())
    })
}

fn demand(options: &Capacity, measured: Option<&Work>) -> Demand {
    let size = measured.map_or(options.size as f64, |work| work.size as f64);
    let measured_on = measured.map(|work| (work.inbound, work.outbound, work.own_us));
    let (inbound, outbound) = options.plugin_on.directions();
    let said = options.plugin_cost.iter().map(|own| (inbound, outbound, *own));
    // A group's deliveries are met one by one, an echo or an answer as the message was.
    let (mut calls, mut copy_calls, mut plugin_us) = (0.0, 0.0, 0.0);
    for (inbound, outbound, own) in said.chain(measured_on) {
        let (inbound, outbound) = (f64::from(u8::from(inbound)), f64::from(u8::from(outbound)));
        if options.fanout.is_some() {
            (calls, copy_calls) = (calls + inbound, copy_calls + outbound);
        } else {
            calls += inbound + outbound;
        }
        plugin_us += own * (inbound + outbound * options.fanout.unwrap_or(1.0));
    }
    Demand {
        sessions: options.connections,
        rate: options.rate,
        workload: Workload {
            transport: options.transport,
            talking: options.talking.unwrap_or(options.connections).min(options.connections),
            size,
            burst: options.burst.max(1.0),
            fanout: options.fanout,
            calls,
            copy_calls,
            together: measured.is_none_or(|work| work.together),
            plugin_us,
        },
        ping_interval: options.ping_interval.unwrap_or_else(|| ping_interval(options.transport)),
        plugins: options.plugin_cost.len() as f64 + f64::from(u8::from(measured.is_some())),
    }
}

/// Where nothing is said: framed TCP carries no pings unless its listener says so, and then its clients must know of it.
fn ping_interval(transport: Transport) -> f64 {
    match transport {
        Transport::Tcp => 0.0,
        Transport::WebSocket => PING_INTERVAL,
    }
}

fn supply(options: &Capacity) -> Supply {
    let memory = options.memory.map(|bytes| bytes as f64);
    Supply {
        cores: options.cores.unwrap_or_else(|| measure::cores() as f64),
        budget: options.budget,
        memory: memory.or_else(|| machine_memory().map(|bytes| bytes * OF_MEMORY)),
        network: options.network,
    }
}

/// Bytes of this machine: /proc/meminfo, proc(5).
fn machine_memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kibibytes| kibibytes * 1024.0)
}
