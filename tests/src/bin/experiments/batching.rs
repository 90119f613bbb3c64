//! What a write costs, how many messages it should carry, and whether waiting for more of them pays.

use crate::Found;
use crate::child::{Place, SIZE, Server};
use crate::length::Length;
use crate::paced::Paced;
use crate::table::{Series, Table, thousands};
use crate::turns::turns;
use std::time::Duration;

/// Messages of a write.
const FLUSHES: [&str; 4] = ["1", "4", "16", "64"];
/// Messages that are there at once, and connections.
const DEPTH: usize = 64;
const CONNECTIONS: usize = 50;
const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(250);

/// Members of the group, and messages that are published to it in a second.
const MEMBERS: usize = 100;
const RATES: [f64; 3] = [200.0, 1_000.0, 2_000.0];
/// How long a delivery may wait for more, in microseconds.
const DELAYS: [&str; 5] = ["0", "200", "1000", "2000", "5000"];
const PACED_ROUNDS: usize = 3;
const PACED: Duration = Duration::from_millis(500);

pub(crate) fn run(length: Length) -> anyhow::Result<Found> {
    Ok(vec![curve(length)?, delays(length)?, lonely(length)?].into())
}

/// The same 64 answers in 64 writes, 16, 4, or one.
fn curve(length: Length) -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "{DEPTH} messages of {SIZE} bytes come in one read on each of {CONNECTIONS} connections and are answered in writes of 1, 4, 16 \
             or 64; µs of the server's CPU time a message, messages a second, and the cost against one write with TCP_NODELAY"
        ),
        &["messages a write", "TCP_NODELAY", "µs a message", "messages a second", "cost against 64 at once"],
    );
    let mut compared = Vec::new();
    for nodelay in ["1", "0"] {
        for flush in FLUSHES {
            let options = ["loop", &format!("flush={flush}"), &format!("nodelay={nodelay}")];
            let server = Server::start(&options, Place::FirstCore)?;
            let clients = server.clients(CONNECTIONS, DEPTH)?;
            compared.push((flush, nodelay, server, clients));
        }
    }
    let slices = turns(length.rounds(ROUNDS), &mut compared, |(_, _, server, clients)| {
        server.slice(clients, length.time(SLICE))
    })?;
    let costs: Vec<Series> = slices.iter().map(|of| Series::of(of, |slice| slice.cost)).collect();
    for (at, (flush, nodelay, ..)) in compared.iter().enumerate() {
        table.row(vec![
            (*flush).to_owned(),
            if *nodelay == "1" { "on" } else { "off" }.to_owned(),
            costs[at].shown(3),
            thousands(Series::of(&slices[at], |slice| slice.rate).median()),
            costs[at].against(&costs[FLUSHES.len() - 1]).spread(),
        ]);
    }
    Ok(table)
}

/// A group, where what is to be written waits for more.
fn delays(length: Length) -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "One publishes to a group of {MEMBERS} over TCP; a delivery may wait so long for more to the same member. µs of the server's \
             CPU time a delivery, against writing at once, and how long deliveries took from the time that was set for their message"
        ),
        &["published a second", "may wait, ms", "µs a delivery", "against at once", "p50, ms", "p99, ms"],
    );
    let mut compared = Vec::new();
    for delay in DELAYS {
        let server = Server::start(&["loop", "group=1", &format!("delay_us={delay}")], Place::FirstCore)?;
        let clients = Paced::connect(server.address, MEMBERS + 1, SIZE, true)?;
        compared.push((server, clients));
    }
    for rate in RATES {
        let slices = turns(length.rounds(PACED_ROUNDS), &mut compared, |(server, clients)| {
            clients.slice(server, rate, length.time(PACED))
        })?;
        let costs: Vec<Series> = slices.iter().map(|of| Series::of(of, |slice| slice.cost)).collect();
        for (at, delay) in DELAYS.iter().enumerate() {
            let quantile =
                |part| Series::of(&slices[at], |slice| slice.latencies.quantile(part) / 1e3).shown(2);
            table.row(vec![
                thousands(rate),
                format!("{}", delay.parse::<f64>()? / 1e3),
                costs[at].shown(2),
                Series::against_first(&costs, at),
                quantile(0.5),
                quantile(0.99),
            ]);
        }
    }
    Ok(table)
}

/// Messages that come alone, each soon after the one before: what Nagle's algorithm does to them.
fn lonely(length: Length) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "20 connections, 20,000 messages a second in all, each answered at once by itself: how long the answers took",
        &["TCP_NODELAY", "µs a message", "p50, µs", "p99, µs", "p99.9, µs"],
    );
    let mut compared = Vec::new();
    for nodelay in ["1", "0"] {
        let server = Server::start(&["loop", &format!("nodelay={nodelay}")], Place::FirstCore)?;
        let clients = Paced::connect(server.address, 20, SIZE, false)?;
        compared.push((server, clients));
    }
    let slices = turns(length.rounds(PACED_ROUNDS), &mut compared, |(server, clients)| {
        clients.slice(server, 20_000.0, length.time(PACED))
    })?;
    for (nodelay, slices) in ["on", "off"].into_iter().zip(&slices) {
        let mut row = vec![nodelay.to_owned(), Series::of(slices, |slice| slice.cost).shown(2)];
        row.extend(
            [0.5, 0.99, 0.999]
                .map(|part| Series::of(slices, |slice| slice.latencies.quantile(part)).shown(0)),
        );
        table.row(row);
    }
    Ok(table)
}
