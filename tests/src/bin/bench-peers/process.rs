//! A peer's process: started on its core, asked until it answers, ended with all that it started.

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use weir_tests::artifact;

/// The gateways' and servers' core.
pub(crate) const SERVED: usize = 0;
/// The load's, and that of the services behind proxies.
pub(crate) const LOAD: usize = 1;

/// For starting, with a machine that has other work to do.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running peer; it is killed, with all that it started, when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// Where the peers were put.
pub(crate) fn peers() -> PathBuf {
    artifact::root().join("target/peers")
}

/// Configurations and scripts.
pub(crate) fn sources() -> PathBuf {
    artifact::root().join("tests/bench-peers")
}

/// A directory for what a peer writes.
pub(crate) fn directory(name: &str) -> Result<PathBuf> {
    let dir = peers().join("run").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// A program of Debian's packages, or of the system.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let debian = peers().join("debian");
    ["usr/sbin", "usr/bin", "sbin", "bin"]
        .iter()
        .flat_map(|dir| [debian.join(dir).join(name), Path::new("/").join(dir).join(name)])
        .find(|path| path.is_file())
        .with_context(|| why(name))
}

/// A file that the set-up makes.
pub(crate) fn made(path: &str, piece: &str) -> Result<PathBuf> {
    let path = peers().join(path);
    if path.is_file() { Ok(path) } else { Err(anyhow::anyhow!(why(piece))) }
}

/// What the set-up said about a piece that it could not get.
fn why(piece: &str) -> String {
    let said = fs::read_to_string(peers().join("missing").join(piece)).unwrap_or_default();
    let said = said.trim().replace('\n', "; ");
    if said.is_empty() {
        format!("{piece} is not there; run: tests/bench-peers/setup.sh {piece}")
    } else {
        said
    }
}

/// A port that nobody has now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Copies a configuration of ours, with the words in braces replaced.
pub(crate) fn configure(name: &str, dir: &Path, words: &[(&str, String)]) -> Result<PathBuf> {
    let mut text = fs::read_to_string(sources().join("configs").join(name))?;
    let fixed = [
        ("dir", dir.display().to_string()),
        ("debian", peers().join("debian").display().to_string()),
        ("scripts", sources().join("scripts").display().to_string()),
    ];
    for (word, value) in fixed.iter().chain(words) {
        text = text.replace(&format!("{{{word}}}"), value);
    }
    let file = dir.join(name);
    fs::write(&file, text)?;
    Ok(file)
}

impl Process {
    /// Starts it on a core, in a group of its own that ends when this process does.
    pub(crate) fn start(
        core: usize,
        dir: &Path,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Result<Self> {
        let log = dir.join(format!(
            "{}.log",
            program.file_name().map_or_else(|| "peer".into(), |name| name.to_string_lossy().into_owned())
        ));
        let sink = File::options().create(true).append(true).open(&log)?;
        let path = std::env::var("PATH").unwrap_or_default();
        let libraries = peers().join("debian/usr/lib/x86_64-linux-gnu");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "taskset", "-c", &core.to_string()])
            .arg(program)
            .args(arguments)
            .current_dir(dir)
            .env("LD_LIBRARY_PATH", &libraries)
            // Go's runtime and others count the cores that they may use.
            .env("GOMAXPROCS", "1")
            .env("HOME", dir)
            .env("PATH", format!("{}:{}", peers().join("debian/usr/bin").display(), path))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(sink.try_clone()?)
            .stderr(sink)
            .process_group(0)
            .spawn()
            .with_context(|| program.display().to_string())?;
        Ok(Self { child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until somebody listens there.
    pub(crate) fn answers(&mut self, port: u16) -> Result<SocketAddr> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let begun = Instant::now();
        loop {
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once ({status}): {}", self.said());
            }
            if begun.elapsed() > PATIENCE {
                bail!("nobody listens on port {port} after {PATIENCE:?}: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The end of what it wrote.
    fn said(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.child.id() as i32).context("a process")?;
        rustix::process::kill_process(pid, signal).context("a signal")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Some of them leave the group.
        let all = crate::usage::tree(self.child.id());
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        for pid in all.into_iter().filter_map(|pid| Pid::from_raw(pid as i32)) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
