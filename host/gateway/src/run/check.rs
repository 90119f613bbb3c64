//! `weir check`: all that a start does, short of listening.

use super::{assemble, keeper::Keeper, load, state};
use crate::admin;
use std::path::Path;
use std::process::ExitCode;

/// Exit code 0: a start would get as far as binding its addresses.
pub(crate) fn check(file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let loaded = match load::load(file) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    admin::token(&loaded.config.admin)?;
    let assembly = assemble::assemble(&loaded.config)?;
    let state = state::look_at(&loaded.config.plugins);
    let mut keeper = Keeper::new(&loaded.config, loaded.file.as_deref(), &assembly, state)?;
    keeper.first_look()?;
    let config = &loaded.config;
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    println!(
        "{}: {}, {}, {}, {}",
        loaded.file.as_deref().map_or("no configuration file".to_owned(), |file| file.display().to_string()),
        count(config.listeners.len(), "listener"),
        count(config.clusters.len(), "cluster"),
        count(keeper.serving(), "plugin"),
        count(assembly.workers, "worker"),
    );
    for (name, reason) in keeper.refused() {
        println!("plugin {name} gets no traffic: {reason}");
    }
    println!("ok");
    Ok(ExitCode::SUCCESS)
}
