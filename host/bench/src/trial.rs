//! Command lines of the tests' own, and runs of them in the tests' process.

use crate::Error;
use crate::options::Options;
use crate::settings::Settings;
use clap::{Args as _, Command, FromArgMatches as _};

/// What a command line means; the text of clap's error where it means nothing.
pub(crate) fn options(words: &[&str]) -> Result<Options, String> {
    let command = Options::augment_args(Command::new("bench").no_binary_name(true));
    let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
    Options::from_arg_matches(&matches).map_err(|error| error.to_string())
}

pub(crate) fn settings(words: &[&str]) -> Result<Settings, Error> {
    Settings::new(&options(words).expect("a command line"))
}

/// The result of a run, as `--json` prints it.
#[cfg(test)]
pub(crate) fn result(words: &[&str]) -> Result<serde_json::Value, Error> {
    let options = options(words).unwrap();
    let settings = std::sync::Arc::new(Settings::new(&options)?);
    let server_pid = options.server_pid.map(|pid| ("server-pid", pid));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let progress = crate::progress::Progress::new(false);
    let measured = runtime.block_on(crate::run::run(&settings, server_pid, &progress))?;
    Ok(crate::report::json(&settings, &measured))
}
