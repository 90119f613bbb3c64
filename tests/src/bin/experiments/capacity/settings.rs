//! Which settings are measured: those that the fit sees, those that it does not, and those that lie beyond both.

use anyhow::Context;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use weir_capacity::measure::{Plugged, Setup};
use weir_capacity::{Range, Transport, Workload};
use weir_tests::artifact;

/// Sessions, burst, size.
type Echo = (usize, usize, usize);
/// Members, burst, size, and whether a plugin meets each delivery.
type Group = (usize, usize, usize, bool);

const ECHOES: [Echo; 13] = [
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
const PLUGGED: [Echo; 5] = [(100, 1, 64), (1_000, 1, 64), (100, 4, 1_024), (100, 16, 64), (100, 64, 64)];
const GROUPS: [Group; 9] = [
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
const HELD_ECHOES: [Echo; 8] = [
    (300, 1, 64),
    (300, 2, 256),
    (1_500, 1, 256),
    (500, 8, 512),
    (100, 32, 128),
    (1_500, 8, 64),
    (300, 1, 4_096),
    (100, 8, 2_048),
];
const HELD_PLUGGED: [Echo; 2] = [(500, 1, 128), (300, 8, 256)];
const HELD_GROUPS: [Group; 5] = [
    (30, 1, 256, false),
    (300, 1, 64, false),
    (300, 8, 256, false),
    (700, 4, 512, false),
    (300, 4, 128, true),
];
/// With the word filter, whose own work is measured in a loop alone.
const HELD_WORKING: [Echo; 2] = [(300, 1, 256), (300, 8, 256)];

/// More sessions, larger messages and larger groups than the fit has seen any of: what `weir capacity` says of these it calls a guess.
const BEYOND_ECHOES: [Echo; 2] = [(10_000, 1, 64), (100, 1, 65_536)];
const BEYOND_GROUP: Group = (5_000, 1, 64, false);

/// A plugin, how often it is called for a message, and what it takes of its own in each call, µs.
struct Plugin {
    plugged: Plugged,
    calls: usize,
    own_us: f64,
}

/// What the formula is fitted to.
pub(super) fn training(transport: Transport) -> Vec<Setup> {
    let passthrough = plugin("passthrough", "", 2, 0.0);
    let mut setups: Vec<Setup> = ECHOES.iter().map(|of| echo(transport, *of, None)).collect();
    setups.extend(PLUGGED.iter().map(|of| echo(transport, *of, Some(&passthrough))));
    setups.extend(GROUPS.iter().map(|of| group(transport, *of, &passthrough)));
    setups
}

/// What it is checked against.
pub(super) fn held_out(program: &Path, transport: Transport) -> anyhow::Result<Vec<Setup>> {
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

/// Where it is bound to be worse.
pub(super) fn beyond(transport: Transport) -> Vec<Setup> {
    let mut setups: Vec<Setup> = BEYOND_ECHOES.iter().map(|of| echo(transport, *of, None)).collect();
    setups.push(group(transport, BEYOND_GROUP, &plugin("passthrough", "", 0, 0.0)));
    setups
}

/// Between which settings the formula was fitted.
pub(super) fn range(training: &[Setup]) -> Range {
    let workloads: Vec<Workload> = training.iter().map(Setup::workload).collect();
    let of = |figure: fn(&Workload) -> Option<f64>| {
        let all = workloads.iter().filter_map(figure);
        all.fold([f64::INFINITY, 0.0], |[least, most], value| [least.min(value), f64::max(most, value)])
    };
    Range {
        // Of a group only its publisher talks.
        talking: of(|workload| workload.fanout.is_none().then_some(workload.talking)),
        size: of(|workload| Some(workload.size)),
        burst: of(|workload| Some(workload.burst)),
        fanout: of(|workload| workload.fanout),
        cores: [1.0, 1.0],
    }
}

/// Clients of all of them together.
pub(super) fn clients(setups: &[Setup]) -> usize {
    setups.iter().map(|setup| setup.fanout.map_or(setup.sessions, |members| members + 1)).sum()
}

/// For a table.
pub(super) fn named(workload: &Workload) -> String {
    let Workload { talking, size, burst, fanout, calls, copy_calls, plugin_us, .. } = workload;
    let who = match fanout {
        None => format!("echo, {talking} sessions"),
        Some(members) => format!("group of {members}"),
    };
    let mut text = format!("{who}, {burst} together, {size} bytes");
    let all = calls + copy_calls * fanout.unwrap_or_default();
    if all > 0.0 {
        let _ = write!(text, ", {all} call{}", if all > 1.0 { "s" } else { "" });
    }
    if *plugin_us > 0.0 {
        let _ = write!(text, ", {plugin_us:.2} µs of work");
    }
    text
}

fn plugin(name: &str, config: &str, calls: usize, own_us: f64) -> Plugin {
    let plugged = Plugged { file: artifact::plugin(name), config: config.to_owned() };
    Plugin { plugged, calls, own_us }
}

fn echo(transport: Transport, (sessions, burst, size): Echo, plugin: Option<&Plugin>) -> Setup {
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

fn group(transport: Transport, (members, burst, size, called): Group, plugin: &Plugin) -> Setup {
    Setup {
        fanout: Some(members),
        plugin: called.then(|| plugin.plugged.clone()),
        copy_calls: usize::from(called),
        ..echo(transport, (1, burst, size), None)
    }
}

/// What `weir capacity` says that a plugin takes in a loop alone, µs a message.
pub(super) fn loop_us(
    program: &Path,
    name: &str,
    config: &str,
    burst: usize,
    size: usize,
) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    // What the runs send.
    let payload = folder.path().join("payload");
    std::fs::write(&payload, vec![b'm'; size])?;
    let mut command = Command::new(program);
    command.args(["capacity", "--connections", "100", "--json", "--burst"]).arg(burst.to_string());
    command.arg("--payload").arg(&payload).arg("--plugin").arg(artifact::plugin(name));
    if !config.is_empty() {
        let settings = folder.path().join("settings.toml");
        std::fs::write(&settings, format!("config = {config}\n"))?;
        command.arg("--plugin-config").arg(&settings);
    }
    let output = command.output().context("weir capacity")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).with_context(|| format!("weir capacity: {said}"))?;
    answer["plugin"]["loop_us"].as_f64().context("weir capacity says no time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_is_both_fitted_to_and_checked_against() {
        assert!(HELD_ECHOES.iter().all(|held| !ECHOES.contains(held)));
        assert!(HELD_PLUGGED.iter().all(|held| !PLUGGED.contains(held)));
        assert!(HELD_GROUPS.iter().all(|held| !GROUPS.contains(held)));
    }

    #[test]
    fn what_is_checked_lies_within_what_is_fitted_and_the_rest_beyond() {
        let bare = |echoes: &[Echo], groups: &[Group]| -> Vec<Setup> {
            let nothing = Plugin {
                plugged: Plugged { file: "none".into(), config: String::new() },
                calls: 0,
                own_us: 0.0,
            };
            let echoes = echoes.iter().map(|of| echo(Transport::Tcp, *of, None));
            echoes.chain(groups.iter().map(|of| group(Transport::Tcp, *of, &nothing))).collect()
        };
        let fitted = range(&bare(&ECHOES, &GROUPS));
        assert_eq!((fitted.talking, fitted.fanout), ([100.0, 2_000.0], [10.0, 1_000.0]));
        assert_eq!((fitted.size, fitted.burst), ([64.0, 8_192.0], [1.0, 64.0]));
        let within = |setup: &Setup| {
            let Workload { talking, size, burst, fanout, .. } = setup.workload();
            let inside = |value: f64, [least, most]: [f64; 2]| least <= value && value <= most;
            inside(size, fitted.size)
                && inside(burst, fitted.burst)
                && fanout.map_or(inside(talking, fitted.talking), |members| inside(members, fitted.fanout))
        };
        assert!(
            bare(&[&HELD_ECHOES[..], &HELD_PLUGGED, &HELD_WORKING].concat(), &HELD_GROUPS).iter().all(within)
        );
        assert!(!bare(&BEYOND_ECHOES, &[BEYOND_GROUP]).iter().any(within));
    }
}
