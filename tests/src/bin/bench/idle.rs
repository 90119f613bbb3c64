//! What a session costs that says nothing, and what many of them cost those that do.

use crate::echo::{Slice, slice};
use crate::fleet::{Fleet, Wire};
use crate::process::Memory;
use crate::report::{heading, light, median};
use crate::{gateway, setting};
use std::net::SocketAddr;
use std::time::Duration;

/// The slope is measured between these. More would need more than the 20,000 open files that some systems give a process.
const FEW: usize = 2_000;
const MANY: usize = 18_000;
/// Of user-space memory, in bytes a session.
const BAR: f64 = 1280.0;
/// By how much a message may be dearer among many sessions.
const CROWD_BAR: f64 = 1.15;
/// Connections that talk while the others are idle.
const TALKING: usize = 100;
/// The allocator gives back what it no longer needs within ten seconds, when it is asked for something.
const DECAY: Duration = Duration::from_secs(12);

pub(crate) fn run() {
    heading(&format!("Idle sessions: resident memory of the gateway, by slope from {FEW} to {MANY}"));
    for wire in [Wire::WebSocket, Wire::Tcp] {
        // One port of one address has not enough client ports for all.
        let gateway = gateway(&format!(
            "[[listener]]\nname = \"idle\"\nbind = \"0.0.0.0:0\"\nroute = \"echo\"\nchain = []\n{0}\n\
             [listener.limits]\naccept_rate = 100_000\nidle_timeout = \"10m\"\nping_interval = \"0s\"\n\
             [[listener]]\nname = \"talk\"\nbind = \"127.0.0.1:0\"\nroute = \"echo\"\nchain = []\n{0}\nlimits.ping_interval = \"0s\"\n",
            wire.config()
        ));
        let port = gateway.address("idle").port();
        let addresses: Vec<SocketAddr> =
            (1..=8).map(|host| SocketAddr::from(([127, 0, 0, host], port))).collect();
        let mut talking = Fleet::connect(wire, gateway.address("talk"), TALKING, 1, &[b'm'; 64]);
        let mut idle = Fleet::connect(wire, addresses[0], 0, 1, &[b'm'; 64]);

        let mut settled = |count: usize, talking: &mut Fleet| {
            idle.grow(wire, &addresses, count);
            // Talk makes the allocator look at its clock.
            talking.echo(DECAY);
            let crowd = crowd(gateway.pid(), talking);
            (Memory::of(gateway.pid()), crowd)
        };
        let (before, alone) = settled(FEW, &mut talking);
        let (after, crowded) = settled(MANY, &mut talking);
        let each = |after: u64, before: u64| (after as f64 - before as f64) / (MANY - FEW) as f64;
        let resident = each(after.resident, before.resident);
        println!(
            "{:>12}: {resident:.0} bytes a session ({:.0} by PSS; {:.1} MiB at {FEW}, {:.1} MiB at {MANY})  {}",
            wire.name(),
            each(after.proportional, before.proportional),
            mebibytes(before.resident),
            mebibytes(after.resident),
            if wire == Wire::WebSocket {
                format!("{BAR} at most: {}", light(resident <= BAR))
            } else {
                String::new()
            }
        );
        println!(
            "{:>12}  a message of {TALKING} that talk: {alone:.2} µs among {FEW} sessions, {crowded:.2} µs among {MANY}: {:.2}  {CROWD_BAR} at most: {}",
            "",
            crowded / alone,
            light(crowded / alone <= CROWD_BAR)
        );
        drop(idle);
        let talk = TALKING as u64;
        gateway.settle("the idle ones leave", |metrics| metrics.sum("sessions", &[]) == talk);
        talking.echo(DECAY);
        println!("{:>12}  {:.1} MiB after they have gone", "", mebibytes(Memory::of(gateway.pid()).resident));
    }
}

/// What a message costs now, in microseconds of the gateway's CPU time.
fn crowd(pid: u32, talking: &mut Fleet) -> f64 {
    let time = Duration::from_millis(setting("BENCH_MS", 400));
    median(
        (0..setting("BENCH_PAIRS", 7))
            .map(|_| slice(pid, talking, time))
            .map(|Slice { cost, .. }| cost)
            .collect(),
    )
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
