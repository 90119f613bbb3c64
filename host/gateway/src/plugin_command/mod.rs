//! `weir plugin …`.

mod build;
mod cases;
mod inspect;
mod new;

use crate::cli::PluginCommand;

/// Runs one of the commands.
pub(crate) fn run(command: &PluginCommand) -> anyhow::Result<()> {
    match command {
        // One language so far; the command line accepts no other.
        PluginCommand::New { path, lang: _ } => new::run(path),
        PluginCommand::Build { path, out } => build::run(path, out.as_deref()),
        PluginCommand::Test { plugin, cases } => cases::run(plugin, cases),
        PluginCommand::Inspect { file, json } => inspect::run(file, *json),
    }
}
