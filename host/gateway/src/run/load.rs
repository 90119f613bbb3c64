//! Which configuration a command means.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use weir_config::Config;

/// The file that is taken when none is named.
const DEFAULT_FILE: &str = "weir.toml";

/// A configuration and where it came from; `None`: from nowhere, it is the zero configuration.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
}

/// Loads the named file, else weir.toml where there is one, else nothing. What is wrong with a file is printed here, and gives exit
/// code 2.
pub(crate) fn load(named: Option<&Path>) -> Result<Loaded, ExitCode> {
    let file = match named {
        Some(file) => Some(file.to_owned()),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.is_file()),
    };
    let Some(file) = file else { return Ok(Loaded { config: Config::zero(), file: None }) };
    match weir_config::load(&file) {
        Ok(config) => Ok(Loaded { config, file: Some(file) }),
        Err(errors) => {
            let terminal = std::io::stderr().is_terminal();
            eprint!("{}", errors.report(terminal));
            Err(ExitCode::from(2))
        }
    }
}
