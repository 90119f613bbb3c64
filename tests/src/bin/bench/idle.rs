//! What a session costs that says nothing, transport by transport.

use crate::crowd::Over;
use crate::fleet::{Fleet, Wire};
use crate::report::{heading, keep, light};
use crate::{gateway_in, setting};
use std::net::SocketAddr;
use std::time::Duration;
use weir_tests::certificate::Authority;
use weir_tests::process::Memory;

/// The slope is measured between these. More would need more than the 20,000 open files that some systems give a process.
const FEW: usize = 2_000;
const MANY: usize = 18_000;
/// Connections that talk while the others are idle.
const TALKING: usize = 100;
/// The allocator gives back what it no longer needs within ten seconds, when it is asked for something.
const DECAY: Duration = Duration::from_secs(12);

pub(crate) fn run() {
    let (few, many) = (FEW, setting("BENCH_IDLE", MANY as u64) as usize);
    heading(&format!("Idle sessions: memory of the gateway, by slope from {few} to {many}"));
    println!(
        "{:>20} {:>14} {:>10} {:>10} {:>10}  bar",
        "", "bytes/session", "anonymous", "MiB few", "MiB many"
    );
    let only = std::env::var("BENCH_CASE").ok();
    let all = [Over::Plain(Wire::WebSocket), Over::Plain(Wire::Tcp), Over::Compressed, Over::Tls, Over::Quic];
    for over in all.into_iter().filter(|over| only.as_ref().is_none_or(|only| over.name() == *only)) {
        measure(over, few, many);
    }
}

fn measure(over: Over, few: usize, many: usize) {
    let authority = Authority::default();
    // One port of one address has not enough client ports for all.
    let bind = if over == Over::Quic { "127.0.0.1:0" } else { "0.0.0.0:0" };
    // Its steps would close some of those who have long been idle, where the limit of open files is near.
    let gateway = gateway_in(
        &format!(
            "[overload]\nenabled = false\n[[listener]]\nname = \"idle\"\nbind = \"{bind}\"\nroute = \"echo\"\nchain = []\n{}\n\
             [listener.limits]\naccept_rate = 100_000\nidle_timeout = \"20m\"\nping_interval = \"0s\"\n\
             [[listener]]\nname = \"talk\"\nbind = \"127.0.0.1:0\"\nroute = \"echo\"\nchain = []\n{}\nlimits.ping_interval = \"0s\"\n",
            over.config(),
            Wire::WebSocket.config()
        ),
        |dir| authority.write(dir),
    );
    let port = gateway.address("idle").port();
    let addresses: Vec<SocketAddr> =
        (1..=8).map(|host| SocketAddr::from(([127, 0, 0, host], port))).collect();
    let mut talking = Fleet::connect(Wire::WebSocket, gateway.address("talk"), TALKING, 1, &[b'm'; 64]);
    let mut idle = over.crowd(addresses[0], &authority);
    let mut settled = |count: usize, talking: &mut Fleet| {
        idle.grow(&addresses, count);
        // Talk makes the allocator look at its clock.
        talking.echo(DECAY);
        Memory::of(gateway.pid())
    };
    let before = settled(few, &mut talking);
    let after = settled(many, &mut talking);
    let there = gateway.metrics().sum("sessions", &[]);
    assert_eq!(there as usize, many + TALKING, "nobody has left");
    let each = |after: u64, before: u64| (after as f64 - before as f64) / (many - few) as f64;
    let resident = each(after.resident, before.resident);
    println!(
        "{:>20} {resident:>14.0} {:>10.0} {:>10.1} {:>10.1}  {}",
        over.name(),
        each(after.anonymous, before.anonymous),
        mebibytes(before.resident),
        mebibytes(after.resident),
        over.bar().map_or_else(|| "–".into(), |bar| format!("{bar} at most: {}", light(resident <= bar)))
    );
    keep(&format!("idle/{}/bytes", over.name()), resident);
    if over == Over::Quic {
        // So many goodbyes at once do not all arrive, and the gateway would wait for the idle timeout.
        return;
    }
    drop(idle);
    let talk = TALKING as u64;
    gateway.settle("the idle ones leave", |metrics| metrics.sum("sessions", &[]) == talk);
    talking.echo(DECAY);
    println!("{:>20} {:.1} MiB after they have gone", "", mebibytes(Memory::of(gateway.pid()).resident));
}

pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
