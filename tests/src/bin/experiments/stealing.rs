//! A thread for each core with connections of its own, or threads that take each other's tasks?

use crate::Found;
use crate::child::{Place, SIZE, Server};
use crate::length::Length;
use crate::paced::Paced;
use crate::table::{Series, Table, thousands};
use crate::turns::turns;
use std::time::Duration;

const SERVERS: [(&str, &str); 2] = [("a thread for each core", "steal=0"), ("work stealing", "steal=1")];
const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(300);
/// Of answers that are timed: messages a second, over so many connections.
const RATE: f64 = 15_000.0;
const TIMED: usize = 40;
const TIMED_ROUNDS: usize = 5;
const TIMED_SLICE: Duration = Duration::from_millis(400);

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

pub(crate) fn run(length: Length) -> anyhow::Result<Found> {
    let mut table = Table::new(
        "Echo of 64 bytes over TCP by two threads on two cores, on which the load runs too: µs of the server's CPU time a message and \
         messages a second, each against a thread for each core (in the same round; lowest to highest of 7)",
        &["connections × in flight", "threads", "µs a message", "against", "messages a second", "against"],
    );
    for Case { name, connections, depth, work, uneven } in CASES {
        let mut compared = Vec::new();
        for (_, steal) in SERVERS {
            let options =
                ["tasks", "threads=2", steal, &format!("work_ns={work}"), &format!("uneven={uneven}")];
            let server = Server::start(&options, Place::Anywhere)?;
            let clients = server.clients(length.connections(connections), depth)?;
            compared.push((server, clients));
        }
        let slices = turns(length.rounds(ROUNDS), &mut compared, |(server, clients)| {
            server.slice(clients, length.time(SLICE))
        })?;
        let costs: Vec<Series> = slices.iter().map(|of| Series::of(of, |slice| slice.cost)).collect();
        let rates: Vec<Series> = slices.iter().map(|of| Series::of(of, |slice| slice.rate)).collect();
        for (at, (who, _)) in SERVERS.iter().enumerate() {
            table.row(vec![
                name.to_owned(),
                (*who).to_owned(),
                costs[at].shown(2),
                Series::against_first(&costs, at),
                thousands(rates[at].median()),
                Series::against_first(&rates, at),
            ]);
        }
    }
    Ok(vec![table, latency(length)?].into())
}

/// What an answer takes while there is time for all. The client never sleeps, so that it has one of the cores nearly for itself.
fn latency(length: Length) -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "The same two, {} messages a second in all over {TIMED} connections, 10 µs of work each: how long answers took",
            thousands(RATE)
        ),
        &["connections", "threads", "µs a message", "p50, µs", "p99, µs", "p99.9, µs"],
    );
    for (name, uneven) in [("on both threads", "uneven=0"), ("all on one thread's side", "uneven=1")] {
        let mut compared = Vec::new();
        for (_, steal) in SERVERS {
            let server =
                Server::start(&["tasks", "threads=2", steal, "work_ns=10000", uneven], Place::Anywhere)?;
            let clients = Paced::connect(server.address, TIMED, SIZE, false)?;
            compared.push((server, clients));
        }
        let slices = turns(length.rounds(TIMED_ROUNDS), &mut compared, |(server, clients)| {
            clients.slice(server, RATE, length.time(TIMED_SLICE))
        })?;
        for ((who, _), slices) in SERVERS.iter().zip(&slices) {
            let mut row =
                vec![name.to_owned(), (*who).to_owned(), Series::of(slices, |slice| slice.cost).shown(2)];
            row.extend(
                [0.5, 0.99, 0.999]
                    .map(|part| Series::of(slices, |slice| slice.latencies.quantile(part)).shown(0)),
            );
            table.row(row);
        }
    }
    Ok(table)
}
