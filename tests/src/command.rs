//! Commands of the binary that end by themselves.

use crate::artifact;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command left behind.
#[derive(Debug)]
pub struct Done {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    /// The lines on standard error that are for people, not log lines.
    pub fn complaints(&self) -> Vec<&str> {
        self.err.lines().filter(|line| !line.starts_with('{')).collect()
    }
}

/// Runs `weir ARGS` in a directory, with nothing on standard input.
pub fn weir(dir: &Path, args: &[&str]) -> Done {
    weir_reading(dir, args, "")
}

/// The same, with this on standard input.
pub fn weir_reading(dir: &Path, args: &[&str], input: &str) -> Done {
    let mut child = Command::new(artifact::weir())
        .args(args)
        .current_dir(dir)
        .env("XDG_CACHE_HOME", artifact::root().join("target/test-cache"))
        // One folder for what the scaffolds of all tests depend on.
        .env("CARGO_TARGET_DIR", artifact::root().join("target/scaffold"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("weir starts");
    let mut stdin = child.stdin.take().expect("piped");
    // It may end without reading.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("weir ends");
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Held while a test uses ports with fixed numbers: those of the zero configuration and of the examples.
pub fn fixed_ports() -> File {
    let lock = File::create(artifact::root().join("target/fixed-ports.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    lock
}
