//! Bytes, and WebSocket, by way of a proxy to a service that echoes.

use crate::arena::Arena;
use crate::proxies::{self, Kind, Services};
use crate::results::{Missing, Workload};
use crate::settings::Settings;
use crate::site::Start;
use crate::{WEIR, talk, weir};

pub(crate) const BYTES_NAME: &str = "proxying bytes";
pub(crate) const WEB_NAME: &str = "proxying WebSocket";
/// Connections, and messages in flight on each.
const CASES: [(&str, usize, usize); 3] = [("100 × 1", 100, 1), ("100 × 16", 100, 16), ("100 × 64", 100, 64)];

pub(crate) fn bytes(settings: &Settings, services: Services) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(move || Ok(weir::bytes(services.bytes)))),
        ("HAProxy", Box::new(move || proxies::haproxy(services, Kind::Bytes))),
        ("nginx", Box::new(move || proxies::nginx(services, Kind::Bytes))),
        ("pingora", Box::new(move || proxies::pingora(services, Kind::Bytes))),
    ];
    run(settings, BYTES_NAME, starts)
}

pub(crate) fn web(settings: &Settings, services: Services) -> (Workload, Vec<Missing>) {
    let starts: Vec<Start<'_>> = vec![
        (WEIR, Box::new(move || Ok(weir::web(services.web)))),
        ("HAProxy", Box::new(move || proxies::haproxy(services, Kind::Web))),
        ("nginx", Box::new(move || proxies::nginx(services, Kind::Web))),
        ("caddy", Box::new(move || proxies::caddy(services))),
        ("pingora", Box::new(move || proxies::pingora(services, Kind::Web))),
    ];
    run(settings, WEB_NAME, starts)
}

fn run(settings: &Settings, name: &'static str, starts: Vec<Start<'_>>) -> (Workload, Vec<Missing>) {
    let mut arena = Arena::open(settings, name, starts);
    for (name, connections, depth) in CASES {
        arena.case(name, |_| true, |site| talk::turn(site, settings, connections, depth));
    }
    arena.close()
}
