//! What is sent comes back, over WebSocket.

use crate::arena::Arena;
use crate::results::{Missing, Workload};
use crate::settings::Settings;
use crate::site::Start;
use crate::{WEIR, servers, talk, weir};

pub(crate) const NAME: &str = "echo";
/// Connections, and messages in flight on each.
pub(crate) const CASES: [(&str, usize, usize); 4] =
    [("100 × 1", 100, 1), ("1,000 × 1", 1_000, 1), ("100 × 16", 100, 16), ("100 × 64", 100, 64)];

pub(crate) fn run(settings: &Settings) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(|| Ok(weir::servers()))),
        ("bun", Box::new(servers::bun)),
        ("Node ws", Box::new(servers::ws)),
        ("nats-server", Box::new(servers::nats)),
    ];
    let mut arena = Arena::open(settings, NAME, starts);
    for (name, connections, depth) in CASES {
        arena.case(name, |site| site.talk.is_some(), |site| talk::turn(site, settings, connections, depth));
    }
    arena.close()
}
