//! Where the memory for a read and for a message comes from: one buffer of the thread, a pool, the allocator, or each connection's own.

use crate::Found;
use crate::child::{Place, Server, memory_of_a_connection};
use crate::length::Length;
use crate::table::{Series, Table, thousands};
use crate::turns::turns;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SERVERS: [(&str, &str); 4] = [
    ("one of the thread, 64 KiB", "memory=shared"),
    ("a pool of 16 KiB each", "memory=pool"),
    ("16 KiB allocated for each read", "memory=fresh"),
    ("16 KiB of each connection's own", "memory=own"),
];
/// Connections, and messages in flight on each.
const CASES: [(usize, usize); 3] = [(100, 1), (1_000, 1), (100, 64)];
const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(250);

/// Sizes of the loop alone, in bytes.
const SIZES: [usize; 4] = [64, 1_024, 16_384, 65_536];
const TIMES: u32 = 20_000;
const LOOP_ROUNDS: usize = 15;

pub(crate) fn run(length: Length) -> anyhow::Result<Found> {
    Ok(vec![alone(length)?, served(length)?].into())
}

/// An echo server that reads into each kind.
fn served(length: Length) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "Echo of 64 bytes over TCP by a task for each connection on one core; µs of the server's CPU time a message against the thread's one \
         buffer (in the same round), and resident memory of a connection that has talked once",
        &[
            "reads into",
            "100 × 1, µs",
            "against",
            "1,000 × 1, µs",
            "against",
            "100 × 64, µs",
            "against",
            "bytes a connection",
        ],
    );
    let mut rows: Vec<Vec<String>> = SERVERS.iter().map(|(name, _)| vec![(*name).to_owned()]).collect();
    for (connections, depth) in CASES {
        let mut compared = Vec::new();
        for (_, memory) in SERVERS {
            let server = Server::start(&["tasks", memory], Place::FirstCore)?;
            let clients = server.clients(length.connections(connections), depth)?;
            compared.push((server, clients));
        }
        let slices = turns(length.rounds(ROUNDS), &mut compared, |(server, clients)| {
            server.slice(clients, length.time(SLICE))
        })?;
        let costs: Vec<Series> = slices.iter().map(|of| Series::of(of, |slice| slice.cost)).collect();
        for (at, row) in rows.iter_mut().enumerate() {
            row.push(costs[at].shown(2));
            row.push(Series::against_first(&costs, at));
        }
    }
    for (mut row, (_, memory)) in rows.into_iter().zip(SERVERS) {
        row.push(thousands(memory_of_a_connection(&["tasks", memory], length)?));
        table.row(row);
    }
    Ok(table)
}

/// Where the loop takes its buffers from.
enum Source {
    Pool,
    Allocator,
}

/// Taking, writing the first cache line and giving back, in a loop and by one thread.
fn alone(length: Length) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "A buffer is taken, 64 bytes of it are written, and it is given back, by one thread in a loop: nanoseconds, median of 15 rounds",
        &[
            "bytes",
            "a pool (a stack of the thread)",
            "the allocator (jemalloc)",
            "the allocator against the pool",
        ],
    );
    for size in SIZES {
        let mut pool: Vec<Vec<u8>> = (0..16).map(|_| vec![0; size]).collect();
        let times = turns(length.rounds(LOOP_ROUNDS), &mut [Source::Pool, Source::Allocator], |source| {
            Ok(match source {
                Source::Pool => each(|| {
                    let mut buffer = pool.pop().unwrap_or_default();
                    buffer[..64].fill(black_box(1));
                    pool.push(black_box(buffer));
                }),
                Source::Allocator => each(|| allocate(size)),
            })
        })?;
        let [pooled, allocated] = &times[..] else { unreachable!("as many as are compared") };
        let [pooled, allocated] = [pooled, allocated].map(|times| Series(times.clone()));
        table.row(vec![
            thousands(size as f64),
            pooled.shown(1),
            allocated.shown(1),
            allocated.against(&pooled).spread(),
        ]);
    }
    Ok(table)
}

/// From the program's allocator, and back.
fn allocate(size: usize) {
    let mut buffer: Vec<u8> = Vec::with_capacity(size);
    buffer.extend_from_slice(&black_box([1; 64]));
    drop(black_box(buffer));
}

fn each(mut once: impl FnMut()) -> f64 {
    let begun = Instant::now();
    (0..TIMES).for_each(|_| once());
    begun.elapsed().as_nanos() as f64 / f64::from(TIMES)
}
