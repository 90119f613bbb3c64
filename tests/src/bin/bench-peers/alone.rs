//! What `make bench` measures of Weir alone: run here as well, so that one command renews the whole page.

use crate::results::Results;
use crate::settings::Settings;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::process::Command;
use std::time::Instant;
use weir_tests::artifact;

/// Sections of `bench`: those first that bars stand on.
pub(crate) const SECTIONS: [&str; 4] = ["idle", "cost", "echo", "fanout"];
/// What `ONLY` may name: all of them, or one.
pub(crate) const NAMES: [&str; 5] = ["alone", "alone-idle", "alone-cost", "alone-echo", "alone-fanout"];

/// Runs the sections that are wanted.
pub(crate) fn run(results: &mut Results, settings: &Settings) {
    for section in SECTIONS {
        if !settings.wants("alone") && !settings.wants(&format!("alone-{section}")) {
            continue;
        }
        println!("\nmake bench, {section}");
        let begun = Instant::now();
        match measure(section, settings) {
            Ok((text, figures)) => {
                println!("{text}");
                results.missing.retain(|one| one.workload != format!("bench {section}"));
                results.alone.retain(|name, _| !name.starts_with(&format!("{section}/")));
                results.alone.extend(figures);
                results.printed.insert(section.to_owned(), text);
            }
            Err(error) => {
                println!("  failed: {error:#}");
                results.missing.push(crate::results::Missing {
                    workload: format!("bench {section}"),
                    system: crate::WEIR.to_owned(),
                    why: format!("{error:#}"),
                });
            }
        }
        println!("  ({section} took {:.0} s)", begun.elapsed().as_secs_f64());
    }
}

fn measure(section: &str, settings: &Settings) -> Result<(String, Vec<(String, f64)>)> {
    let program = artifact::root().join("target/release/bench");
    if !program.is_file() {
        bail!("{} is not there; run: make bench-peers", program.display());
    }
    let figures = artifact::root().join(format!("target/peers/figures-{section}"));
    let _ = fs::remove_file(&figures);
    let output = Command::new(program)
        .arg(section)
        .env("BENCH_FIGURES", &figures)
        .env("BENCH_PAIRS", settings.pairs.to_string())
        .output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{}", error.lines().last().unwrap_or("it failed"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // The first line is the machine, which the page has.
    let text = text.split_once('\n').map_or("", |(_, rest)| rest).trim().to_owned();
    let lines = fs::read_to_string(&figures).unwrap_or_default();
    let lines = lines.lines().filter_map(|line| line.split_once('\t'));
    let figures = lines
        .map(|(name, value)| Ok((name.to_owned(), value.parse::<f64>().context("a figure")?)))
        .collect::<Result<_>>()?;
    Ok((text, figures))
}
