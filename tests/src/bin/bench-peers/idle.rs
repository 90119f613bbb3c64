//! Sessions that say nothing: memory by slope.

use crate::arena::{Arena, named};
use crate::crowd::Crowd;
use crate::dialect::{Dialect, payload};
use crate::results::{Figures, Missing, Workload};
use crate::servers::{self, PUSHPIN};
use crate::settings::Settings;
use crate::site::{Site, Start};
use crate::{WEIR, usage, weir};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const NAME: &str = "idle";
/// The slope is measured between these. More would need more than the 20,000 open files that some systems give a process.
pub(crate) const FEW: usize = 2_000;
pub(crate) const MANY: usize = 18_000;
/// Of pushpin, which takes milliseconds to let somebody in.
const SLOW: (usize, usize) = (200, 2_000);
/// Weir's allocator gives back what it no longer needs within ten seconds, when it is asked for something.
const DECAY: Duration = Duration::from_secs(11);
/// Others get so long: bun has a fifth more after half of it, and no less after five times as long.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) fn run(settings: &Settings) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(|| Ok(weir::servers()))),
        ("bun", Box::new(servers::bun)),
        ("Node ws", Box::new(servers::ws)),
        ("nats-server", Box::new(servers::nats)),
        ("sockudo", Box::new(servers::sockudo)),
        (PUSHPIN, Box::new(servers::pushpin)),
        ("mosquitto", Box::new(servers::mosquitto)),
    ];
    let mut arena = Arena::empty(settings, NAME);
    let starts: Vec<_> = starts.into_iter().filter(|(name, _)| settings.invites(name)).collect();
    let names: Vec<String> = starts.iter().map(|(name, _)| (*name).to_owned()).collect();
    arena.turns("2,000 to 18,000", &names, |at| {
        // A fresh process each time: what many sessions have left behind is not counted twice.
        let sites = starts[at].1()?;
        let site =
            sites.iter().find(|site| site.idle.is_some()).ok_or_else(|| anyhow!("no way to be idle"))?;
        measure(site)
    });
    arena.close()
}

fn measure(site: &Site) -> Result<Figures> {
    let dialect = site.idle.as_ref().context("a way to be idle")?;
    let mut idle = Vec::new();
    let (from, to) = if site.name == PUSHPIN { SLOW } else { (FEW, MANY) };
    let few = settled(site, dialect, &mut idle, from)?;
    let many = settled(site, dialect, &mut idle, to)?;
    for stream in idle.iter().step_by(997) {
        stream.set_nonblocking(true)?;
        let mut byte = [0; 4096];
        let ended = matches!(std::io::Read::read(&mut &*stream, &mut byte), Ok(0));
        ensure!(!ended, "the server ended sessions");
    }
    Ok(named([("bytes", (many - few) / (to - from) as f64), ("mib", many / f64::from(1 << 20))]))
}

/// Memory with so many.
fn settled(site: &Site, dialect: &Dialect, idle: &mut Vec<TcpStream>, count: usize) -> Result<f64> {
    idle.extend(dialect.connect(idle.len()..count)?);
    let pids = site.pids();
    if let (true, Some(talk)) = (site.name == WEIR, &site.talk) {
        Crowd::connect(talk, 10, 1, &payload(64))?.exchange(Duration::ZERO, DECAY, &pids)?;
    } else {
        std::thread::sleep(SETTLE);
    }
    Ok(usage::memory(&pids))
}
