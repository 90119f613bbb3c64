//! `weir bench` as the load, in a process of its own on the load's core.

use crate::process::LOAD;
use crate::site::Site;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use weir_tests::artifact;

/// How messages are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many under way on each connection.
    InFlight(usize),
    /// So many a second, all together.
    Rate(f64),
}

/// One run against what a site is talked to by; what it printed.
pub(crate) fn run(
    site: &Site,
    connections: usize,
    pace: Pace,
    bytes: usize,
    warm_up: Duration,
    time: Duration,
) -> Result<Value> {
    let dialect = site.talk.as_ref().context("a way to talk")?;
    ensure!(!dialect.bench.is_empty(), "weir bench does not speak this");
    let pid = site.pids().into_iter().next().context("a process")?;
    let (how, value) = match pace {
        Pace::InFlight(depth) => ("--in-flight", depth.to_string()),
        Pace::Rate(rate) => ("--rate", format!("{rate:.0}")),
    };
    let output = Command::new("taskset")
        .args(["-c", &LOAD.to_string()])
        .arg(artifact::weir())
        .arg("bench")
        .args(&dialect.bench)
        .args(["--connections", &connections.to_string(), how, &value, "--size", &bytes.to_string()])
        .args(["--duration", &format!("{}ms", time.as_millis())])
        .args(["--warm-up", &format!("{}ms", warm_up.as_millis())])
        .args(["--server-pid", &pid.to_string(), "--json", "--no-progress"])
        .output()?;
    let Ok(found) = serde_json::from_slice::<Value>(&output.stdout) else {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("weir bench: {}", error.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing said"))
    };
    Ok(found)
}
