//! A script for each message: JSON is parsed, noise dropped, a secret taken out, and each line sent to the service of its room.

use crate::arena::{Arena, figures};
use crate::crowd::Crowd;
use crate::proxies::{self, Kind, Services};
use crate::results::{Missing, Workload};
use crate::settings::Settings;
use crate::site::Start;
use crate::{WEIR, weir};
use anyhow::{Context as _, ensure};

pub(crate) const NAME: &str = "scripting";
const CONNECTIONS: usize = 50;
/// Of eight lines one is noise; half of the others are for each room.
const PATTERN: usize = 8;

pub(crate) fn run(settings: &Settings, services: Services) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(move || weir::script(services.bytes, services.other))),
        ("nginx + njs", Box::new(move || proxies::nginx(services, Kind::Script))),
        ("HAProxy + Lua", Box::new(move || proxies::haproxy(services, Kind::Script))),
        ("bun handler", Box::new(move || proxies::handler("bun handler", services))),
        ("Node handler", Box::new(move || proxies::handler("Node handler", services))),
    ];
    let mut arena = Arena::open(settings, NAME, starts);
    for (name, patterns) in [("50 × 8 lines", 1), ("50 × 32 lines", 4)] {
        let lines: Vec<Vec<u8>> = (0..PATTERN * patterns).map(line).collect();
        let answers = (PATTERN - 1) * patterns;
        arena.case(
            name,
            |_| true,
            |site| {
                let dialect = site.talk.as_ref().context("a way to talk")?;
                let mut crowd = Crowd::bursts(dialect, CONNECTIONS, &lines, answers)?;
                let slice = crowd.exchange(settings.warm_up, settings.slice, &site.pids())?;
                ensure!(crowd.closed() == 0, "{} connections were closed", crowd.closed());
                Ok(figures(&slice))
            },
        );
    }
    arena.close()
}

/// Some 150 bytes.
fn line(number: usize) -> Vec<u8> {
    let kind = if number % PATTERN == 3 { "noise" } else { "chat" };
    let room = if number.is_multiple_of(2) { "a" } else { "b" };
    format!(
        "{{\"type\":\"{kind}\",\"room\":\"{room}\",\"user\":{number},\"text\":\"#m~: the lower weir is open, the level falls\",\
         \"secret\":\"6f1d2c3b4a5968778695a4b3c2d1e0ff\"}}\n"
    )
    .into_bytes()
}
