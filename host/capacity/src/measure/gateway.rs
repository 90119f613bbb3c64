//! A gateway with one worker on the first core.

use super::{MeasureError, cores, pin};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start may take; a plugin is compiled in it.
const START: Duration = Duration::from_secs(30);
/// Lines of the log that wait to be read.
const LINES: usize = 64;

/// A plugin of the chain.
#[derive(Clone, Debug)]
pub struct Plugged {
    /// Its file.
    pub file: PathBuf,
    /// Its config, as an inline table of TOML, e.g. `{ words = ["spam"] }`.
    pub config: String,
}

/// A running gateway. It is killed, and its directory removed, when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    listeners: Vec<(String, SocketAddr)>,
    _dir: TempDir,
}

impl Gateway {
    /// Starts `program run` with these listeners (TOML, ports 0) and this plugin, named `plugin`, and waits until it is ready. Its
    /// threads stand on the first core where there is another one for the client.
    ///
    /// # Errors
    /// It does not become ready within 30 seconds.
    pub fn start(program: &Path, listeners: &str, plugin: Option<&Plugged>) -> Result<Self, MeasureError> {
        let dir = tempfile::tempdir().map_err(MeasureError::kernel("make a directory"))?;
        let binding = match plugin {
            None => String::new(),
            Some(plugin) => {
                fs::create_dir(dir.path().join("plugins"))
                    .and_then(|()| fs::copy(&plugin.file, dir.path().join("plugins/plugin.wasm")))
                    .map_err(MeasureError::kernel("copy the plugin"))?;
                let config = if plugin.config.is_empty() {
                    String::new()
                } else {
                    format!("config = {}\n", plugin.config)
                };
                format!("[[plugin]]\nname = \"plugin\"\nmodule = \"plugin.wasm\"\n{config}")
            }
        };
        let config = format!(
            "[runtime]\nworkers = 1\n[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n[overload]\nenabled = false\n\
             {binding}{listeners}"
        );
        fs::write(dir.path().join("weir.toml"), config)
            .map_err(MeasureError::kernel("write a configuration"))?;
        let mut child = Command::new(program)
            .args(["run", "-c", "weir.toml"])
            .current_dir(dir.path())
            .env("XDG_CACHE_HOME", dir.path().join("cache"))
            .env("XDG_STATE_HOME", dir.path().join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(MeasureError::kernel("start the gateway that is to be measured"))?;
        let lines = read(&mut child);
        let mut gateway = Self { child, listeners: Vec::new(), _dir: dir };
        gateway.wait(&lines)?;
        // Whatever it logs from now on is read and forgotten, so that it never waits for this.
        std::thread::spawn(move || lines.into_iter().for_each(drop));
        if cores() > 1 {
            pin(gateway.pid(), 0)?;
        }
        Ok(gateway)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where a listener listens.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn address(&self, listener: &str) -> Result<SocketAddr, MeasureError> {
        let found = self.listeners.iter().find(|(name, _)| name == listener);
        found
            .map(|(_, address)| *address)
            .ok_or_else(|| MeasureError::Start(format!("it has no listener \"{listener}\"")))
    }

    fn wait(&mut self, lines: &Receiver<String>) -> Result<(), MeasureError> {
        let until = Instant::now() + START;
        let mut last = "it said nothing".to_owned();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else { return Err(MeasureError::Start(last)) };
            if let Ok(said) = serde_json::from_str::<serde_json::Value>(&line) {
                let text = |key: &str| said[key].as_str().unwrap_or_default();
                if text("message") == "listening"
                    && let Ok(address) = text("address").parse()
                {
                    self.listeners.push((text("listener").to_owned(), address));
                }
                if text("message") == "ready" {
                    return Ok(());
                }
            }
            last = line;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that it logs, as long as somebody wants them.
fn read(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = sync_channel(LINES);
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    lines
}
