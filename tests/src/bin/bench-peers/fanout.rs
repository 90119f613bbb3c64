//! One publishes to a group, many receive, over WebSocket.

use crate::arena::{Arena, figures};
use crate::crowd::{Clocks, Crowd, Slice};
use crate::dialect::payload;
use crate::results::{Missing, Workload};
use crate::servers::{self, PUSHPIN};
use crate::settings::Settings;
use crate::site::{Site, Start};
use crate::{WEIR, weir};
use anyhow::{Context as _, Result, ensure};
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "fan-out";
pub(crate) const MEMBERS: usize = 1_000;
/// Bytes of a message, and how many are published in one write.
const CASES: [(&str, usize, usize); 3] =
    [("64 B × 1", 64, 1), ("64 B × 16", 64, 16), ("1,024 B × 1", 1_024, 1)];
/// Deliveries that do not come.
const STUCK: Duration = Duration::from_secs(5);

pub(crate) fn run(settings: &Settings) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(|| Ok(weir::servers()))),
        ("bun", Box::new(servers::bun)),
        ("Node ws", Box::new(servers::ws)),
        ("nats-server", Box::new(servers::nats)),
        ("sockudo", Box::new(servers::sockudo)),
        (PUSHPIN, Box::new(servers::pushpin)),
    ];
    let mut arena = Arena::open(settings, NAME, starts);
    for (name, bytes, burst) in CASES {
        arena.case(
            name,
            |site| {
                site.group.is_some() && // It takes many seconds to let all members in.
            (site.name != PUSHPIN || name == CASES[0].0)
            },
            |site| Ok(figures(&publish(site, settings, bytes, burst)?)),
        );
    }
    arena.close()
}

/// Publishes for so long, and waits until everybody has everything.
fn publish(site: &Site, settings: &Settings, bytes: usize, burst: usize) -> Result<Slice> {
    let (publisher, member) = site.group.as_ref().context("a group")?;
    let payload = payload(bytes);
    let mut members = Crowd::connect(member, MEMBERS, 1, &payload)?;
    let mut publisher = Crowd::connect(publisher, 1, burst, &payload)?;
    let server = site.pids();
    let each = (burst * members.len()) as u64;
    let end = settings.warm_up + settings.slice;
    let begun = Instant::now();
    let (mut before, mut after) = (None, None);
    let (mut sent, mut done) = (0, 0);
    let mut last = Instant::now();
    while done < sent || after.is_none() {
        let elapsed = begun.elapsed();
        if before.is_none() && elapsed >= settings.warm_up {
            before = Some(Clocks::read(done, &server));
        }
        if after.is_none() && elapsed >= end {
            after = Some(Clocks::read(done, &server));
        }
        // One burst at a time. Of several under way a server finds either all in one read and writes them to each member at once, or one
        // after the other, and which it is stays as it began: two costs, of which chance would choose.
        if after.is_none() && sent == done {
            publisher.publish()?;
            sent += each;
        }
        let came = members.collect()?;
        done += came;
        if came > 0 {
            last = Instant::now();
        }
        ensure!(last.elapsed() < STUCK, "{} of {sent} deliveries did not come", sent - done);
    }
    let (before, after) = before.zip(after).context("a slice")?;
    before.slice(&after)
}
