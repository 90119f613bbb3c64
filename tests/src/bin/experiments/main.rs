//! The founding experiments: what Weir's design was decided on, each in a file, to be measured again on any machine.
//!
//! `experiments [NAME…]` runs them and prints their tables; with `--write` these go into docs/experiments.md, and what `weir capacity` is
//! to know into its file and page. `--short` shows in seconds that they run, and measures nothing. Servers are processes of this same
//! program (`experiments serve …`), so that the kernel tells their CPU time apart. What is compared takes turns in slices of a fraction of
//! a second, so that whatever else the machine does meets all of it.

mod batching;
mod buffers;
mod capacity;
mod child;
mod connections;
mod decoding;
mod frames;
mod length;
mod paced;
mod page;
mod serve;
mod stealing;
mod table;
mod turns;

use anyhow::{Context, ensure};
use length::Length;
use std::time::Instant;
use table::Table;
use weir_capacity::Coefficients;
use weir_capacity::measure::{cores, open_files};
use weir_tests::artifact;
use weir_tests::machine::{Ticks, processor};

/// What the gateway uses.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What an experiment has found.
struct Found {
    tables: Vec<Table>,
    /// What was fitted, for `weir capacity`.
    coefficients: Option<Coefficients>,
}

impl From<Vec<Table>> for Found {
    fn from(tables: Vec<Table>) -> Self {
        Self { tables, coefficients: None }
    }
}

type Experiment = fn(Length) -> anyhow::Result<Found>;

/// Their names, as `ONLY` and the marks in docs/experiments.md say them.
const EXPERIMENTS: [(&str, Experiment); 6] = [
    ("connections", connections::run),
    ("batching", batching::run),
    ("buffers", buffers::run),
    ("decoding", decoding::run),
    ("stealing", stealing::run),
    ("capacity", capacity::run),
];
const PAGE: &str = "docs/experiments.md";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, options @ ..] = &arguments[..]
        && role == "serve"
    {
        return serve::run(options);
    }
    let (flags, wanted): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let unknown = flags.iter().find(|flag| !["--write", "--short"].contains(flag));
    ensure!(unknown.is_none(), "there is no {}; there are --write and --short", unknown.unwrap_or(&""));
    let known = EXPERIMENTS.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        anyhow::bail!("there is no experiment \"{unknown}\"; there are: {}", known.join(", "));
    }
    let [write, short] = ["--write", "--short"].map(|flag| flags.contains(&flag));
    ensure!(!(write && short), "what is short measures nothing: it is not written");
    // Asked before threads are told where to stand: then they see fewer.
    ensure!(
        cores() > 1 || short,
        "servers stand on one core and the load on another: this machine has only one"
    );
    open_files();
    let begun = Instant::now();
    for (name, run) in EXPERIMENTS {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        measure(name, run, if short { Length::Short } else { Length::Full }, write)
            .with_context(|| format!("experiment {name}"))?;
    }
    println!("{:.0} s in all", begun.elapsed().as_secs_f64());
    Ok(())
}

/// One of them.
fn measure(name: &str, run: Experiment, length: Length, write: bool) -> anyhow::Result<()> {
    let (begun, before) = (Instant::now(), Ticks::now().context("/proc/stat")?);
    let Found { tables, coefficients } = run(length)?;
    let others = Ticks::now().context("/proc/stat")?.of_others(&before);
    let tables = tables.iter().map(Table::markdown).collect::<Vec<_>>().join("\n");
    let text = format!(
        "{}; others used {:.0} % of the cores meanwhile.\n\n{tables}",
        processor(cores()),
        others * 100.0
    );
    println!("## {name} ({:.0} s)\n\n{text}", begun.elapsed().as_secs_f64());
    if write {
        page::write(&artifact::root().join(PAGE), name, &text)?;
        if let Some(coefficients) = coefficients {
            capacity::keep(&Coefficients { others: Some((others * 100.0).round() / 100.0), ..coefficients })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EXPERIMENTS, PAGE};
    use weir_tests::artifact;

    #[test]
    fn every_experiment_has_its_place_on_the_page_and_the_page_no_others() {
        let page = std::fs::read_to_string(artifact::root().join(PAGE)).unwrap();
        let marks: Vec<_> = page.lines().filter_map(|line| line.strip_suffix(": measured -->")).collect();
        assert_eq!(marks, EXPERIMENTS.map(|(name, _)| format!("<!-- {name}")));
    }
}
