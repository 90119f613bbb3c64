//! `weir replay`: what a recording says against what another version of a plugin says, in the production runtime.
//!
//! file → [`tape`] (the calls of one plugin, in their order) → [`stage`] (an instance, told what it was told) → [`compare`] → [`show`]
//!
//! Nothing on standard output depends on the machine, its load or the time: fuel takes the place of time, the recording that of the
//! clocks, and a seed that of chance. What this machine took is said on standard error.

mod compare;
pub(crate) mod convert;
mod excerpt;
mod seen;
mod settings;
mod show;
mod stage;
mod summary;
mod tape;

use crate::cli::Replay;
use anyhow::Context;
use compare::Judge;
use settings::Bound;
use show::{Heading, Show};
use stage::Stage;
use std::io::{BufReader, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use summary::Summary;
use tape::Tape;
use weir_plugin::{Runtime, RuntimeOptions, Script};
use weir_recording::Reader;

/// Not a secret: the same chance in every replay.
const SEED: u64 = 0x7765_6972;
/// There are differences.
const DIFFERENT: u8 = 1;
/// It could not be run.
const CANNOT: u8 = 2;

/// Runs the command. Exit code 0: no difference; 1: differences; 2: it could not be run.
pub(crate) fn run(options: &Replay) -> ExitCode {
    match replay(options, &mut BufWriter::new(std::io::stdout().lock())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERENT),
        Err(error) => {
            eprintln!("weir: {}", crate::errors::in_one_line(&error));
            ExitCode::from(CANNOT)
        }
    }
}

/// True: no difference.
fn replay(options: &Replay, out: &mut dyn Write) -> anyhow::Result<bool> {
    let named = || options.file.display().to_string();
    let file = std::fs::File::open(&options.file).with_context(|| format!("cannot read {}", named()))?;
    let (header, reader) = Reader::begin(BufReader::new(file)).with_context(named)?;
    let place = settings::place(&header, options.binding.as_deref(), options.added)?;
    let bound = Bound::new(place, options.config.as_deref())?;
    let script = Arc::new(Script::new(SEED));
    let cache = crate::run::default_cache();
    let runtime =
        Runtime::new(RuntimeOptions { cache, script: Some(script.clone()), ..RuntimeOptions::default() })?;
    let mut new = Stage::prepare(&runtime, &script, &options.plugin, &bound.new, &header).map_err(
        |error| match options.config {
            None => error.context("with the settings that were recorded (--config FILE gives it others)"),
            Some(_) => error,
        },
    )?;
    let mut old = match &options.against {
        Some(file) => Some(Stage::prepare(&runtime, &script, file, &bound.old, &header)?),
        None => None,
    };
    let tape = Tape::load(header, reader, bound.name(), new.directions()).with_context(named)?;
    anyhow::ensure!(
        tape.messages == 0 || tape.payloads() > 0,
        "{}: none of its payloads are in it, so there is nothing to give the plugin; record without --no-payload, \
         and with --redact what is secret",
        named()
    );

    let mut show = Show::new(out, options.json, options.show);
    let heading = Heading { options, tape: &tape, bound: &bound };
    show.begin(&heading, &new, old.as_ref())?;
    let judge = Judge { redaction: &tape.header.redaction };
    let mut summary = Summary::default();
    for (number, step) in tape.steps.iter().enumerate() {
        let said = new.step(number, step)?;
        let expected = match &mut old {
            Some(old) => old.step(number, step)?,
            None => step.expected(),
        };
        let (Some(said), Some(expected)) = (said, expected) else {
            summary.pass_over(step);
            continue;
        };
        let differences = judge.compare(step, &expected, &said);
        summary.add(step, &expected, &said, &differences);
        if !differences.is_empty() {
            show.difference(&tape, step, &expected, &said, &differences)?;
        }
    }
    new.finish(&tape);
    if let Some(old) = &mut old {
        old.finish(&tape);
    }
    show.end(&tape, &mut summary, &new, old.as_ref())?;
    let (median, most) = new.took();
    eprintln!("a message took {median} ns on this machine, 1 in 100 took {most} ns and more");
    Ok(summary.is_same())
}
