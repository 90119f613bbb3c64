//! A million idle WebSocket sessions on one machine, both ends of them, with pings going.
//!
//! A process has as many descriptors as its limit says: so there are several gateways, each with a herd of its own. It stops by itself,
//! and before the machine's memory is used up.

use crate::idle::mebibytes;
use crate::remote::Remote;
use crate::report::heading;
use crate::setting;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use weir_tests::Gateway;
use weir_tests::process::{self, Cpu, Memory};

/// Unless `--sessions` says otherwise.
pub(crate) const SESSIONS: u64 = 1_000_000;
/// Descriptors of a process that are not sessions.
const OTHER_FILES: u64 = 500;
/// The most sessions of one gateway, whatever its limit is.
const MOST: u64 = 100_000;
/// How often each session is asked, in seconds, unless `MILLION_PING` says otherwise.
const PING: u64 = 120;
/// How long is measured at most, when all have been asked once.
const WINDOW: Duration = Duration::from_mins(1);
/// What the kernel counts buffers in.
const PAGE: u64 = 4096;
/// Never is less free, in bytes.
const RESERVE: u64 = 2 << 30;
/// Where the gateways listen, one port each: below what Linux gives to clients.
const FIRST_PORT: u16 = 20_000;
/// The whole takes no longer.
const LONGEST: Duration = Duration::from_mins(11);

struct Pair {
    gateway: Gateway,
    herd: Remote,
    empty: Memory,
}

pub(crate) fn run(sessions: u64) {
    let begun = Instant::now();
    let each = (process::open_files(1_000) - OTHER_FILES).min(MOST);
    let ping = setting("MILLION_PING", PING);
    heading(&format!("{sessions} idle WebSocket sessions, {each} of them a gateway, asked every {ping} s"));
    let before = Machine::now();
    let mut pairs: Vec<Pair> = Vec::new();
    let mut left = sessions;
    while left > 0 {
        let count = left.min(each);
        pairs.push(pair(pairs.len(), count, ping));
        left -= count;
        if pairs.len().is_multiple_of(10) || left == 0 {
            println!("  {:>9} sessions after {:>3.0} s", sessions - left, begun.elapsed().as_secs_f64());
        }
        let machine = Machine::now();
        if machine.available < RESERVE || begun.elapsed() > LONGEST {
            println!("  stopped at {}: {:.1} GiB are free", sessions - left, gibibytes(machine.available));
            break;
        }
    }
    let (reached, ramp) = (sessions - left, begun.elapsed());
    println!(
        "  all there after {:.0} s: {:.0} a second",
        ramp.as_secs_f64(),
        reached as f64 / ramp.as_secs_f64()
    );
    // Who came last is asked once.
    let rest = LONGEST.saturating_sub(begun.elapsed());
    std::thread::sleep(Duration::from_secs(ping).min(rest));
    for pair in &mut pairs {
        // What was measured while they came does not count.
        pair.herd.ask("report");
    }
    let (cpu, own, sent, time) = (
        total(&pairs, gateway_cpu),
        total(&pairs, herd_cpu),
        pings(&pairs, "heartbeats_sent"),
        Instant::now(),
    );
    std::thread::sleep(WINDOW.min(Duration::from_secs(ping)));
    let time = time.elapsed().as_secs_f64();
    let (cpu, own, asked) = (
        total(&pairs, gateway_cpu) - cpu,
        total(&pairs, herd_cpu) - own,
        pings(&pairs, "heartbeats_sent") - sent,
    );
    let reports: Vec<_> = pairs.iter_mut().map(|pair| pair.herd.ask("report")).collect();
    let after = Machine::now();

    let memory = |of: fn(&Memory) -> u64| -> [u64; 2] {
        let now: u64 = pairs.iter().map(|pair| of(&Memory::of(pair.gateway.pid()))).sum();
        [now, now.saturating_sub(pairs.iter().map(|pair| of(&pair.empty)).sum())]
    };
    let [resident, grown] = memory(|memory| memory.resident);
    let [proportional, _] = memory(|memory| memory.proportional);
    let open: u64 = reports.iter().map(|report| report.open).sum();
    let ended: u64 = reports.iter().map(|report| report.ended).sum();
    let counted: u64 = pairs.iter().map(|pair| pair.gateway.metrics().sum("sessions", &[])).sum();
    let per = |bytes: u64| bytes as f64 / reached as f64;
    println!(
        "  sessions: {open} by the clients' count, {counted} by the gateways'; {ended} were ended\n  \
         pings: {} sent, {} answered ({} by the clients' count), {} missed; in the last {time:.0} s {:.0} a second\n  \
         gateways: {} processes, {:.2} GiB resident ({:.2} proportional), {:.0} bytes a session above what they have empty\n  \
         kernel: {:.0} bytes of slab a session, {:.0} of buffers, both ends of it; {} TCP sockets\n  \
         machine: {:.2} GiB in use for all of it, clients too: {:.0} bytes a session; {:.1} GiB left\n  \
         CPU in the last {time:.0} s: gateways {:.1} % of a core ({:.1} µs a ping), clients {:.1} %\n  \
         pongs to {} probes of the clients: p50 {:.2} ms (mean of the herds), p99 of the slowest herd {:.2} ms, the longest {:.1} ms",
        pings(&pairs, "heartbeats_sent"),
        pings(&pairs, "heartbeats_answered"),
        reports.iter().map(|report| report.answered).sum::<u64>(),
        pings(&pairs, "heartbeats_missed"),
        asked as f64 / time,
        pairs.len(),
        gibibytes(resident),
        gibibytes(proportional),
        per(grown),
        per(after.slab.saturating_sub(before.slab)),
        per(after.buffers.saturating_sub(before.buffers)),
        after.sockets,
        gibibytes(before.available.saturating_sub(after.available)),
        per(before.available.saturating_sub(after.available)),
        gibibytes(after.available),
        cpu / time * 100.0,
        cpu * 1e6 / asked.max(1) as f64,
        own / time * 100.0,
        reports.iter().map(|report| report.pongs).sum::<u64>(),
        reports.iter().map(|report| report.half).sum::<u64>() as f64 / reports.len() as f64 / 1e3,
        reports.iter().map(|report| report.most).max().unwrap_or(0) as f64 / 1e3,
        reports.iter().map(|report| report.longest).max().unwrap_or(0) as f64 / 1e3,
    );
    println!(
        "  a gateway: {:.1} MiB empty, {:.1} MiB with its sessions",
        mebibytes(pairs[0].empty.resident),
        mebibytes(Memory::of(pairs[0].gateway.pid()).resident)
    );
    // The gateways first: a session that ends is a line in the log.
    let (gateways, herds): (Vec<_>, Vec<_>) = pairs.into_iter().map(|pair| (pair.gateway, pair.herd)).unzip();
    drop(gateways);
    drop(herds);
}

