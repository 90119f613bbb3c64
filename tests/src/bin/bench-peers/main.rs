//! The comparison with peers: each kind of work on Weir and on the peers, in turns, the gateway on the first core, the load on the
//! second.
//!
//! `bench-peers` measures and writes `docs/performance.json`, `docs/performance.md` and the charts beside it. `bench-peers page` writes
//! the page and the charts again from the figures that are there. `PAIRS`, `SLICE_MS`, `ONLY` (kinds of work) and `PEERS` make a quick
//! look of it; what is not measured anew stays as it was. `OUT` names another directory than `docs`.

mod arena;
mod calls;
mod crowd;
mod dialect;
mod echo;
mod fanout;
mod idle;
mod process;
mod proxies;
mod proxy;
mod reload;
mod results;
mod scripting;
mod servers;
mod service;
mod settings;
mod site;
mod spread;
mod usage;
mod weir;

use anyhow::{Context as _, Result};
use proxies::Services;
use results::Results;
use settings::Settings;
use std::path::PathBuf;
use std::time::Instant;
use weir_tests::artifact;

/// Names of this side.
pub(crate) const WEIR: &str = "Weir";
pub(crate) const WEIR_PLUGIN: &str = "Weir + plugin";

fn main() -> Result<()> {
    let out = std::env::var_os("OUT").map_or_else(|| artifact::root().join("docs"), PathBuf::from);
    let file = out.join("performance.json");
    let mut results = Results::read(&file).unwrap_or_default();
    if std::env::args().nth(1).as_deref() != Some("page") {
        measure(&mut results, &Settings::read(), &file)?;
    }
    Ok(())
}

fn measure(results: &mut Results, settings: &Settings, file: &std::path::Path) -> Result<()> {
    let begun = Instant::now();
    weir_tests::process::open_files(0);
    weir_tests::process::pin_self(process::LOAD);
    let bytes = service::start().context("a service")?;
    let other = service::start().context("a service")?;
    // The service of WebSocket behind the proxies.
    let web = servers::bun_on(process::LOAD, "bun-service");
    let services =
        Services { bytes, other, web: ([127, 0, 0, 1], web.as_ref().map_or(0, |(_, port)| *port)).into() };
    let works: [(&str, Box<dyn Fn() -> (results::Workload, Vec<results::Missing>) + '_>); 8] = [
        (echo::NAME, Box::new(|| echo::run(settings))),
        (fanout::NAME, Box::new(|| fanout::run(settings))),
        (idle::NAME, Box::new(|| idle::run(settings))),
        (proxy::BYTES_NAME, Box::new(|| proxy::bytes(settings, services))),
        (proxy::WEB_NAME, Box::new(|| proxy::web(settings, services))),
        (scripting::NAME, Box::new(|| scripting::run(settings, services))),
        (calls::NAME, Box::new(|| calls::run(settings))),
        (reload::NAME, Box::new(|| reload::run(settings, services))),
    ];
    for (name, work) in works {
        if settings.wants(name) {
            let at = Instant::now();
            let (workload, missing) = work();
            results.renew(workload, missing);
            println!("  ({name} took {:.0} s)", at.elapsed().as_secs_f64());
            // What is there is kept, whatever comes.
            results.write(file)?;
        }
    }
    results.pairs = settings.pairs;
    results.slice_ms = settings.slice.as_millis() as u64;
    results.minutes = begun.elapsed().as_secs_f64() / 60.0;
    results.write(file)
}
