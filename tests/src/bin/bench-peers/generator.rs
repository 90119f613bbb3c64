//! `weir bench` as the load, in a process of its own on the load's core.

use crate::process::LOAD;
use crate::settings::Settings;
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

/// What one run has found; its figures are asked for by their place.
pub(crate) struct Found(Value);

impl Found {
    /// A figure of it: `/latency_us/p99`.
    pub(crate) fn figure(&self, place: &str) -> Result<f64> {
        self.0.pointer(place).and_then(Value::as_f64).with_context(|| format!("weir bench says no {place}"))
    }
}

/// One run against what a site is talked to by. It fails where anything was lost, doubled or overtaken, or a connection has ended.
pub(crate) fn run(
    site: &Site,
    settings: &Settings,
    connections: usize,
    pace: Pace,
    bytes: usize,
    time: Duration,
) -> Result<Found> {
    let dialect = site.talk.as_ref().context("a way to talk")?;
    ensure!(!dialect.bench.is_empty(), "weir bench does not speak this");
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
        .args(["--warm-up", &format!("{}ms", settings.warm_up.as_millis())])
        // With all that it has started.
        .args(["--server-pid", &site.pid().to_string(), "--json", "--no-progress"])
        .output()?;
    let Ok(found) = serde_json::from_slice::<Value>(&output.stdout) else {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("weir bench: {}", error.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing said"))
    };
    let errors = &found["errors"];
    ensure!(errors.as_object().is_none_or(serde_json::Map::is_empty), "weir bench: {errors}");
    Ok(Found(found))
}
