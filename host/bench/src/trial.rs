//! Runs in the tests' own process, against servers of the tests' own.

use crate::options::Options;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::{Error, report, run};
use clap::{Args as _, Command, FromArgMatches as _};
use serde_json::Value;
use std::sync::Arc;

/// What a command line means; the text of clap's error where it means nothing.
pub(crate) fn options(words: &[&str]) -> Result<Options, String> {
    let command = Options::augment_args(Command::new("bench").no_binary_name(true));
    let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
    Options::from_arg_matches(&matches).map_err(|error| error.to_string())
}

pub(crate) fn settings(words: &[&str]) -> Result<Settings, Error> {
    Settings::new(&options(words).unwrap())
}

/// The result of a run, as `--json` prints it.
pub(crate) fn result(words: &[&str]) -> Result<Value, Error> {
    let options = options(words).unwrap();
    let settings = Arc::new(Settings::new(&options)?);
    let server_pid = options.server_pid.map(|pid| ("server-pid", pid));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(run::run(&settings, server_pid, &Progress::new(false)))?;
    Ok(report::json(&settings, &measured))
}
