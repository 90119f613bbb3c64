//! A turn of a system that sends back what it is sent.

use crate::arena::{figures, named};
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
    let found = generator::run(site, settings, connections, Pace::InFlight(depth), BYTES, settings.slice)?;
    let rate = found.figure("/throughput")?;
    ensure!(rate > 0.0, "nothing came back");
    let cost = found.figure("/server/cpu_us_per_message")?;
    let own = found.figure("/generator/busy")?;
    Ok(named([("rate", rate), ("cost", cost), ("busy", rate * cost / 1e6), ("own", own)]))
}
