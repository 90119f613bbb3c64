//! Bytes, and WebSocket, by way of a proxy to a service that echoes.

use crate::arena::{Arena, figures};
use crate::crowd::Crowd;
use crate::dialect::payload;
use crate::proxies::{self, Kind, Services};
use crate::results::{Missing, Workload};
use crate::settings::Settings;
use crate::site::Start;
use crate::{WEIR, weir};
use anyhow::{Context as _, ensure};

pub(crate) const BYTES_NAME: &str = "proxying bytes";
pub(crate) const WEB_NAME: &str = "proxying WebSocket";
const PAYLOAD: usize = 64;
/// Connections, and messages in flight on each.
const CASES: [(&str, usize, usize); 3] = [("100 × 1", 100, 1), ("100 × 16", 100, 16), ("100 × 64", 100, 64)];

pub(crate) fn bytes(settings: &Settings, services: Services) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(move || weir::bytes(services.bytes))),
        ("HAProxy", Box::new(move || proxies::haproxy(services, Kind::Bytes))),
        ("nginx", Box::new(move || proxies::nginx(services, Kind::Bytes))),
        ("pingora", Box::new(move || proxies::pingora(services, Kind::Bytes))),
    ];
    run(settings, BYTES_NAME, starts)
}

pub(crate) fn web(settings: &Settings, services: Services) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(move || weir::web(services.web))),
        ("HAProxy", Box::new(move || proxies::haproxy(services, Kind::Web))),
        ("nginx", Box::new(move || proxies::nginx(services, Kind::Web))),
        ("caddy", Box::new(move || proxies::caddy(services))),
        ("pingora", Box::new(move || proxies::pingora(services, Kind::Web))),
    ];
    run(settings, WEB_NAME, starts)
}

fn run(settings: &Settings, name: &'static str, starts: Vec<Start<'_>>) -> (Workload, Vec<Missing>) {
    let mut arena = Arena::open(settings, name, starts);
    let payload = payload(PAYLOAD);
    for (name, connections, depth) in CASES {
        arena.case(
            name,
            |_| true,
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
