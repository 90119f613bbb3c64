//! All clients are cut off and come back at once, while others are there that notice nothing, or should not.

use crate::idle::mebibytes;
use crate::remote::Remote;
use crate::report::heading;
use crate::{gateway, setting};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use weir_tests::Metrics;
use weir_tests::herd::Herd;
use weir_tests::process::{Cpu, Memory};

/// Clients that come back.
const CLIENTS: usize = 15_000;
/// Connections that the listener accepts a second: what it is to be held to.
const RATE: u32 = 5_000;
/// Others, and how often each sends a ping that is measured.
const HONEST: usize = 100;
const EVERY: Duration = Duration::from_millis(100);
/// How long they are measured without a storm.
const BEFORE: Duration = Duration::from_secs(5);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(50);
/// A storm that lasts longer has not been recovered from.
const LONGEST: Duration = Duration::from_mins(2);

/// What 99 of 100 of a kind waited at most for their turns, since an earlier scrape.
fn waited(metrics: &Metrics, earlier: &Metrics, kind: &str) -> String {
    let waited = metrics.quantile("worker_wait", &[("kind", kind)], 0.99, earlier);
    waited.map_or_else(
        || "longer than is counted".to_owned(),
        |waited| format!("{:.2} ms", waited.as_secs_f64() * 1e3),
    )
}

pub(crate) fn run() {
    let rate = setting("STORM_RATE", RATE.into());
    heading(&format!(
        "A storm: {CLIENTS} WebSocket clients are cut off and come back at once, {rate} accepted a second"
    ));
    let gateway = gateway(&format!(
        "[[listener]]\nname = \"storm\"\nbind = \"0.0.0.0:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\nchain = []\n\
         limits.accept_rate = {rate}\n\
         [[listener]]\nname = \"honest\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\nchain = []\n"
    ));
    // Ports that were just left are not free at once.
    let port = gateway.address("storm").port();
    let addresses: Vec<_> = (1..=4).map(|host| SocketAddr::from(([127, 0, 0, host], port))).collect();
    let mut storm = Remote::attackers(&addresses);
    let mut honest = Herd::new(vec![gateway.address("honest")]);
    honest.grow(HONEST, HONEST);
    storm.ask(&format!("grow {CLIENTS} 64"));
    honest.beat(EVERY, BEFORE);
    let (calm, before, cpu) = (honest.forget(), Memory::of(gateway.pid()), Cpu::of(gateway.pid()));

    let calmly = gateway.metrics();
    let opened = |gateway: &weir_tests::Gateway| gateway.metrics().sum("sessions_opened", &[]);
    let (begun, first) = (Instant::now(), opened(&gateway));
    storm.order(&format!("storm {CLIENTS}"));
    let (mut peak, mut fastest) = (before.resident, 0.0_f64);
    let mut last = (Instant::now(), first);
    let report = loop {
        honest.beat(EVERY, LOOK);
        peak = peak.max(Memory::of(gateway.pid()).resident);
        // Over a quarter of a second: a burst of a tenth of the rate may come at once.
        if last.0.elapsed() >= Duration::from_millis(250) {
            let now = opened(&gateway);
            fastest = fastest.max((now - last.1) as f64 / last.0.elapsed().as_secs_f64());
            last = (Instant::now(), now);
        }
        if let Some(report) = storm.answer(Duration::ZERO) {
            break report;
        }
        assert!(begun.elapsed() < LONGEST, "the clients did not all come back");
    };
    let (stormy, spent) = (honest.forget(), Cpu::of(gateway.pid()) - cpu);
    let metrics = gateway.settle("all are there, and nobody else", |metrics| {
        metrics.sum("sessions", &[]) == (CLIENTS + HONEST) as u64
    });
    honest.beat(EVERY, Duration::from_secs(12));
    println!(
        "  all back after {:.2} s; {:.2} s would be the rate's\n  \
         accepted: {fastest:.0} a second at most, over a quarter of a second\n  \
         {} attempts failed and were repeated; {} ran out of time for the gateway\n  \
         memory: {:.1} MiB before, {:.1} MiB at most, {:.1} MiB twelve seconds after\n  \
         CPU time of the gateway: {:.0} µs a client, its end and its return\n  \
         in the worker sessions waited {} at most, 99 of 100; connections that ended {}, handshakes {}\n  \
         {HONEST} honest clients: p99 {:.2} ms before and {:.2} ms meanwhile ({:.1} times), the longest {:.1} ms; {} were cut off",
        report.took as f64 / 1e3,
        CLIENTS as f64 / rate as f64,
        report.failed,
        metrics.sum("sessions_closed", &[("reason", "handshake_timeout")]),
        mebibytes(before.resident),
        mebibytes(peak),
        mebibytes(Memory::of(gateway.pid()).resident),
        spent.used.as_secs_f64() * 1e6 / CLIENTS as f64,
        waited(&metrics, &calmly, "sockets"),
        waited(&metrics, &calmly, "ends"),
        waited(&metrics, &calmly, "handshakes"),
        calm.quantile(0.99).as_secs_f64() * 1e3,
        stormy.quantile(0.99).as_secs_f64() * 1e3,
        stormy.quantile(0.99).as_secs_f64() / calm.quantile(0.99).as_secs_f64(),
        stormy.longest().as_secs_f64() * 1e3,
        honest.tally.ended,
    );
    assert_eq!(report.open as usize, CLIENTS);
    assert_eq!(honest.tally.ended, 0);
}
