//! What a message costs among few sessions and among many: those that talk while the others are idle, and where all talk.

use crate::echo::{Slice, slice};
use crate::fleet::{Fleet, Wire};
use crate::report::{heading, keep, light, median, range};
use crate::{gateway, setting};
use std::net::SocketAddr;
use std::time::Duration;
use weir_tests::Gateway;

/// Sessions. More would need more than the 20,000 open files that some systems give a process.
const COUNTS: [usize; 4] = [100, 1_000, 10_000, 18_000];
/// By how much a message may be dearer among the most of them than among the fewest.
const BAR: f64 = 1.15;
const WIRE: Wire = Wire::WebSocket;

pub(crate) fn run() {
    heading(
        "What a message costs among many sessions: CPU time of the gateway, WebSocket echo, 64 bytes, one in flight each",
    );
    println!(
        "the 100 alone are those of a second gateway on the same core, a slice of theirs beside each slice"
    );
    println!(
        "{:>9} {:>14} {:>22} {:>26} {:>22} {:>20}  bar",
        "sessions",
        "100 alone, µs",
        "100 talk, µs (range)",
        "against alone (range)",
        "all talk, µs (range)",
        "against the 100"
    );
    let few = COUNTS[0];
    let (quiet, crowded) = (Place::new(), Place::new());
    let mut alone = quiet.connect(few);
    let mut talking = crowded.connect(few);
    let mut others = crowded.connect(0);
    for count in COUNTS {
        others.grow(WIRE, &crowded.addresses, count - few);
        let mut costs = Costs::default();
        for round in 0..=setting("BENCH_PAIRS", 7) {
            let at = |place: &Place, fleet: &mut Fleet| {
                slice(place.gateway.pid(), fleet, Duration::from_millis(setting("BENCH_MS", 400)))
            };
            // Which is first changes, so that neither always follows the other.
            let (one, two) = if round % 2 == 0 {
                let one = at(&quiet, &mut alone);
                (one, at(&crowded, &mut talking))
            } else {
                let two = at(&crowded, &mut talking);
                (at(&quiet, &mut alone), two)
            };
            let all = (others.len() > 0).then(|| at(&crowded, &mut others));
            // The first of each warms up.
            if round > 0 {
                costs.alone.push(one.cost);
                costs.talking.push(two.cost);
                costs.ratios.push(two.cost / one.cost);
                if let Some(all) = all {
                    costs.all.push(all.cost);
                    costs.of_all.push(all.cost / two.cost);
                    costs.added.push(all.cost - two.cost);
                    costs.added_in_kernel.push(in_kernel(&all) - in_kernel(&two));
                }
            }
        }
        costs.print(count);
    }
}

/// A gateway, and where it listens: one address has too few ports for all.
struct Place {
    gateway: Gateway,
    addresses: Vec<SocketAddr>,
}

impl Place {
    fn new() -> Self {
        // Nothing is closed because descriptors run short, as most of them do here.
        let gateway = gateway(&format!(
            "[overload]\nenabled = false\n[[listener]]\nname = \"all\"\nbind = \"0.0.0.0:0\"\nroute = \"echo\"\nchain = []\n{}\n\
             [listener.limits]\naccept_rate = 100_000\nidle_timeout = \"20m\"\nping_interval = \"0s\"\n",
            WIRE.config()
        ));
        let port = gateway.address("all").port();
        let addresses = (1..=8).map(|host| SocketAddr::from(([127, 0, 0, host], port))).collect();
        Self { gateway, addresses }
    }

    fn connect(&self, count: usize) -> Fleet {
        Fleet::connect(WIRE, self.addresses[0], count, 1, &[b'm'; 64])
    }
}

/// Of each slice; a ratio is that of two neighbours.
#[derive(Default)]
struct Costs {
    alone: Vec<f64>,
    talking: Vec<f64>,
    ratios: Vec<f64>,
    all: Vec<f64>,
    of_all: Vec<f64>,
    /// What a message costs more where all talk, and how much of that is the kernel's, µs.
    added: Vec<f64>,
    added_in_kernel: Vec<f64>,
}

fn in_kernel(slice: &Slice) -> f64 {
    slice.cost * slice.system
}

impl Costs {
    fn print(self, count: usize) {
        let shown = |values: &[f64]| {
            if values.is_empty() {
                return "–".to_owned();
            }
            let (low, high) = range(values);
            format!("{:.2} ({low:.2}–{high:.2})", median(values.to_vec()))
        };
        let ratio = median(self.ratios.clone());
        for (name, values) in [("ratio", &self.ratios), ("all", &self.of_all)]
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
        {
            let (low, high) = range(values);
            for (end, value) in [("", median(values.clone())), ("-low", low), ("-high", high)] {
                keep(&format!("cost/{count}/{name}{end}"), value);
            }
        }
        println!(
            "{count:>9} {:>14.2} {:>22} {:>26} {:>22} {:>20}  {}",
            median(self.alone),
            shown(&self.talking),
            shown(&self.ratios),
            shown(&self.all),
            shown(&self.of_all),
            if count == COUNTS[COUNTS.len() - 1] {
                format!("{BAR}: {}", light(ratio <= BAR))
            } else {
                String::new()
            }
        );
        if !self.added.is_empty() {
            println!(
                "{:>9} where all talk a message costs {:.2} µs more, {:.2} of them in the kernel",
                "",
                median(self.added),
                median(self.added_in_kernel)
            );
        }
    }
}
