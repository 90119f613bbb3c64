//! Where it is kept what must be known after a restart.

use etcetera::BaseStrategy;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use weir_config::{Cache, Plugins};
use weir_plugin::{Digest, StateStore};

/// Opens it. A directory that the configuration names must be there for us; without the user's own we go on.
pub(super) fn open(plugins: &Plugins) -> anyhow::Result<StateStore> {
    let Some(dir) = directory(plugins) else { return Ok(StateStore::in_memory()) };
    match StateStore::open(&dir) {
        Ok(store) => Ok(store),
        Err(error) if plugins.state == Cache::Auto => {
            tracing::warn!("what was taken back is forgotten when this process ends: {error}");
            Ok(StateStore::in_memory())
        }
        Err(error) => Err(error.into()),
    }
}

/// What is there, for who changes nothing.
pub(super) fn look_at(plugins: &Plugins) -> StateStore {
    directory(plugins).map_or_else(StateStore::in_memory, |dir| StateStore::look_at(&dir))
}

fn directory(plugins: &Plugins) -> Option<PathBuf> {
    match &plugins.state {
        Cache::Off => None,
        Cache::Path(path) => Some(path.clone()),
        Cache::Auto => {
            // Several gateways of one user have plugins of the same names: each has its own plugin directory.
            let home = etcetera::base_strategy::choose_base_strategy().ok()?.state_dir()?;
            let of = std::path::absolute(&plugins.dir).ok()?;
            let digest = Digest::of(of.as_os_str().as_bytes()).to_string();
            Some(home.join("weir").join(&digest[..16]))
        }
    }
}
