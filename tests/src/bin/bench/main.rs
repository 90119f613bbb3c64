//! The load benchmark: a gateway on one core, a load generator on the other, and the ratios that `docs/performance.md` holds.
//!
//! `bench [echo] [fanout] [idle] [cost]` runs what it names, or all of these. What takes longer, or most of the machine, is run by its
//! name alone: `storm`, `heartbeats` (for `HEARTBEAT_SECONDS`), `million [--sessions N]`.
//!
//! `BENCH_PAIRS` and `BENCH_MS` set how many interleaved slices there are and how long each takes, `BENCH_CASE=100x64` picks one case of
//! the echo, for a profiler (`BENCH_CASE=QUIC` one of the idle sessions); `WEIR_BIN` names another gateway.
//!
//! Absolute figures are those of one machine at one time. The ratios come from slices that alternate within one gateway process, so
//! that whatever else the machine does meets both sides alike.

mod cost;
mod crowd;
mod echo;
mod fanout;
mod fleet;
mod idle;
mod million;
mod remote;
mod report;
mod storm;

use std::path::Path;
use weir_tests::{Gateway, artifact, heartbeats, process};

/// What can be asked for; whether it is run when nothing is.
const SECTIONS: [(&str, bool, fn()); 7] = [
    ("echo", true, echo::run),
    ("fanout", true, fanout::run),
    ("idle", true, idle::run),
    ("cost", true, cost::run),
    ("storm", false, storm::run),
    ("heartbeats", false, beat),
    ("million", false, million),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((remote::ROLE, addresses)) =
        arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        return remote::serve(addresses);
    }
    let wanted: Vec<&String> = arguments.iter().take_while(|argument| *argument != SESSIONS).collect();
    if let Some(unknown) =
        wanted.iter().find(|name| SECTIONS.iter().all(|(section, ..)| name.as_str() != *section))
    {
        let known: Vec<_> = SECTIONS.iter().map(|(section, ..)| *section).collect();
        eprintln!("there is no section \"{unknown}\"; there are: {}", known.join(", "));
        std::process::exit(2);
    }
    println!("{}", report::machine());
    process::open_files(0);
    for (name, usual, run) in SECTIONS {
        if wanted.iter().any(|asked| asked.as_str() == name) || (wanted.is_empty() && usual) {
            run();
        }
    }
}

/// How many sessions the million has.
const SESSIONS: &str = "--sessions";

fn million() {
    let mut arguments = std::env::args().skip_while(|argument| argument != SESSIONS);
    let sessions = match arguments.next() {
        Some(_) => positive(SESSIONS, &arguments.next().unwrap_or_default()),
        None => million::SESSIONS,
    };
    million::run(sessions);
}

fn beat() {
    let seconds = setting("HEARTBEAT_SECONDS", 1_800);
    report::heading(&format!(
        "Heartbeats: {} WebSocket clients, one each a second, for {seconds} s",
        heartbeats::CLIENTS
    ));
    println!("{}", heartbeats::run(std::time::Duration::from_secs(seconds)));
}

/// A gateway with one worker, all of its threads on the first core, and the plugin that forwards everything.
fn gateway(listeners: &str) -> Gateway {
    gateway_in(listeners, |_| {})
}

/// The same in a directory with more in it. This process stands on the other core from then on.
fn gateway_in(listeners: &str, put: impl FnOnce(&Path)) -> Gateway {
    let config = format!(
        "[runtime]\nworkers = 1\n[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [[plugin]]\nname = \"passthrough\"\nmodule = \"passthrough.wasm\"\n{listeners}"
    );
    let plugins = [("passthrough.wasm", artifact::plugin("passthrough"))];
    let gateway = Gateway::prepare(&config, &plugins).with(put).start();
    process::pin(gateway.pid(), 0);
    process::pin_self(1);
    gateway
}

/// A positive number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| positive(name, &text))
}

/// What is no number ends the run: figures of other settings than those that were asked for help nobody.
fn positive(name: &str, text: &str) -> u64 {
    text.parse().ok().filter(|value| *value > 0).unwrap_or_else(|| {
        eprintln!("{name}: {text:?} is no number above 0");
        std::process::exit(2);
    })
}
