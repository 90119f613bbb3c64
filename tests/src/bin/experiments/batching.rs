//! What a write costs, how many messages it should carry, and whether waiting for more of them pays.

use crate::child::{Place, SIZE, Server};
use crate::paced::Paced;
use crate::table::{Series, Table, thousands};
use std::time::Duration;
use weir_capacity::measure::Cpu;

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
/// How long a delivery may wait for more, µs.
const DELAYS: [&str; 5] = ["0", "200", "1000", "2000", "5000"];
const PACED_ROUNDS: usize = 3;
const PACED: Duration = Duration::from_millis(500);

pub(crate) fn run() -> anyhow::Result<Vec<Table>> {
    Ok(vec![curve()?, delays()?, lonely()?])
}

/// The same 64 answers in 64 writes, 16, 4, or one.
fn curve() -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "{DEPTH} messages of {SIZE} bytes come in one read on each of {CONNECTIONS} connections and are answered in writes of 1, 4, 16 \
             or 64; µs of the server's CPU time a message, messages a second, and the cost against one write with TCP_NODELAY"
        ),
        &["messages a write", "TCP_NODELAY", "µs a message", "messages a second", "cost against 64 at once"],
    );
    let mut runs = Vec::new();
    for nodelay in ["1", "0"] {
        for flush in FLUSHES {
            let options = ["loop", &format!("flush={flush}"), &format!("nodelay={nodelay}")];
            let server = Server::start(&options, Place::FirstCore)?;
            let clients = server.clients(CONNECTIONS, DEPTH)?;
            runs.push((flush, nodelay, server, clients, Series::default(), Series::default()));
        }
    }
    for round in 0..=ROUNDS {
        for (_, _, server, clients, costs, rates) in &mut runs {
            let slice = server.slice(clients, SLICE)?;
            if round > 0 {
                costs.push(slice.cost);
                rates.push(slice.rate);
            }
        }
    }
    let best = runs[FLUSHES.len() - 1].4.clone();
    for (flush, nodelay, _, _, costs, rates) in &runs {
        table.row(vec![
            (*flush).to_owned(),
            if *nodelay == "1" { "on" } else { "off" }.to_owned(),
            costs.shown(3),
            thousands(rates.median()),
            costs.against(&best).spread(),
        ]);
    }
    Ok(table)
}

/// A group, where what is to be written waits for more.
fn delays() -> anyhow::Result<Table> {
    let mut table = Table::new(
        format!(
            "One publishes to a group of {MEMBERS} over TCP; a delivery may wait so long for more to the same member. µs of the server's \
             CPU time a delivery, against writing at once, and how long deliveries took from the time that was set for their message"
        ),
        &["published a second", "may wait, ms", "µs a delivery", "against at once", "p50, ms", "p99, ms"],
    );
    let mut servers = Vec::new();
    for delay in DELAYS {
        let server = Server::start(&["loop", "group=1", &format!("delay_us={delay}")], Place::FirstCore)?;
        let clients = Paced::connect(server.address, MEMBERS + 1, SIZE, true)?;
        servers.push((delay, server, clients));
    }
    for rate in RATES {
        let mut costs = vec![Series::default(); DELAYS.len()];
        let (mut middle, mut late) = (costs.clone(), costs.clone());
        for round in 0..=PACED_ROUNDS {
            for (at, (_, server, clients)) in servers.iter_mut().enumerate() {
                let before = Cpu::of(server.pid())?;
                let latencies = clients.run(rate, PACED)?;
                let cpu = Cpu::of(server.pid())? - before;
                if round > 0 {
                    costs[at].push(cpu.used.as_secs_f64() * 1e6 / latencies.count() as f64);
                    middle[at].push(latencies.quantile(0.5) / 1e3);
                    late[at].push(latencies.quantile(0.99) / 1e3);
                }
            }
        }
        for (at, (delay, ..)) in servers.iter().enumerate() {
            table.row(vec![
                thousands(rate),
                format!("{}", delay.parse::<f64>()? / 1e3),
                costs[at].shown(2),
                if at == 0 { "1".into() } else { costs[at].against(&costs[0]).spread() },
                middle[at].shown(2),
                late[at].shown(2),
            ]);
        }
    }
    Ok(table)
}

/// Messages that come alone, each soon after the one before: what Nagle's algorithm does to them.
fn lonely() -> anyhow::Result<Table> {
    let mut table = Table::new(
        "20 connections, 20,000 messages a second in all, each answered at once by itself: how long the answers took",
        &["TCP_NODELAY", "µs a message", "p50, µs", "p99, µs", "p99.9, µs"],
    );
    for nodelay in ["1", "0"] {
        let server = Server::start(&["loop", &format!("nodelay={nodelay}")], Place::FirstCore)?;
        let mut clients = Paced::connect(server.address, 20, SIZE, false)?;
        let (mut cost, mut quantiles) =
            (Series::default(), [0.5, 0.99, 0.999].map(|part| (part, Series::default())));
        for round in 0..=PACED_ROUNDS {
            let before = Cpu::of(server.pid())?;
            let latencies = clients.run(20_000.0, PACED)?;
            let cpu = Cpu::of(server.pid())? - before;
            if round > 0 {
                cost.push(cpu.used.as_secs_f64() * 1e6 / latencies.count() as f64);
                for (part, series) in &mut quantiles {
                    series.push(latencies.quantile(*part));
                }
            }
        }
        let mut row = vec![if nodelay == "1" { "on" } else { "off" }.to_owned(), cost.shown(2)];
        row.extend(quantiles.iter().map(|(_, series)| series.shown(0)));
        table.row(row);
    }
    Ok(table)
}
