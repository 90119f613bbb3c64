//! How long messages take at 70 % of what a system can do at most: `weir bench` sends at a rate, and counts from when it should have
//! sent, not from when it could.

use crate::arena::Arena;
use crate::generator::{self, Pace};
use crate::results::{Figures, Missing, Results, Workload};
use crate::settings::Settings;
use crate::site::{Site, Start};
use crate::spread::Spread;
use crate::{WEIR, echo, servers, talk, weir};
use anyhow::{Context as _, Result, bail};
use std::time::Duration;

pub(crate) const NAME: &str = "latency";
const CONNECTIONS: usize = 100;
/// Of the highest throughput: with one message in flight on each of as many connections.
const PART: f64 = 0.7;

pub(crate) fn run(settings: &Settings, results: &Results) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(|| Ok(weir::servers()))),
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
    let time = settings.slice.max(Duration::from_secs(1));
    let found = generator::run(site, CONNECTIONS, Pace::Rate(rate), talk::BYTES, settings.warm_up, time)?;
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
