//! `weir plugin …`.

mod build;
mod cases;
mod inspect;
mod list;
mod new;
mod order;

use crate::cli::PluginCommand;
use crate::run::What;
use std::process::ExitCode;

/// The exit code of who could not ask the gateway.
const UNREACHED: u8 = 2;

/// Runs one of the commands.
pub(crate) fn run(command: &PluginCommand) -> anyhow::Result<ExitCode> {
    let done = match command {
        // One language so far; the command line accepts no other.
        PluginCommand::New { path, lang: _ } => new::run(path),
        PluginCommand::Build { path, out } => build::run(path, out.as_deref()),
        PluginCommand::Test { plugin, cases } => cases::run(plugin, cases),
        PluginCommand::Inspect { file, json } => inspect::run(file, *json),
        PluginCommand::List { json, remote } => return list::run(*json, remote),
        PluginCommand::Disable(order) => return order::run(What::Disable, order),
        PluginCommand::Enable(order) => return order::run(What::Enable, order),
        PluginCommand::Rollback(order) => return order::run(What::RollBack, order),
        PluginCommand::Pin(order) => return order::run(What::Pin, order),
        PluginCommand::Unpin(order) => return order::run(What::Unpin, order),
        PluginCommand::Accept(order) => return order::run(What::Accept, order),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Says why nobody could be asked.
fn unreached(error: &anyhow::Error) -> ExitCode {
    eprintln!("weir: {}", crate::errors::in_one_line(error));
    ExitCode::from(UNREACHED)
}
