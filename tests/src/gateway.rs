//! A gateway in a process of its own.

use crate::{Metrics, artifact, wait_for};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running gateway; it is killed when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    dir: TempDir,
    log: Arc<Mutex<Vec<serde_json::Value>>>,
    /// Reads the log to its end.
    reader: Option<JoinHandle<()>>,
}

/// A directory, and how a gateway will be started in it.
#[derive(Debug)]
pub struct Prepared {
    dir: TempDir,
    args: Vec<String>,
    open_files: Option<u32>,
}

impl Prepared {
    /// A directory with nothing in it.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { dir, args: vec!["run".into()], open_files: None }
    }

    /// Puts more into the directory.
    #[must_use]
    pub fn with(self, put: impl FnOnce(&Path)) -> Self {
        put(self.dir.path());
        self
    }

    /// The configuration is not `weir.toml` of the directory but this file.
    #[must_use]
    pub fn config_file(mut self, path: &Path) -> Self {
        self.args = vec!["run".into(), "-c".into(), path.display().to_string()];
        self
    }

    /// The process may have only so many files open.
    #[must_use]
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// Starts the gateway and waits until it is ready.
    pub fn start(self) -> Gateway {
        let gateway = self.launch();
        gateway.wait_for_log("ready", |line| line["message"] == "ready");
        gateway
    }

    /// Starts the gateway and waits for nothing.
    pub fn launch(self) -> Gateway {
        let mut command = match self.open_files {
            None => Command::new(artifact::weir()),
            Some(most) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\"")]).arg(artifact::weir());
                shell
            }
        };
        let mut child = command
            .args(&self.args)
            .current_dir(self.dir.path())
            .env("XDG_CACHE_HOME", artifact::root().join("target/test-cache"))
            // Of its own: what one test has taken back another knows nothing of.
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = log.clone();
        let stderr = child.stderr.take().expect("piped");
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let value =
                    serde_json::from_str(&line).unwrap_or_else(|_| serde_json::json!({ "text": line }));
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(value);
            }
        });
        Gateway { child, dir: self.dir, log, reader: Some(reader) }
    }
}

impl Gateway {
    /// Starts a gateway with this configuration and these plugins (name in the directory, file) and waits until it is ready.
    ///
    /// The configuration lies in a directory of its own, as does `plugins`. `bind` addresses should have port 0: the test asks for
    /// the ports with [`Gateway::address`].
    pub fn start(config: &str, plugins: &[(&str, PathBuf)]) -> Self {
        Self::prepare(config, plugins).start()
    }

    /// Starts a gateway and waits for nothing.
    pub fn launch(config: &str, plugins: &[(&str, PathBuf)]) -> Self {
        Self::prepare(config, plugins).launch()
    }

