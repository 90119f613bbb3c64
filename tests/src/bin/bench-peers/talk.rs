//! A turn of a system that sends back what it is sent.

use crate::arena::figures;
use crate::crowd::Crowd;
use crate::dialect::payload;
use crate::generator::{self, Pace};
use crate::results::Figures;
use crate::settings::Settings;
use crate::site::Site;
use anyhow::{Context as _, Result, ensure};

/// Of a message.
pub(crate) const BYTES: usize = 64;

/// So many connections, with so many messages in flight on each.
pub(crate) fn turn(site: &Site, settings: &Settings, connections: usize, depth: usize) -> Result<Figures> {
    if settings.weir_bench {
        return by_weir_bench(site, settings, connections, depth);
    }
    let dialect = site.talk.as_ref().context("a way to talk")?;
    let mut crowd = Crowd::connect(dialect, connections, depth, &payload(BYTES))?;
    let slice = crowd.exchange(settings.warm_up, settings.slice, &site.pids())?;
    ensure!(crowd.closed() == 0, "{} connections were closed", crowd.closed());
    Ok(figures(&slice))
}

fn by_weir_bench(site: &Site, settings: &Settings, connections: usize, depth: usize) -> Result<Figures> {
    let found =
        generator::run(site, connections, Pace::InFlight(depth), BYTES, settings.warm_up, settings.slice)?;
    let rate = found["throughput"].as_f64().context("no throughput")?;
    let cost = found["server"]["cpu_us_per_message"].as_f64().context("no CPU time of the server")?;
    ensure!(rate > 0.0, "nothing came back: {}", found["errors"]);
    let named = [("rate", rate), ("cost", cost), ("busy", rate * cost / 1e6)];
    Ok(named.map(|(name, value)| (name.to_owned(), value)).into())
}
