//! What `weir capacity` knows: the formula of `host/capacity`, fitted to measured runs of the gateway and checked against others.
//!
//! All settings of a transport are connected at once and take turns, those that the fit is to see and those that it is not: whatever else
//! the machine does meets all of them.

use crate::table::{Series, Table};
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use weir_capacity::measure::{Plugged, Probe, Setup};
use weir_capacity::model::{Part, cost};
use weir_capacity::{Call, Coefficients, Measured, Range, Transport, Workload, fit::fit};

const ROUNDS: usize = 5;
const SLICE: Duration = Duration::from_millis(150);
/// From one setting to the next that is measured: no divisor of how many there are, so that all have their turn, and like is not beside like.
const STRIDE: usize = 7;
/// Idle sessions that are pinged once a second.
const PINGED: usize = 3_000;

/// Sessions, burst, size.
const ECHOES: [(usize, usize, usize); 13] = [
    (100, 1, 64),
    (100, 4, 64),
    (100, 16, 64),
    (100, 64, 64),
    (1_000, 1, 64),
    (1_000, 16, 64),
    (2_000, 1, 64),
    (2_000, 4, 64),
    (100, 1, 1_024),
    (100, 16, 1_024),
    (1_000, 1, 1_024),
    (100, 1, 8_192),
    (100, 16, 8_192),
];
/// The same with a plugin that is called twice for each: for the message and for its echo.
const PLUGGED: [(usize, usize, usize); 5] =
    [(100, 1, 64), (1_000, 1, 64), (100, 4, 1_024), (100, 16, 64), (100, 64, 64)];
/// Members of a group, burst, size; the last with a plugin for each delivery.
const GROUPS: [(usize, usize, usize, bool); 9] = [
    (10, 1, 64, false),
    (100, 1, 64, false),
    (1_000, 1, 64, false),
    (100, 16, 64, false),
    (1_000, 16, 64, false),
    (100, 1, 1_024, false),
    (300, 16, 1_024, false),
    (100, 1, 64, true),
    (300, 16, 64, true),
];

/// None of these is among those above.
const HELD_ECHOES: [(usize, usize, usize); 8] = [
    (300, 1, 64),
    (300, 2, 256),
    (1_500, 1, 256),
    (500, 8, 512),
    (100, 32, 128),
    (1_500, 8, 64),
    (300, 1, 4_096),
    (100, 8, 2_048),
];
const HELD_PLUGGED: [(usize, usize, usize); 2] = [(500, 1, 128), (300, 8, 256)];
const HELD_GROUPS: [(usize, usize, usize, bool); 5] = [
    (30, 1, 256, false),
    (300, 1, 64, false),
    (300, 8, 256, false),
    (700, 4, 512, false),
    (300, 4, 128, true),
];
/// With the word filter, whose own work is measured in a loop alone.
const HELD_WORKING: [(usize, usize, usize); 2] = [(300, 1, 256), (300, 8, 256)];

/// A setting, and what a message of it cost, µs.
type Costed = (Workload, f64);

/// A plugin, and what a loop alone says of it.
struct Plugin {
    plugged: Plugged,
    calls: usize,
    own_us: f64,
}

