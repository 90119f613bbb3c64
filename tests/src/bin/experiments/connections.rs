//! Who serves a connection: a task of its own, or a pool of threads that takes what is ready?

use crate::child::{Place, Server};
use crate::table::{Series, Table, thousands};
use std::time::Duration;

/// What is compared with the first.
const SERVERS: [(&str, &[&str]); 5] = [
    ("a task for each connection, one thread", &["tasks"]),
    ("one thread and its epoll, no tasks", &["loop"]),
    ("one thread reads, two of a pool answer", &["handoff", "threads=2"]),
    ("two threads take what is ready from one epoll", &["ready", "threads=2"]),
    ("a thread for each connection", &["threads"]),
];
/// Connections, and messages in flight on each.
const CASES: [(usize, usize); 3] = [(100, 1), (1_000, 1), (100, 16)];
const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(250);
/// Between these is the slope of the memory.
const FEW: usize = 500;
const MANY: usize = 3_500;

pub(crate) fn run() -> anyhow::Result<Vec<Table>> {
    let servers: Vec<Server> = SERVERS
        .iter()
        .map(|(_, options)| Server::start(options, Place::FirstCore))
        .collect::<anyhow::Result<_>>()?;
    let mut cost = Table::new(
        "Echo of 64 bytes over TCP, the server on one core, the load on the other; µs of the server's CPU time a message, messages a \
         second, and the cost against that of tasks (in the same round; lowest to highest of 7)",
        &["connections × in flight", "who serves", "µs a message", "messages a second", "cost against tasks"],
    );
    for (connections, depth) in CASES {
        let mut clients = servers
            .iter()
            .map(|server| server.clients(connections, depth))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut costs = vec![Series::default(); servers.len()];
        let mut rates = costs.clone();
        for round in 0..=ROUNDS {
            for (at, server) in servers.iter().enumerate() {
                let slice = server.slice(&mut clients[at], SLICE)?;
                // The first warms up.
                if round > 0 {
                    costs[at].push(slice.cost);
                    rates[at].push(slice.rate);
                }
            }
        }
        for (at, (name, _)) in SERVERS.iter().enumerate() {
            cost.row(vec![
                format!("{connections} × {depth}"),
                (*name).to_owned(),
                costs[at].shown(2),
                thousands(rates[at].median()),
                if at == 0 { "1".into() } else { costs[at].against(&costs[0]).spread() },
            ]);
        }
    }
    drop(servers);
    Ok(vec![cost, memory()?])
}

/// Resident memory of a connection that has talked once.
fn memory() -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "Resident memory of a connection that has talked once, by slope from {FEW} to {} connections",
            thousands(MANY as f64)
        ),
        &["who serves", "bytes"],
    );
    for (name, options) in SERVERS {
        let server = Server::start(options, Place::FirstCore)?;
        let mut readings = Vec::new();
        let mut fleets = Vec::new();
        for count in [FEW, MANY - FEW] {
            let mut clients = server.clients(count, 1)?;
            clients.echo(Duration::ZERO)?;
            fleets.push(clients);
            readings.push(server.memory()?);
        }
        table.row(vec![name.to_owned(), thousands((readings[1] - readings[0]) / (MANY - FEW) as f64)]);
    }
    Ok(table)
}
