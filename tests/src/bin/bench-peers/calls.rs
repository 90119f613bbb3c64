//! One call of a plugin, without any gateway: Weir's contract, a filter in Rust, an Extism plugin, one of Fluvio.

use crate::arena::Arena;
use crate::process::{LOAD, made, peers};
use crate::results::{Figures, Missing, Workload};
use crate::settings::Settings;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use weir_tests::artifact;

pub(crate) const NAME: &str = "calls";
/// Cases, by the names that the programs print.
const CASES: [(&str, &str); 3] = [("128", "128 B"), ("4096", "4 KiB"), ("64x128", "128 B, 64 in one call")];
const SYSTEMS: [(&str, &str); 4] = [
    (crate::WEIR, ""),
    ("native Rust filter", "native_filter"),
    ("Extism", "extism"),
    ("fluvio-smartengine", "fluvio"),
];

pub(crate) fn run(settings: &Settings) -> (Workload, Vec<Missing>) {
    let mut arena = Arena::empty(settings, NAME);
    let systems: Vec<&(&str, &str)> = SYSTEMS.iter().filter(|(name, _)| settings.invites(name)).collect();
    // Every program measures all of its cases at once: its turn is the first case's, the others take what it has found.
    let mut found: BTreeMap<(usize, usize), BTreeMap<String, f64>> = BTreeMap::new();
    let names: Vec<String> = systems.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (number, (case, title)) in CASES.iter().enumerate() {
        let mut rounds = vec![0; systems.len()];
        let names = names.clone();
        // Only Weir and Fluvio take several messages at once.
        let fits = |name: &str| number < 2 || name == crate::WEIR || name.starts_with("fluvio");
        let here: Vec<usize> = (0..names.len()).filter(|at| fits(&names[*at])).collect();
        let here_names: Vec<String> = here.iter().map(|at| names[*at].clone()).collect();
        arena.turns(title, &here_names, |place| {
            let at = here[place];
            let round = rounds[at];
            rounds[at] += 1;
            if number == 0 {
                found.insert((at, round), measure(systems[at])?);
            }
            let all = found.get(&(at, round)).context("it was not measured")?;
            let cost = all.get(*case).with_context(|| format!("nothing was printed of {case}"))?;
            Ok(Figures::from([("ns".to_owned(), *cost)]))
        });
    }
    arena.close()
}

/// Nanoseconds by case.
fn measure((name, piece): &(&str, &str)) -> Result<BTreeMap<String, f64>> {
    let native = |program: &str, guest: Option<&str>| -> Result<BTreeMap<String, f64>> {
        let program = made(
            &format!("native/{piece}/release/{program}").replace("native_filter", "native-filter"),
            piece,
        )?;
        let mut command = on_core(&program);
        if let Some(guest) = guest {
            command.arg(made(guest, piece)?);
        }
        let text = said(&mut command)?;
        Ok(text.lines().filter_map(|line| line.split_once('\t')).filter_map(entry).collect())
    };
    match *name {
        crate::WEIR => weir(),
        "native Rust filter" => native("peer-native-filter", None),
        "Extism" => native(
            "peer-extism",
            Some("native/extism-guest/wasm32-unknown-unknown/release/extism_guest.wasm"),
        ),
        _ => native(
            "peer-fluvio",
            Some("native/fluvio-guest/wasm32-unknown-unknown/release/fluvio_guest.wasm"),
        ),
    }
}

fn entry((name, value): (&str, &str)) -> Option<(String, f64)> {
    Some((name.to_owned(), value.trim().parse().ok()?))
}

fn on_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &LOAD.to_string()]).arg(program).current_dir(peers());
    command
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{}", error.lines().last().unwrap_or("it failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The bench of the plugin runtime, which `make bench` runs too.
fn weir() -> Result<BTreeMap<String, f64>> {
    let mut command = Command::new("taskset");
    command
        .args([
            "-c",
            &LOAD.to_string(),
            "cargo",
            "bench",
            "--quiet",
            "--package",
            "weir-plugin",
            "--bench",
            "calls",
        ])
        .args(["--", "passthrough"])
        .current_dir(artifact::root());
    parse(&said(&mut command)?)
}

/// Names of its rows, to those of the cases.
fn parse(text: &str) -> Result<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    let mut of_passthrough = false;
    for line in text.lines() {
        // From behind: calls a second, best, median; and of several: ratio, together, alone.
        let mut fields = line.split_whitespace().rev();
        let mut back = |places: usize| fields.nth(places).and_then(|field| field.parse::<f64>().ok());
        if line.starts_with("passthrough: 128 B, forwarded") {
            found.extend(back(2).map(|cost| ("128".to_owned(), cost)));
        } else if line.starts_with("passthrough: 4 KiB, forwarded") {
            found.extend(back(2).map(|cost| ("4096".to_owned(), cost)));
        } else if line.contains("nanoseconds a message") {
            of_passthrough = line.starts_with("passthrough");
        } else if of_passthrough && line.starts_with("64 at once") {
            found.extend(back(1).map(|cost| ("64x128".to_owned(), cost * 64.0)));
        }
    }
    ensure!(!found.is_empty(), "the bench printed something else: {text}");
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bench_of_calls_is_read() {
        let text = "one call   median ns   best ns calls a second\n\
                    passthrough: 128 B, forwarded as it was    456    392    2192982\n\
                    passthrough: 4 KiB, forwarded as it was    506    480    1976284\n\
                    \npassthrough: 128 B of text, nanoseconds a message    alone together ratio\n\
                    64 at once       587   90   6.52\n\
                    \nwordfilter: 128 B of text, nanoseconds a message    alone together ratio\n\
                    64 at once       1524   873   1.75\n";
        let found = super::parse(text).unwrap();
        let is = |name: &str, figure: f64| (found[name] - figure).abs() < f64::EPSILON;
        assert!(is("128", 456.0) && is("4096", 506.0) && is("64x128", 90.0 * 64.0), "{found:?}");
        assert!(super::parse("nothing").is_err());
    }
}
