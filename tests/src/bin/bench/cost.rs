//! What a message costs among few sessions and among many: those that talk while the others are idle, and where all talk.

use crate::echo::{Slice, slice};
use crate::fleet::{Fleet, Wire};
use crate::report::{heading, light, median, range};
use crate::{gateway, setting};
use std::net::SocketAddr;
use std::time::Duration;

/// Sessions. More would need more than the 20,000 open files that some systems give a process.
const COUNTS: [usize; 4] = [100, 1_000, 10_000, 18_000];
/// By how much a message may be dearer among the most of them than among the fewest.
const BAR: f64 = 1.15;

pub(crate) fn run() {
    heading(
        "What a message costs among many sessions: CPU time of the gateway, WebSocket echo, 64 bytes, one in flight each",
    );
    println!(
        "{:>9} {:>22} {:>17} {:>22} {:>17}  bar",
        "sessions", "100 talk, µs (range)", "against 100 alone", "all talk, µs (range)", "against the 100"
    );
    let wire = Wire::WebSocket;
    let gateway = gateway(&format!(
        "[[listener]]\nname = \"all\"\nbind = \"0.0.0.0:0\"\nroute = \"echo\"\nchain = []\n{}\n\
         [listener.limits]\naccept_rate = 100_000\nidle_timeout = \"20m\"\nping_interval = \"0s\"\n",
        wire.config()
    ));
    let port = gateway.address("all").port();
    let addresses: Vec<SocketAddr> =
        (1..=8).map(|host| SocketAddr::from(([127, 0, 0, host], port))).collect();
    let few = COUNTS[0];
    let mut talking = Fleet::connect(wire, addresses[0], few, 1, &[b'm'; 64]);
    let mut others = Fleet::connect(wire, addresses[0], 0, 1, &[b'm'; 64]);
    let alone = median(costs(gateway.pid(), &mut talking, None).0);
    for count in COUNTS {
        others.grow(wire, &addresses, count - few);
        let all = (others.len() > 0).then_some(&mut others);
        let (hundred, all) = costs(gateway.pid(), &mut talking, all);
        let middle = median(hundred.clone());
        let (low, high) = range(&hundred);
        let ratio = middle / alone;
        let (of_all, against) = if all.is_empty() {
            ("–".to_owned(), "–".to_owned())
        } else {
            let (low, high) = range(&all);
            let of_all = median(all);
            (format!("{of_all:.2} ({low:.2}–{high:.2})"), format!("{:.2}", of_all / middle))
        };
        println!(
            "{count:>9} {:>22} {ratio:>17.2} {of_all:>22} {against:>17}  {}",
            format!("{middle:.2} ({low:.2}–{high:.2})"),
            if count == COUNTS[COUNTS.len() - 1] {
                format!("{BAR}: {}", light(ratio <= BAR))
            } else {
                String::new()
            }
        );
    }
    drop(others);
    gateway.settle("the others leave", |metrics| metrics.sum("sessions", &[]) == few as u64);
    let again = median(costs(gateway.pid(), &mut talking, None).0);
    println!("{:>9} the 100 alone again: {again:.2} µs, {:.2} of what it was", "", again / alone);
}

/// Slices in turn: of the hundred, and of the others if there are any.
fn costs(pid: u32, talking: &mut Fleet, mut others: Option<&mut Fleet>) -> (Vec<f64>, Vec<f64>) {
    let time = Duration::from_millis(setting("BENCH_MS", 400));
    let (mut hundred, mut all) = (Vec::new(), Vec::new());
    for round in 0..=setting("BENCH_PAIRS", 7) {
        let Slice { cost, .. } = slice(pid, talking, time);
        let other = others.as_mut().map(|others| slice(pid, others, time).cost);
        // The first of each warms up.
        if round > 0 {
            hundred.push(cost);
            all.extend(other);
        }
    }
    (hundred, all)
}
