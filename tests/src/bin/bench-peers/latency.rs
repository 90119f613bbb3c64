//! How long messages take at 70 % of what a system can do at most: `weir bench` sends at a rate, and counts from when it should have
//! sent, not from when it could.

use crate::arena::Arena;
use crate::process::LOAD;
use crate::results::{Figures, Missing, Results, Workload};
use crate::settings::Settings;
use crate::site::{Site, Start};
use crate::spread::Spread;
use crate::{WEIR, echo, servers, weir};
use anyhow::{Context as _, Result, bail};
use std::process::Command;
use weir_tests::artifact;

pub(crate) const NAME: &str = "latency";
const CONNECTIONS: usize = 100;
/// Of the highest throughput: with one message in flight on each of as many connections.
const PART: f64 = 0.7;

pub(crate) fn run(settings: &Settings, results: &Results) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(weir::servers)),
        ("bun", Box::new(servers::bun)),
        ("Node ws", Box::new(servers::ws)),
        ("nats-server", Box::new(servers::nats)),
    ];
    let mut arena = Arena::open(settings, NAME, starts);
    arena.case("100 connections, 64 B", |site| site.talk.is_some(), |site| measure(site, settings, results));
    arena.close()
}

/// What this system did in the echo of this run.
fn highest(results: &Results, system: &str) -> Option<f64> {
    let case = results.workload(echo::NAME)?.case("100 × 1")?;
    Some(Spread::figure(case.series(system)?, "rate")?.middle)
}

fn measure(site: &Site, settings: &Settings, results: &Results) -> Result<Figures> {
    let highest = highest(results, site.name).context("its echo was not measured")?;
    let rate = highest * PART;
    let dialect = site.talk.as_ref().context("a way to talk")?;
    let number = |value: f64| format!("{value:.0}");
    let seconds = settings.slice.as_secs_f64().max(1.0);
    let mut command = Command::new("taskset");
    command.args(["-c", &LOAD.to_string()]).arg(artifact::weir()).args([
        "bench",
        &format!("ws://{}/", dialect.address),
        "--connections",
        &CONNECTIONS.to_string(),
        "--rate",
        &number(rate),
        "--size",
        &echo::BYTES.to_string(),
        "--duration",
        &format!("{}ms", number(seconds * 1e3)),
        "--warm-up",
        "500ms",
        "--json",
        "--no-progress",
    ]);
    if site.name == "nats-server" {
        command.args(nats());
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Ok(found) = serde_json::from_str::<serde_json::Value>(&text) else {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!(
            "weir bench: {}",
            error.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
        );
    };
    let of =
        |name: &str| found["latency_us"][name].as_f64().with_context(|| format!("weir bench says no {name}"));
    let (median, p99, p999) = (of("p50")?, of("p99")?, of("p999")?);
    let throughput = found["throughput"].as_f64().context("weir bench says no throughput")?;
    if throughput < rate * 0.95 {
        bail!("{throughput:.0} messages a second came of {rate:.0}: the load or the server was late");
    }
    Ok([
        ("rate", throughput),
        ("p50", median),
        ("p99", p99),
        ("p999", p999),
        ("ratio", p99 / median.max(1.0)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

/// Each connection has a subject of its own.
fn nats() -> [String; 4] {
    [
        "--hello".to_owned(),
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":false}\r\nSUB e{n} 1\r\n".to_owned(),
        "--publish".to_owned(),
        format!("PUB e{{n}} {}\r\n{{payload}}\r\n", echo::BYTES),
    ]
}
