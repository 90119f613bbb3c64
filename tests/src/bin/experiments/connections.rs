//! Who serves a connection: a task of its own, or a pool of threads that takes what is ready?

use crate::Found;
use crate::child::{FEW, MANY, Place, Server, memory_of_a_connection};
use crate::length::Length;
use crate::table::{Series, Table, thousands};
use crate::turns::turns;
use std::time::Duration;

/// On one core; what is compared with the first.
const SERVERS: [(&str, &[&str]); 5] = [
    ("a task for each connection, one thread", &["tasks"]),
    ("one thread and its epoll, no tasks", &["loop"]),
    ("one thread reads, two of a pool answer", &["handoff", "threads=2"]),
    ("two threads take what is ready from one epoll", &["ready", "threads=2"]),
    ("a thread for each connection", &["threads"]),
];
/// On two cores, for which pools are made.
const SPREAD: [(&str, &[&str]); 4] = [
    ("tasks, a thread for each core", &["tasks", "threads=2"]),
    ("one thread reads, two of a pool answer", &["handoff", "threads=2"]),
    ("two threads take what is ready from one epoll", &["ready", "threads=2"]),
    ("a thread for each connection", &["threads"]),
];
/// Connections, messages in flight on each, and what each message takes beside: a plugin's work.
const CASES: [(usize, usize, Duration); 3] =
    [(100, 1, Duration::ZERO), (1_000, 1, Duration::ZERO), (100, 16, Duration::ZERO)];
const SPREAD_CASES: [(usize, usize, Duration); 2] =
    [(100, 1, Duration::ZERO), (100, 1, Duration::from_micros(10))];
const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(250);

pub(crate) fn run(length: Length) -> anyhow::Result<Found> {
    let one = Table::new(
        "Echo of 64 bytes over TCP, the server on one core, the load on the other; µs of the server's CPU time a message, messages a \
         second, and the cost against that of tasks (in the same round; lowest to highest of 7)",
        &["connections × in flight", "who serves", "µs a message", "messages a second", "cost against tasks"],
    );
    let two = Table::new(
        "The same on two cores, on which the load runs too: there it needs what it gets, so that a server never has both",
        &["connections × in flight", "who serves", "µs a message", "messages a second", "cost against tasks"],
    );
    let one = compare(one, &SERVERS, &CASES, Place::FirstCore, length)?;
    let two = compare(two, &SPREAD, &SPREAD_CASES, Place::Anywhere, length)?;
    Ok(vec![one, two, memory(length)?].into())
}

fn compare(
    mut table: Table,
    servers: &[(&str, &[&str])],
    cases: &[(usize, usize, Duration)],
    place: Place,
    length: Length,
) -> anyhow::Result<Table> {
    for (connections, depth, work) in cases {
        let mut compared = Vec::new();
        for (_, options) in servers {
            let work = format!("work_ns={}", work.as_nanos());
            let server = Server::start(&[*options, &[work.as_str()]].concat(), place)?;
            let clients = server.clients(length.connections(*connections), *depth)?;
            compared.push((server, clients));
        }
        let slices = turns(length.rounds(ROUNDS), &mut compared, |(server, clients)| {
            server.slice(clients, length.time(SLICE))
        })?;
        let costs: Vec<Series> = slices.iter().map(|of| Series::of(of, |slice| slice.cost)).collect();
        let beside =
            if work.is_zero() { String::new() } else { format!(", {} µs of work", work.as_micros()) };
        for (at, (name, _)) in servers.iter().enumerate() {
            table.row(vec![
                format!("{} × {depth}{beside}", thousands(*connections as f64)),
                (*name).to_owned(),
                costs[at].shown(2),
                thousands(Series::of(&slices[at], |slice| slice.rate).median()),
                Series::against_first(&costs, at),
            ]);
        }
    }
    Ok(table)
}

/// Resident memory of a connection that has talked once.
fn memory(length: Length) -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "Resident memory of a connection that has talked once, by slope from {FEW} to {} connections",
            thousands(MANY as f64)
        ),
        &["who serves", "bytes"],
    );
    for (name, options) in SERVERS {
        table.row(vec![name.to_owned(), thousands(memory_of_a_connection(options, length)?)]);
    }
    Ok(table)
}