    /// The directory of a gateway that is not started yet.
    pub fn prepare(config: &str, plugins: &[(&str, PathBuf)]) -> Prepared {
        let mut prepared = Prepared::empty();
        fs::create_dir(prepared.dir.path().join("plugins")).expect("a plugin directory");
        prepared.args = ["run", "-c", "weir.toml"].map(str::to_owned).to_vec();
        for (name, file) in plugins {
            fs::copy(file, prepared.dir.path().join("plugins").join(name)).expect("a plugin");
        }
        fs::write(prepared.dir.path().join("weir.toml"), config).expect("a configuration");
        prepared
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory of the configuration.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path in the watched directory.
    pub fn plugin_path(&self, name: &str) -> PathBuf {
        self.dir.path().join("plugins").join(name)
    }

    /// Where a listener listens.
    pub fn address(&self, listener: &str) -> SocketAddr {
        let line = self
            .wait_for_log(listener, |line| line["message"] == "listening" && line["listener"] == listener);
        line["address"].as_str().and_then(|text| text.parse().ok()).expect("an address")
    }

    /// Where its admin server listens.
    pub fn admin(&self) -> SocketAddr {
        let line = self.wait_for_log("admin", |line| line["message"] == "admin");
        let address = line["address"].as_str().and_then(|text| text.strip_prefix("http://"));
        address.and_then(|text| text.parse().ok()).expect("an admin address")
    }

    /// The log so far.
    pub fn log(&self) -> Vec<serde_json::Value> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first line of the log that fits; waits for it.
    pub fn wait_for_log(&self, what: &str, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let deadline = Instant::now() + crate::PATIENCE;
        loop {
            if let Some(line) = self.log().into_iter().find(|line| fits(line)) {
                return line;
            }
            assert!(Instant::now() < deadline, "no log line for {what}; the log is:\n{:#?}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The status and body of an admin page.
    pub fn get(&self, path: &str) -> (u16, String) {
        Self::get_over(self.call(), path).expect("an answer")
    }

    /// A connection to the admin server, for one page: to be had before the gateway has no descriptors left.
    pub fn call(&self) -> TcpStream {
        let stream = TcpStream::connect(self.admin()).expect("the admin server");
        stream.set_read_timeout(Some(crate::PATIENCE)).expect("an option");
        stream
    }

    /// The status and body of an admin page, over a connection of [`call`](Self::call).
    ///
    /// # Errors
    /// The gateway has closed it: it does not wait for ever.
    pub fn get_over(mut stream: TcpStream, path: &str) -> std::io::Result<(u16, String)> {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Ok((status, if chunked { unchunk(body) } else { body.to_owned() }))
    }

    /// A scrape.
    pub fn metrics(&self) -> Metrics {
        let (status, page) = self.get("/metrics");
        assert_eq!(status, 200, "{page}");
        Metrics::parse(&page)
    }

    /// `/v1/plugins`.
    pub fn plugins(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/v1/plugins").1).expect("JSON")
    }

    /// One binding of `/v1/plugins`.
    pub fn binding(&self, name: &str) -> Option<serde_json::Value> {
        let all = self.plugins();
        all["bindings"].as_array()?.iter().find(|binding| binding["name"] == name).cloned()
    }

    /// Waits until the counters show what the test expects, and then that the ledger adds up.
    pub fn settle(&self, what: &str, fits: impl Fn(&Metrics) -> bool) -> Metrics {
        self.settle_without(None, what, fits)
    }

    /// The same of every listener but this one.
    pub fn settle_without(
        &self,
        listener: Option<&str>,
        what: &str,
        fits: impl Fn(&Metrics) -> bool,
    ) -> Metrics {
        let deadline = Instant::now() + crate::PATIENCE;
        // What is of no listener has an empty name.
        let read = || {
            let metrics = self.metrics();
            match listener {
                Some(listener) => metrics.without(listener),
                None => metrics,
            }
        };
        loop {
            let metrics = read();
            if fits(&metrics) && metrics.ledger().is_ok() {
                // A scrape reads one counter after the other: what led to the last one it read may be missing from the first. The next
                // scrape has all of it.
                let metrics = read();
                if fits(&metrics) && metrics.ledger().is_ok() {
                    return metrics;
                }
            }
            if Instant::now() > deadline {
                if fits(&metrics) {
                    metrics.assert_ledger();
                }
                panic!("counters never showed: {what}; they are {metrics}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Replaces a plugin in one step, as `weir plugin build --out` does.
    pub fn swap(&self, name: &str, file: &Path) {
        let temporary = self.plugin_path(&format!(".{name}.part"));
        fs::copy(file, &temporary).expect("a copy");
        fs::rename(temporary, self.plugin_path(name)).expect("a rename");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits until the process has ended by itself; the log is whole then.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the gateway's end", || {
            status = self.child.try_wait().expect("a status");
            status.is_some()
        });
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log is read");
        }
        status.expect("ended")
    }

    /// Starts a gateway anew in the directory of one that has ended.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.wait();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a temporary directory"));
        Prepared { dir, args: vec!["run".into()], open_files: None }.start()
    }

    /// Counts of log lines by message, for a look at what happened.
    pub fn log_counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for line in self.log() {
            *counts.entry(line["message"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        counts
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the gateway's log:");
            for line in self.log() {
                eprintln!("  {line}");
            }
        }
    }
}

/// RFC 9112, section 7.1.
fn unchunk(body: &str) -> String {
    let mut whole = String::new();
    let mut rest = body;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    whole
}