pub(crate) fn run() -> anyhow::Result<Vec<Table>> {
    let program = crate::root().join("target/release/weir");
    ensure!(program.is_file(), "{} is not there; run: make host plugins", program.display());
    let program = program.canonicalize()?;
    let call = Call {
        alone: loop_us(&program, "passthrough", "", 1, 64)?,
        together: loop_us(&program, "passthrough", "", 64, 64)?,
    };
    let ping = Probe::ping(&program, PINGED, Duration::from_secs(4))?;
    let mut found = Table::new(
        "What was fitted, µs; how far the formula is off the runs it was fitted to and those it has not seen",
        &["", "tcp", "websocket"],
    );
    let mut held = Table::new(
        "The runs that the fit has not seen: what a message (for groups: with all its deliveries) cost the gateway, µs",
        &["transport", "setting", "measured (lowest–highest)", "by the formula", "off"],
    );
    let mut transports = BTreeMap::new();
    for transport in Transport::ALL {
        let mut setups = training(transport);
        let seen = setups.len();
        setups.extend(held_out(&program, transport)?);
        let (mut training, mut shown) = measure(&program, &setups)?;
        let (unseen, shown) = (training.split_off(seen), shown.split_off(seen));
        let measured = Measured::new(&fit(&training), ping, &training, &unseen);
        for ((workload, cost_us), spread) in unseen.iter().zip(shown) {
            let predicted = cost(&measured.terms, workload);
            held.row(vec![
                transport.name().to_owned(),
                setting(workload),
                spread,
                format!("{predicted:.2}"),
                format!("{:+.0} %", (predicted / cost_us - 1.0) * 100.0),
            ]);
        }
        transports.insert(transport, measured);
    }
    for (at, part) in Part::ALL.iter().enumerate() {
        let mut row = vec![format!("{part:?}")];
        row.extend(
            transports.values().map(|measured: &Measured| format!("{:.3}", measured.terms.as_array()[at])),
        );
        found.row(row);
    }
    found.row(vec!["a ping and its pong (WebSocket)".into(), "the same".into(), format!("{ping:.1}")]);
    for (name, errors) in [
        ("error, training", (|measured: &Measured| measured.training) as fn(&Measured) -> _),
        ("error, held out", |measured: &Measured| measured.held_out),
    ] {
        let mut row = vec![format!("{name}: median, nine in ten, worst")];
        row.extend(transports.values().map(|measured| {
            let errors: weir_capacity::Errors = errors(measured);
            let [median, most, worst] = [errors.median, errors.most, errors.worst].map(|error| error * 100.0);
            format!("{median:.0} %, {most:.0} %, {worst:.0} % of {} runs", errors.runs)
        }));
        found.row(row);
    }
    write(&program, transports, call)?;
    Ok(vec![found, held])
}

fn training(transport: Transport) -> Vec<Setup> {
    let passthrough = plugin("passthrough", "", 2, 0.0);
    let mut setups: Vec<Setup> = ECHOES.iter().map(|of| echo(transport, *of, None)).collect();
    setups.extend(PLUGGED.iter().map(|of| echo(transport, *of, Some(&passthrough))));
    setups.extend(GROUPS.iter().map(|of| group(transport, *of, &passthrough)));
    setups
}

fn held_out(program: &Path, transport: Transport) -> anyhow::Result<Vec<Setup>> {
    let passthrough = plugin("passthrough", "", 2, 0.0);
    let mut setups: Vec<Setup> = HELD_ECHOES.iter().map(|of| echo(transport, *of, None)).collect();
    setups.extend(HELD_PLUGGED.iter().map(|of| echo(transport, *of, Some(&passthrough))));
    setups.extend(HELD_GROUPS.iter().map(|of| group(transport, *of, &passthrough)));
    for of in HELD_WORKING {
        let config = "{ words = [\"spam\", \"eel\"], binary = true }";
        // The filter as it meets this message, less what a plugin that does nothing takes in the same loop.
        let filter = loop_us(program, "wordfilter", config, of.1, of.2)?;
        let nothing = loop_us(program, "passthrough", "", of.1, of.2)?;
        let own_us = (filter - nothing).max(0.0);
        setups.push(echo(transport, of, Some(&plugin("wordfilter", config, 1, own_us))));
    }
    Ok(setups)
}

fn plugin(name: &str, config: &str, calls: usize, own_us: f64) -> Plugin {
    let plugged = Plugged { file: file(name), config: config.to_owned() };
    Plugin { plugged, calls, own_us }
}

fn file(name: &str) -> PathBuf {
    crate::root().join(format!("target/plugins/{name}.wasm"))
}

fn echo(
    transport: Transport,
    (sessions, burst, size): (usize, usize, usize),
    plugin: Option<&Plugin>,
) -> Setup {
    Setup {
        transport,
        sessions,
        size,
        burst,
        fanout: None,
        plugin: plugin.map(|plugin| plugin.plugged.clone()),
        calls: plugin.map_or(0, |plugin| plugin.calls),
        copy_calls: 0,
        plugin_us: plugin.map_or(0.0, |plugin| plugin.own_us * plugin.calls as f64),
    }
}

