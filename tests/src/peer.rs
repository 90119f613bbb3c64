//! Programs of tests/peers: clients and servers that Weir's authors did not write, around libraries of others.
//!
//! A peer says what it has to say as one JSON value a line, and takes orders as lines.

use crate::{PATIENCE, artifact};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// A running peer; it is killed when this is dropped.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
    name: String,
}

impl Peer {
    /// Starts a script of tests/peers: `.py` with the Python of `make peers`, `.mjs` with Node.
    pub fn start(script: &str, args: &[&str]) -> Self {
        let path = artifact::root().join("tests/peers").join(script);
        let node = path.extension().is_some_and(|extension| extension == "mjs");
        let program = if node { PathBuf::from("node") } else { artifact::python() };
        let mut command = Command::new(program);
        command
            .arg(path)
            .args(args)
            .env("PYTHONUNBUFFERED", "1")
            .env("WEIR_NODE", artifact::root().join("target/node"));
        Self::spawn(script, &mut command)
    }

    /// Starts any program.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}; run: make peers"));
        let orders = child.stdin.take();
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = sync_channel(1 << 16);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, orders, lines, name: name.to_owned() }
    }

    /// The next line.
    pub fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{} says nothing", self.name),
            Err(RecvTimeoutError::Disconnected) => panic!("{} has ended", self.name),
        }
    }

    /// The next line as JSON.
    pub fn said(&self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: {line:?}: {error}", self.name))
    }

    /// `{"port": …}` of a server.
    pub fn port(&self) -> u16 {
        let said = self.said();
        said["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port")
    }

    /// Gives an order.
    pub fn order(&mut self, line: &str) {
        let orders = self.orders.as_mut().expect("not finished");
        writeln!(orders, "{line}").and_then(|()| orders.flush()).expect("the peer listens");
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Runs a client to its end, which must be a good one; what it said last.
    pub fn run(script: &str, args: &[&str]) -> Value {
        Self::start(script, args).finish()
    }

    /// Waits for its end, which must be a good one; what it said last.
    pub fn finish(mut self) -> Value {
        drop(self.orders.take());
        let mut last = Value::Null;
        loop {
            match self.lines.recv_timeout(PATIENCE * 2) {
                Ok(line) => last = serde_json::from_str(&line).unwrap_or(Value::String(line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.name),
            }
        }
        let status = self.child.wait().expect("a status");
        assert!(status.success(), "{} ended with {status}; it said last: {last}", self.name);
        last
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What `/proc` says of a process: its resident memory in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory in KiB that a process had since [`forget_peak`].
pub fn peak_kib(pid: u32) -> u64 {
    status_kib(pid, "VmHWM:")
}

/// What is resident now is the peak from here on: proc(5), `clear_refs`.
pub fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
}

/// Processor time that a process has used, user and system: proc(5), `stat`, in hundredths of a second.
pub fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

fn status_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let status = status.expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of that name");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
