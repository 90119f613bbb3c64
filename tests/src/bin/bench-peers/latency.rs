//! How long messages take at 70 % of what a system can do at most: `weir bench` sends at a rate, and counts from when it should have
//! sent, not from when it could.

use crate::arena::{Arena, named};
use crate::generator::{self, Pace};
use crate::results::{Figures, Missing, Results, Workload};
use crate::settings::Settings;
use crate::site::{Site, Start};
use crate::spread::Spread;
use crate::{WEIR, echo, servers, talk, weir};
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;

pub(crate) const NAME: &str = "latency";
const CONNECTIONS: usize = 100;
/// Of the highest throughput: with one message in flight on each of as many connections.
const PART: f64 = 0.7;
/// One of a hundred messages has to be enough of them, and a second has what happens once a second.
const AT_LEAST: Duration = Duration::from_secs(2);

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
    let case = results.workload(echo::NAME)?.case(echo::CASES[0].0)?;
    Some(Spread::figure(case.series(system)?, "rate")?.middle)
}

fn measure(site: &Site, settings: &Settings, results: &Results) -> Result<Figures> {
    let rate = highest(results, site.name).context("its echo was not measured")? * PART;
    let time = settings.slice.max(AT_LEAST);
    let found = generator::run(site, settings, CONNECTIONS, Pace::Rate(rate), talk::BYTES, time)?;
    let throughput = found.figure("/throughput")?;
    ensure!(
        throughput >= rate * 0.95,
        "{throughput:.0} messages a second came of {rate:.0}: the load or the server was late"
    );
    let (median, p99) = (found.figure("/latency_us/p50")?, found.figure("/latency_us/p99")?);
    Ok(named([
        ("rate", throughput),
        ("p50", median),
        ("p99", p99),
        ("p999", found.figure("/latency_us/p999")?),
        ("ratio", p99 / median.max(1.0)),
        // How far behind its schedule the load was: that is in the latencies.
        ("late", found.figure("/lateness_us/p99")?),
        ("own", found.figure("/generator/busy")?),
    ]))
}