fn group(
    transport: Transport,
    (members, burst, size, called): (usize, usize, usize, bool),
    plugin: &Plugin,
) -> Setup {
    Setup {
        fanout: Some(members),
        plugin: called.then(|| plugin.plugged.clone()),
        copy_calls: usize::from(called),
        ..echo(transport, (1, burst, size), None)
    }
}

/// The median of each setting's slices, and their spread.
fn measure(program: &Path, setups: &[Setup]) -> anyhow::Result<(Vec<Costed>, Vec<String>)> {
    let mut probes = setups
        .iter()
        .map(|setup| Probe::start(program, setup).with_context(|| setting(&setup.workload())))
        .collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(!setups.len().is_multiple_of(STRIDE), "a stride that misses some");
    let mut costs = vec![Series::default(); probes.len()];
    for _ in 0..ROUNDS {
        for step in 0..setups.len() {
            let at = step * STRIDE % setups.len();
            let run = probes[at].run(SLICE).with_context(|| setting(&setups[at].workload()))?;
            costs[at].push(run.cost_us);
        }
    }
    let runs = setups.iter().zip(&costs).map(|(setup, cost)| (setup.workload(), cost.median())).collect();
    Ok((runs, costs.iter().map(Series::spread).collect()))
}

fn setting(workload: &Workload) -> String {
    let Workload { talking, size, burst, fanout, calls, copy_calls, plugin_us, .. } = workload;
    let who = match fanout {
        None => format!("echo, {talking} sessions"),
        Some(members) => format!("group of {members}"),
    };
    let mut text = format!("{who}, {burst} together, {size} bytes");
    if calls + copy_calls > 0.0 {
        let _ = write!(text, ", {} calls", calls + copy_calls * fanout.unwrap_or_default());
    }
    if *plugin_us > 0.0 {
        let _ = write!(text, ", {plugin_us:.2} µs of work");
    }
    text
}

/// What `weir capacity` says that a plugin takes in a loop alone, µs a message.
fn loop_us(program: &Path, name: &str, config: &str, burst: usize, size: usize) -> anyhow::Result<f64> {
    let mut command = Command::new(program);
    command.args(["capacity", "--connections", "100", "--json", "--burst"]).arg(burst.to_string());
    let folder = crate::root().join("target/experiments");
    std::fs::create_dir_all(&folder)?;
    // What the runs send.
    let payload = folder.join("payload");
    std::fs::write(&payload, vec![b'm'; size])?;
    command.arg("--payload").arg(&payload).arg("--plugin").arg(file(name));
    if !config.is_empty() {
        let settings = folder.join(format!("{name}.toml"));
        std::fs::write(&settings, format!("config = {config}\n"))?;
        command.arg("--plugin-config").arg(&settings);
    }
    let output = command.output().context("weir capacity")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).with_context(|| format!("weir capacity: {said}"))?;
    answer["plugin"]["loop_us"].as_f64().context("weir capacity says no time")
}

/// The file that the next build of the gateway carries.
fn write(program: &Path, transports: BTreeMap<Transport, Measured>, call: Call) -> anyhow::Result<()> {
    let said = |command: &mut Command| -> anyhow::Result<String> {
        Ok(String::from_utf8(command.output()?.stdout)?.trim().to_owned())
    };
    let version = said(Command::new(program).arg("--version"))?;
    let coefficients = Coefficients {
        weir: version.trim_start_matches("weir ").to_owned(),
        date: said(Command::new("date").args(["-u", "+%F"]))?,
        machine: crate::table::processor(),
        call,
        transports,
        // Idle sessions are measured by `make bench` and `make million`.
        memory: Coefficients::shipped()?.memory,
        range: Range {
            talking: [100.0, 2_000.0],
            size: [64.0, 8_192.0],
            burst: [1.0, 64.0],
            fanout: [10.0, 1_000.0],
            cores: [1.0, 1.0],
        },
    };
    let path = crate::root().join("host/capacity/coefficients.json");
    std::fs::write(&path, coefficients.to_text()).with_context(|| path.display().to_string())
}
