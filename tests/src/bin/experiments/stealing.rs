//! A thread for each core with connections of its own, or threads that take each other's tasks?

use crate::child::{Place, SIZE, Server};
use crate::paced::Paced;
use crate::table::{Series, Table, thousands};
use std::time::Duration;
use weir_capacity::measure::Cpu;

const SERVERS: [(&str, &str); 2] = [("a thread for each core", "steal=0"), ("work stealing", "steal=1")];
const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(300);

/// What is asked of both.
struct Case {
    name: &'static str,
    connections: usize,
    depth: usize,
    /// What each message takes beside, ns: a plugin's work.
    work: &'static str,
    /// All connections are on one of the threads, where they belong to threads.
    uneven: &'static str,
}

const CASES: [Case; 5] = [
    Case { name: "100 × 1", connections: 100, depth: 1, work: "0", uneven: "0" },
    Case { name: "1,000 × 1", connections: 1_000, depth: 1, work: "0", uneven: "0" },
    Case { name: "100 × 16", connections: 100, depth: 16, work: "0", uneven: "0" },
    Case {
        name: "100 × 1, 10 µs of work a message", connections: 100, depth: 1, work: "10000", uneven: "0"
    },
    Case {
        name: "8 × 16, 10 µs of work a message, all on one thread's side",
        connections: 8,
        depth: 16,
        work: "10000",
        uneven: "1",
    },
];

pub(crate) fn run() -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new(
        "Echo of 64 bytes over TCP by two threads on two cores, on which the load runs too: µs of the server's CPU time a message and \
         messages a second, each against a thread for each core (in the same round; lowest to highest of 7)",
        &["connections × in flight", "threads", "µs a message", "against", "messages a second", "against"],
    );
    for Case { name, connections, depth, work, uneven } in CASES {
        let mut runs = Vec::new();
        for (_, steal) in SERVERS {
            let options =
                ["tasks", "threads=2", steal, &format!("work_ns={work}"), &format!("uneven={uneven}")];
            let server = Server::start(&options, Place::Anywhere)?;
            let clients = server.clients(connections, depth)?;
            runs.push((server, clients, Series::default(), Series::default()));
        }
        for round in 0..=ROUNDS {
            for (server, clients, costs, rates) in &mut runs {
                let slice = server.slice(clients, SLICE)?;
                if round > 0 {
                    costs.push(slice.cost);
                    rates.push(slice.rate);
                }
            }
        }
        for (at, (who, _)) in SERVERS.iter().enumerate() {
            let (_, _, costs, rates) = &runs[at];
            let against =
                |of: &Series, first: &Series| if at == 0 { "1".into() } else { of.against(first).spread() };
            table.row(vec![
                name.to_owned(),
                (*who).to_owned(),
                costs.shown(2),
                against(costs, &runs[0].2),
                thousands(rates.median()),
                against(rates, &runs[0].3),
            ]);
        }
    }
    Ok(vec![table, latency()?])
}

/// What an answer takes while there is time for all. The client never sleeps, so that it has one of the cores nearly for itself.
fn latency() -> anyhow::Result<Table> {
    let mut table = Table::new(
        "The same two, 15,000 messages a second in all over 40 connections, 10 µs of work each: how long answers took",
        &["connections", "threads", "µs a message", "p50, µs", "p99, µs", "p99.9, µs"],
    );
    for (name, uneven) in [("on both threads", "uneven=0"), ("all on one thread's side", "uneven=1")] {
        let mut runs = Vec::new();
        for (_, steal) in SERVERS {
            let server =
                Server::start(&["tasks", "threads=2", steal, "work_ns=10000", uneven], Place::Anywhere)?;
            let clients = Paced::connect(server.address, 40, SIZE, false)?;
            runs.push((
                server,
                clients,
                Series::default(),
                [0.5, 0.99, 0.999].map(|part| (part, Series::default())),
            ));
        }
        for round in 0..=5 {
            for (server, clients, cost, quantiles) in &mut runs {
                let before = Cpu::of(server.pid())?;
                let latencies = clients.run(15_000.0, Duration::from_millis(400))?;
                let cpu = Cpu::of(server.pid())? - before;
                if round > 0 {
                    cost.push(cpu.used.as_secs_f64() * 1e6 / latencies.count() as f64);
                    for (part, series) in quantiles {
                        series.push(latencies.quantile(*part));
                    }
                }
            }
        }
        for ((who, _), (_, _, cost, quantiles)) in SERVERS.iter().zip(&runs) {
            let mut row = vec![name.to_owned(), (*who).to_owned(), cost.shown(2)];
            row.extend(quantiles.iter().map(|(_, series)| series.shown(0)));
            table.row(row);
        }
    }
    Ok(table)
}
