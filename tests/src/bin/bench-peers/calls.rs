//! One call of a plugin, without any gateway: Weir's contract, a filter in Rust, an Extism plugin, one of Fluvio.

use crate::WEIR;
use crate::arena::{Arena, named};
use crate::process::{LOAD, made, peers};
use crate::results::{Missing, Workload};
use crate::settings::Settings;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use weir_tests::artifact;

pub(crate) const NAME: &str = "calls";
/// Cases, by the names that the programs print.
const CASES: [(&str, &str); 3] = [("128", "128 B"), ("4096", "4 KiB"), (TOGETHER, "128 B, 64 in one call")];
const TOGETHER: &str = "64x128";

const EXTISM_GUEST: &str = "native/extism-guest/wasm32-unknown-unknown/release/extism_guest.wasm";
const FLUVIO_GUEST: &str = "native/fluvio-guest/wasm32-unknown-unknown/release/fluvio_guest.wasm";

/// Who is called.
struct Callee {
    name: &'static str,
    /// What the set-up calls it.
    piece: &'static str,
    /// What calls it; the bench of the plugin runtime where there is nothing.
    program: Option<&'static str>,
    guest: Option<&'static str>,
    /// For each call, in milliseconds.
    deadline: Option<&'static str>,
    /// Whether it takes several messages in one call.
    together: bool,
}

const CALLEES: [Callee; 5] = [
    Callee { name: WEIR, piece: "", program: None, guest: None, deadline: None, together: true },
    Callee {
        name: "native Rust filter",
        piece: "native_filter",
        program: Some("native/native-filter/release/peer-native-filter"),
        guest: None,
        deadline: None,
        together: false,
    },
    Callee {
        name: "Extism",
        piece: "extism",
        program: Some("native/extism/release/peer-extism"),
        guest: Some(EXTISM_GUEST),
        deadline: None,
        together: false,
    },
    Callee {
        name: "Extism, with limits",
        piece: "extism",
        program: Some("native/extism/release/peer-extism"),
        guest: Some(EXTISM_GUEST),
        deadline: Some("50"),
        together: false,
    },
    Callee {
        name: "fluvio-smartengine",
        piece: "fluvio",
        program: Some("native/fluvio/release/peer-fluvio"),
        guest: Some(FLUVIO_GUEST),
        deadline: None,
        together: true,
    },
];

/// Nanoseconds, by case.
type Costs = BTreeMap<String, f64>;

pub(crate) fn run(settings: &Settings) -> (Workload, Vec<Missing>) {
    let mut arena = Arena::empty(settings, NAME);
    let callees: Vec<&Callee> = CALLEES.iter().filter(|callee| settings.invites(callee.name)).collect();
    // A program measures all of its cases at once: its turn is the first case's, the others take what was found then.
    let mut found: BTreeMap<(&str, usize), Costs> = BTreeMap::new();
    for (case, title) in CASES {
        let here: Vec<&&Callee> =
            callees.iter().filter(|callee| callee.together || case != TOGETHER).collect();
        let names: Vec<String> = here.iter().map(|callee| callee.name.to_owned()).collect();
        let mut rounds = vec![0; here.len()];
        arena.turns(title, &names, |at| {
            let callee = here[at];
            let turn = (callee.name, rounds[at]);
            rounds[at] += 1;
            if case == CASES[0].0 {
                found.insert(turn, callee.measure()?);
            }
            let costs = found.get(&turn).context("it was not measured")?;
            let cost = costs.get(case).with_context(|| format!("nothing was printed of {case}"))?;
            Ok(named([("ns", *cost)]))
        });
    }
    arena.close()
}

impl Callee {
    fn measure(&self) -> Result<Costs> {
        let Some(program) = self.program else { return weir() };
        let mut command = on_core(&made(program, self.piece)?);
        if let Some(guest) = self.guest {
            command.arg(made(guest, self.piece)?);
        }
        command.args(self.deadline).current_dir(peers());
        let text = said(&mut command)?;
        let line = |line: &str| {
            let (name, cost) = line.split_once('\t')?;
            Some((name.to_owned(), cost.trim().parse().ok()?))
        };
        Ok(text.lines().filter_map(line).collect())
    }
}

/// The bench of the plugin runtime, which `make bench` runs too.
fn weir() -> Result<Costs> {
    let calls = peers().join("calls");
    ensure!(calls.is_file(), "the bench of calls is not there; run: make bench-peers");
    parse(&said(on_core(&calls).args(["--bench", "passthrough"]).current_dir(artifact::root()))?)
}

fn on_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &LOAD.to_string()]).arg(program);
    command
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        // The first lines say what, those below them where.
        let error = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = error.lines().filter(|line| !line.trim().is_empty()).take(2).collect();
        bail!("it failed: {}", lines.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Names of its rows, to those of the cases.
fn parse(text: &str) -> Result<Costs> {
    let mut found = Costs::new();
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
            found.extend(back(1).map(|cost| (TOGETHER.to_owned(), cost * 64.0)));
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
