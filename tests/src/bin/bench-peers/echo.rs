//! What is sent comes back, over WebSocket.

use crate::arena::{Arena, figures};
use crate::crowd::Crowd;
use crate::dialect::payload;
use crate::results::{Missing, Workload};
use crate::settings::Settings;
use crate::site::Start;
use crate::{WEIR, servers, weir};
use anyhow::{Context as _, ensure};

pub(crate) const NAME: &str = "echo";
pub(crate) const BYTES: usize = 64;
/// Connections, and messages in flight on each.
pub(crate) const CASES: [(&str, usize, usize); 4] =
    [("100 × 1", 100, 1), ("1,000 × 1", 1_000, 1), ("100 × 16", 100, 16), ("100 × 64", 100, 64)];

pub(crate) fn run(settings: &Settings) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(weir::servers)),
        ("bun", Box::new(servers::bun)),
        ("Node ws", Box::new(servers::ws)),
        ("nats-server", Box::new(servers::nats)),
    ];
    let mut arena = Arena::open(settings, NAME, starts);
    let payload = payload(BYTES);
    for (name, connections, depth) in CASES {
        arena.case(
            name,
            |site| site.talk.is_some(),
            |site| {
                let dialect = site.talk.as_ref().context("a way to talk")?;
                let mut crowd = Crowd::connect(dialect, connections, depth, &payload)?;
                let slice = crowd.exchange(settings.warm_up, settings.slice, &site.pids())?;
                ensure!(crowd.closed() == 0, "{} connections were closed", crowd.closed());
                Ok(figures(&slice))
            },
        );
    }
    arena.close()
}
