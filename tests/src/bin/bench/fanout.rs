//! Publishing to a group: one publisher, many receivers.

use crate::fleet::{Fleet, Wire};
use crate::report::{heading, median, range};
use crate::{gateway, setting};
use std::time::{Duration, Instant};
use weir_tests::process::Cpu;

const RECEIVERS: usize = 1_000;
/// Messages published in one write: what a receiver gets of them goes out in one write too.
const BURSTS: [usize; 2] = [1, 16];
/// Bursts under way, so that neither side waits for the other at the end of each.
const UNDER_WAY: u64 = 3;

/// A publisher, and who receives what it publishes.
struct Room {
    publisher: Fleet,
    receivers: Fleet,
}

struct Slice {
    /// Deliveries a second.
    rate: f64,
    /// CPU time of the gateway, in microseconds a delivery.
    cost: f64,
}

pub(crate) fn run() {
    let listener = |name: &str, chain: &str, route: &str, join: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nchain = [{chain}]\n\
             route = \"{route}\"\njoin = [{join}]\nlimits.ping_interval = \"0s\"\n"
        )
    };
    let gateway = gateway(
        &[
            listener("publish-plain", "", "group:plain", ""),
            listener("receive-plain", "", "drop", "\"plain\""),
            listener("publish-plugged", "", "group:plugged", ""),
            listener("receive-plugged", "\"passthrough\"", "drop", "\"plugged\""),
        ]
        .concat(),
    );
    heading(&format!(
        "A group of {RECEIVERS} over WebSocket: framed once for all, against passthrough called for each delivery"
    ));
    println!(
        "{:>6} {:>6} {:>12} {:>12} {:>17} {:>12} {:>6} {:>9} {:>9}",
        "bytes",
        "burst",
        "deliveries/s",
        "with",
        "ratio (range)",
        "µs/delivery",
        "with",
        "added ns",
        "CPU ratio"
    );
    for size in [64, 1024] {
        for burst in BURSTS {
            let payload = vec![b'm'; size];
            let room = |name: &str| Room {
                publisher: Fleet::connect(
                    Wire::WebSocket,
                    gateway.address(&format!("publish-{name}")),
                    1,
                    burst,
                    &payload,
                ),
                receivers: Fleet::connect(
                    Wire::WebSocket,
                    gateway.address(&format!("receive-{name}")),
                    RECEIVERS,
                    burst,
                    &payload,
                ),
            };
            compare(gateway.pid(), size, burst, &mut room("plain"), &mut room("plugged"));
        }
    }
    gateway.settle("everything", |metrics| metrics.sum("sessions", &[]) == 0);
}

fn compare(pid: u32, size: usize, burst: usize, plain: &mut Room, plugged: &mut Room) {
    let pairs = setting("BENCH_PAIRS", 7);
    let time = Duration::from_millis(setting("BENCH_MS", 400));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 0..=pairs {
        // Which is first changes, so that neither always follows the other.
        let slices = if pair % 2 == 0 {
            let first = plugged.slice(pid, burst, time);
            (plain.slice(pid, burst, time), first)
        } else {
            (plain.slice(pid, burst, time), plugged.slice(pid, burst, time))
        };
        // The first of each warms up.
        if pair > 0 {
            without.push(slices.0);
            with.push(slices.1);
        }
    }
    let of = |slices: &[Slice], value: fn(&Slice) -> f64| median(slices.iter().map(value).collect());
    let ratios = |value: fn(&Slice, &Slice) -> f64| -> Vec<f64> {
        without.iter().zip(&with).map(|(without, with)| value(without, with)).collect()
    };
    let throughput = ratios(|without, with| with.rate / without.rate);
    let (low, high) = range(&throughput);
    println!(
        "{size:>6} {burst:>6} {:>12.0} {:>12.0} {:>5.2} ({low:.2}–{high:.2}) {:>12.3} {:>6.3} {:>9.0} {:>9.2}",
        of(&without, |slice| slice.rate),
        of(&with, |slice| slice.rate),
        median(throughput),
        of(&without, |slice| slice.cost),
        of(&with, |slice| slice.cost),
        median(ratios(|without, with| (with.cost - without.cost) * 1000.0)),
        median(ratios(|without, with| without.cost / with.cost)),
    );
}

impl Room {
    /// Publishes for so long, and waits until everybody has everything.
    fn slice(&mut self, pid: u32, burst: usize, time: Duration) -> Slice {
        let each = (burst * self.receivers.len()) as u64;
        let (cpu, begun) = (Cpu::of(pid), Instant::now());
        let (mut sent, mut done) = (0, 0);
        while done < sent || begun.elapsed() < time {
            while sent < done + UNDER_WAY * each && begun.elapsed() < time {
                self.publisher.publish(burst);
                sent += each;
            }
            done += self.receivers.collect();
            assert!(
                begun.elapsed() < time + Duration::from_secs(20),
                "{} deliveries did not come",
                sent - done
            );
        }
        let elapsed = begun.elapsed().as_secs_f64();
        let cpu = Cpu::of(pid) - cpu;
        Slice { rate: done as f64 / elapsed, cost: cpu.used.as_secs_f64() * 1e6 / done as f64 }
    }
}
