//! Counts the instructions of every crate's hot functions, and fails where there are more than `tests/instructions.toml` allows.
//!
//! `guard BUILT.json`: what `cargo build --bench hot --message-format=json` has said, which is how the benches are found. With
//! `UPDATE_INSTRUCTIONS=1` the file is written anew.
//!
//! Counts are the same in every run of one binary, whatever else the machine does. They are others with another compiler, C library
//! or processor (who copies memory, checks UTF-8 or looks for a byte chooses by its features), so where these are not those of the
//! file, nothing is compared, and it is said in capitals.

mod budgets;
mod built;
mod callgrind;
mod machine;

use anyhow::{Context as _, Result, bail};
use budgets::{Budgets, Verdict};
use machine::Machine;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match guard() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("guard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn guard() -> Result<bool> {
    let Some(built) = std::env::args().nth(1) else { bail!("usage: guard BUILT.json; run: make guard") };
    let update = std::env::var_os("UPDATE_INSTRUCTIONS").is_some_and(|value| value == "1");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instructions.toml");
    let mut budgets = Budgets::read(&file).with_context(|| file.display().to_string())?;
    let here = Machine::here()?;
    let skipped = (budgets.machine != here && !update).then(|| budgets.machine.differences(&here));
    if let Some(differences) = skipped {
        println!("\x1b[1;31m!! INSTRUCTIONS ARE NOT COMPARED: {differences}.");
        println!(
            "   They were counted elsewhere. Where this is the machine that counts: UPDATE_INSTRUCTIONS=1 make guard\x1b[0m"
        );
        return Ok(true);
    }
    let benches = built::benches(&std::fs::read_to_string(&built).with_context(|| built.clone())?)?;
    let mut counted = Vec::new();
    for (name, executable) in &benches {
        let counts = callgrind::count(name, executable).with_context(|| format!("the bench of {name}"))?;
        counted.extend(counts.into_iter().map(|(case, count)| (name.clone(), case, count)));
    }
    println!("{:<12} {:<55} {:>10} {:>10} {:>8}", "crate", "instructions each", "before", "now", "");
    let (mut fine, mut fewer) = (true, false);
    for (name, case, now) in &counted {
        let before = budgets.of(name, case);
        let verdict = budgets.judge(before, *now);
        let shown = before.map_or_else(|| "none".to_owned(), |before| format!("{before:.1}"));
        println!("{name:<12} {case:<55} {shown:>10} {now:>10.1} {verdict:>8}");
        fine &= !matches!(verdict, Verdict::More(_) | Verdict::New);
        fewer |= matches!(verdict, Verdict::Less(_));
    }
    let gone = budgets.without(&counted);
    for (name, case) in &gone {
        println!("{name:<12} {case:<55} is not there any more");
    }
    fine &= gone.is_empty();
    if update {
        budgets.set(here, &counted);
        budgets.write(&file)?;
        println!("written: {}", file.display());
        return Ok(true);
    }
    if fewer {
        println!(
            "Fewer instructions than before; so that it stays so, write the file anew: UPDATE_INSTRUCTIONS=1 make guard"
        );
    }
    if !fine {
        println!(
            "\x1b[1;31mMore instructions than before, by over {} %, or cases that the file does not have.\x1b[0m\n\
             Where that is meant, say why in the commit and write the file anew: UPDATE_INSTRUCTIONS=1 make guard\n\
             Where it is not, a profile says where they are, for callgrind_annotate (the benches are those of target/guard/built.json):\n\
             WEIR_COUNT_INSTRUCTIONS='PART OF A NAME' valgrind --tool=callgrind --collect-atstart=no \\\n  \
             --toggle-collect=weir_proof::hot::weir_guarded BENCH",
            budgets.tolerance
        );
    }
    Ok(fine)
}
