//! What `weir capacity` knows: the formula of `host/capacity`, fitted to measured runs of the gateway and checked against others.
//!
//! All settings of a transport are connected at once and take turns, those that the fit is to see and those that it is not: whatever else
//! the machine does meets all of them.

mod page;
mod settings;

use crate::Found;
use crate::length::Length;
use crate::table::{Series, Table, thousands};
use crate::turns::turns;
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use weir_capacity::fit::fit;
use weir_capacity::measure::{Probe, Run, Setup, cores, open_files};
use weir_capacity::model::{TOGETHER, cost};
use weir_capacity::{Call, Coefficients, Demand, Measured, Plan, Supply, Terms, Transport, Workload};
use weir_tests::artifact;
use weir_tests::machine::processor;

const ROUNDS: usize = 5;
const SLICE: Duration = Duration::from_millis(150);
/// Where very many take turns, each is to have several.
const LONG_SLICE: Duration = Duration::from_millis(400);
/// From one setting to the next that is measured: no divisor of how many there are, so that all have their turn, and like is not beside like.
const STRIDE: usize = 7;
/// Idle sessions that are pinged once a second.
const PINGED: usize = 3_000;
const PING_SLICES: usize = 5;
const PING_SLICE: Duration = Duration::from_secs(1);
/// Files that are open beside the clients'.
const OTHER_FILES: usize = 100;
/// Coefficients are kept to a part of a µs like this.
const GRAIN: f64 = 1e3;

/// What was measured of one setting.
struct Costed {
    workload: Workload,
    cost: Series,
    /// Messages a second.
    rate: f64,
    /// The part of the time in which the gateway ran or wanted to.
    busy: f64,
}

pub(crate) fn run(length: Length) -> anyhow::Result<Found> {
    let program = artifact::weir().canonicalize()?;
    let mut errors = Table::new(
        "How far the formula was off: half of the runs within, nine in ten within, all within",
        &["transport", "runs that it was fitted to", "runs that it has not seen"],
    );
    let columns = [
        "transport",
        "setting",
        "measured (lowest–highest)",
        "by the formula",
        "off",
        "messages a second",
        "of a whole core, by the formula",
        "busy",
    ];
    let mut held = Table::new(
        "The runs that the fit has not seen: what a message (for groups: with all its deliveries) cost the gateway, µs, and how many a \
         second there were; *busy* is the part of the time in which the gateway ran, and where it is under 90 % the load was the slower side",
        &columns,
    );
    let mut beyond = Table::new(
        "Settings beyond all that it was fitted to, which `weir capacity` says it is less sure of; not among the errors above",
        &columns,
    );
    let mut coefficients = Coefficients {
        weir: version(&program)?,
        date: said(Command::new("date").args(["-u", "+%F"]))?,
        machine: processor(cores()),
        others: None,
        call: Call {
            alone: grained(settings::loop_us(&program, "passthrough", "", 1, 64)?),
            together: grained(settings::loop_us(&program, "passthrough", "", TOGETHER as usize, 64)?),
        },
        transports: BTreeMap::new(),
        // Idle sessions are measured by `make bench` and `make million`.
        memory: Coefficients::shipped()?.memory,
        range: settings::range(&settings::training(Transport::WebSocket)),
    };
    for transport in Transport::ALL {
        let pinged = length.connections(PINGED);
        let ping = Probe::ping(&program, transport, pinged, length.rounds(PING_SLICES), PING_SLICE)?;
        let mut setups = settings::training(transport);
        let seen = setups.len();
        setups.extend(settings::held_out(&program, transport)?);
        let mut training = measure(&program, setups, SLICE, length)?;
        let unseen = training.split_off(seen);
        let measured = measured(&training, &unseen, ping);
        errors.row(vec![
            transport.name().to_owned(),
            page::errors(&measured.training),
            page::errors(&measured.held_out),
        ]);
        coefficients.transports.insert(transport, measured);
        let more = measure(&program, settings::beyond(transport), LONG_SLICE, length)?;
        for (table, runs) in [(&mut held, unseen), (&mut beyond, more)] {
            for run in runs {
                table.row(row(&coefficients, &run)?);
            }
        }
    }
    Ok(Found { tables: vec![errors, held, beyond], coefficients: Some(coefficients) })
}