fn pair(number: usize, count: u64, ping: u64) -> Pair {
    // Clients, which all come from 127.0.0.1, use up the ports that the system would choose of. And they connect to several addresses:
    // the more ports are taken towards one, the longer does the system look for another.
    let (host, port) = (number + 2, FIRST_PORT + number as u16);
    let gateway = Gateway::start(
        &format!(
            "[runtime]\nworkers = 1\n[admin]\nbind = \"127.0.0.{host}:0\"\n[log]\nformat = \"json\"\n\
             [[listener]]\nname = \"idle\"\nbind = \"0.0.0.0:{port}\"\nprotocol = \"websocket\"\nroute = \"echo\"\nchain = []\n\
             [listener.limits]\naccept_rate = 100_000\nping_interval = \"{ping}s\"\nidle_timeout = \"{}s\"\n",
            ping * 3
        ),
        &[],
    );
    let empty = Memory::of(gateway.pid());
    let addresses: Vec<_> = (1..=8).map(|host| SocketAddr::from(([127, 0, 1, host], port))).collect();
    let mut herd = Remote::start(&addresses);
    let report = herd.ask(&format!("grow {count} 64"));
    assert_eq!(report.open, count);
    Pair { gateway, herd, empty }
}

fn pings(pairs: &[Pair], family: &str) -> u64 {
    pairs.iter().map(|pair| pair.gateway.metrics().sum(family, &[])).sum()
}

/// Seconds of a core.
fn total(pairs: &[Pair], of: fn(&Pair) -> Cpu) -> f64 {
    pairs.iter().map(|pair| of(pair).used.as_secs_f64()).sum()
}

fn gateway_cpu(pair: &Pair) -> Cpu {
    Cpu::of(pair.gateway.pid())
}

fn herd_cpu(pair: &Pair) -> Cpu {
    Cpu::of(pair.herd.pid())
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// What the kernel says of the whole machine, in bytes.
struct Machine {
    available: u64,
    slab: u64,
    /// Of TCP sockets.
    buffers: u64,
    sockets: u64,
}

impl Machine {
    fn now() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").expect("Linux");
        let kibibytes = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
        };
        let sockets = fs::read_to_string("/proc/net/sockstat").expect("Linux");
        let tcp = sockets.lines().find_map(|line| line.strip_prefix("TCP: ")).expect("a line");
        let of = |name: &str| {
            let mut words = tcp.split(' ').skip_while(|word| *word != name).skip(1);
            words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number")
        };
        Self {
            available: kibibytes("MemAvailable:"),
            slab: kibibytes("Slab:"),
            buffers: of("mem") * PAGE,
            sockets: of("inuse"),
        }
    }
}
