//! The load benchmark: a gateway on one core, a load generator on the other, and the ratios that `docs/performance.md` holds.
//!
//! `bench [echo] [fanout] [idle]` runs what it names, or all. `BENCH_PAIRS` and `BENCH_MS` set how many interleaved slices there are and
//! how long each takes, `BENCH_CASE=100x64` picks one case of the echo, for a profiler; `WEIR_BIN` names another gateway.
//!
//! Absolute figures are those of one machine at one time. The ratios come from slices that alternate within one gateway process, so
//! that whatever else the machine does meets both sides alike.

mod echo;
mod fanout;
mod fleet;
mod idle;
mod process;
mod report;

use weir_tests::{Gateway, artifact};

/// What can be asked for.
const SECTIONS: [(&str, fn()); 3] = [("echo", echo::run), ("fanout", fanout::run), ("idle", idle::run)];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| SECTIONS.iter().all(|(section, _)| name != section)) {
        eprintln!("there is no section \"{unknown}\"; there are: echo, fanout, idle");
        std::process::exit(2);
    }
    println!("{}", report::machine());
    process::pin_self(1);
    for (name, run) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|asked| asked == name) {
            run();
        }
    }
}

/// A gateway with one worker, all of its threads on the first core, and the plugin that forwards everything.
fn gateway(listeners: &str) -> Gateway {
    let config = format!(
        "[runtime]\nworkers = 1\n[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [[plugin]]\nname = \"passthrough\"\nmodule = \"passthrough.wasm\"\n{listeners}"
    );
    let gateway = Gateway::start(&config, &[("passthrough.wasm", artifact::plugin("passthrough"))]);
    process::pin(gateway.pid(), 0);
    gateway
}

/// A positive number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).filter(|value| *value > 0).unwrap_or(default)
}