/// What the next build of the gateway carries, and what its page says of it.
pub(crate) fn keep(coefficients: &Coefficients) -> anyhow::Result<()> {
    let text = coefficients.to_text();
    // A figure that is none would be found out by the next build.
    Coefficients::parse(&text).with_context(|| format!("coefficients that cannot be read back:\n{text}"))?;
    let file = artifact::root().join("host/capacity/coefficients.json");
    std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    crate::page::write(&artifact::root().join(page::PAGE), page::MARK, &page::text(coefficients))
}

/// What was fitted to the ones, and how far it is off them and the others.
fn measured(training: &[Costed], unseen: &[Costed], ping: f64) -> Measured {
    let runs = |of: &[Costed]| -> Vec<_> { of.iter().map(|run| (run.workload, run.cost.median())).collect() };
    let (training, unseen) = (runs(training), runs(unseen));
    // Errors are those of what is kept.
    let terms = Terms::new(fit(&training).values.map(grained), grained(ping));
    Measured::new(terms, &training, &unseen)
}

fn grained(value: f64) -> f64 {
    (value * GRAIN).round() / GRAIN
}

fn row(coefficients: &Coefficients, run: &Costed) -> anyhow::Result<Vec<String>> {
    let Costed { workload, cost: measured, rate, busy } = run;
    let transport = workload.transport;
    let terms = &coefficients.of(transport).context("a transport that is measured")?.terms;
    let predicted = cost(terms, workload);
    // As the command would say it.
    let demand = Demand { sessions: 0.0, rate: 0.0, workload: *workload, ping_interval: 0.0, plugins: 0.0 };
    let supply = Supply { cores: 1.0, budget: 1.0, memory: None, network: None };
    let plan = Plan::new(coefficients, &demand, &supply).context("a transport that is measured")?;
    Ok(vec![
        transport.name().to_owned(),
        settings::named(workload),
        measured.spread(),
        format!("{predicted:.2}"),
        format!("{:+.0} %", (predicted / measured.median() - 1.0) * 100.0),
        thousands(*rate),
        thousands(plan.highest_rate),
        format!("{:.0} %", busy * 100.0),
    ])
}

/// All of them take turns.
fn measure(
    program: &Path,
    setups: Vec<Setup>,
    slice: Duration,
    length: Length,
) -> anyhow::Result<Vec<Costed>> {
    let files = settings::clients(&setups) + OTHER_FILES;
    let most = usize::try_from(open_files()).unwrap_or(usize::MAX);
    ensure!(files <= most, "{files} files must be open at once, and {most} may be; see `ulimit -n`");
    ensure!(!setups.len().is_multiple_of(STRIDE), "a stride that misses some");
    let setups: Vec<Setup> = setups
        .into_iter()
        .map(|setup| Setup {
            sessions: length.connections(setup.sessions),
            fanout: setup.fanout.map(|members| length.connections(members)),
            ..setup
        })
        .collect();
    let mut probes = Vec::new();
    for step in 0..setups.len() {
        let at = step * STRIDE % setups.len();
        let setup = &setups[at];
        let probe = Probe::start(program, setup).with_context(|| settings::named(&setup.workload()))?;
        probes.push((at, setup.workload(), probe));
    }
    let slices = turns(length.rounds(ROUNDS), &mut probes, |(_, workload, probe)| {
        probe.run(length.time(slice)).with_context(|| settings::named(workload))
    })?;
    let figure = |runs: &[Run], figure: fn(&Run) -> f64| Series::of(runs, figure);
    let mut costed: Vec<(usize, Costed)> = probes
        .iter()
        .zip(&slices)
        .map(|((at, workload, _), runs)| {
            let run = Costed {
                workload: *workload,
                cost: figure(runs, |run| run.cost_us),
                rate: figure(runs, |run| run.rate).median(),
                busy: figure(runs, |run| run.busy).median(),
            };
            (*at, run)
        })
        .collect();
    costed.sort_by_key(|(at, _)| *at);
    Ok(costed.into_iter().map(|(_, run)| run).collect())
}

fn version(program: &Path) -> anyhow::Result<String> {
    Ok(said(Command::new(program).arg("--version"))?.trim_start_matches("weir ").to_owned())
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    Ok(String::from_utf8(command.output()?.stdout)?.trim().to_owned())
}
