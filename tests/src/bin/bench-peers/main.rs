//! The comparison with peers: each kind of work on Weir and on the peers, in turns, the gateway on the first core, the load on the
//! second.
//!
//! `bench-peers` measures and writes `docs/performance.json`, `docs/performance.md` and the charts beside it. `bench-peers page` writes
//! the page and the charts again from the figures that are there. `PAIRS`, `SLICE_MS`, `ONLY` (kinds of work) and `PEERS` make a quick
//! look of it; what is not measured anew stays as it was, and the page says when that was. `OUT` names another directory than `docs`.

mod alone;
mod arena;
mod bars;
mod calls;
mod chart;
mod crowd;
mod dialect;
mod echo;
mod fanout;
mod generator;
mod idle;
mod latency;
mod page;
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
mod systems;
mod tables;
mod talk;
mod usage;
mod versions;
mod weir;
mod works;

use anyhow::{Context as _, Result};
use proxies::Services;
use results::{Missing, Results, Run, Workload};
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
    let mut results = if file.exists() { Results::read(&file)? } else { Results::default() };
    if std::env::args().nth(1).as_deref() != Some("page") {
        measure(&mut results, &Settings::read()?, &file)?;
    }
    page::write(&results, &out)?;
    println!("\n{}, {}", out.join("performance.md").display(), file.display());
    for bar in bars::all(&results) {
        let light = bar.green.map_or("–", |green| if green { "green" } else { "RED" });
        println!("  {light:>5}  {}: {} (bar: {})", bar.what, bar.measured, bar.limit);
    }
    Ok(())
}

/// A kind of work, by its name; it may build on what was found before it.
type Work<'a> = (&'static str, Box<dyn Fn(&Results) -> (Workload, Vec<Missing>) + 'a>);

fn measure(results: &mut Results, settings: &Settings, file: &std::path::Path) -> Result<()> {
    let begun = Instant::now();
    weir_tests::process::open_files(0);
    weir_tests::process::pin_self(process::LOAD);
    let bytes = service::start().context("a service")?;
    let other = service::start().context("a service")?;
    // The service of WebSocket behind the proxies.
    let web = servers::bun_on(process::LOAD, "bun-service");
    if let Err(error) = &web {
        println!("there is no WebSocket behind the proxies: {error:#}");
    }
    let services =
        Services { bytes, other, web: ([127, 0, 0, 1], web.as_ref().map_or(0, |(_, port)| *port)).into() };
    results.machine = machine();
    results.run = Run {
        date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        pairs: settings.pairs,
        slice_ms: settings.slice.as_millis() as u64,
    };
    results.versions = versions::all();
    println!("{}", results.machine);
    for (system, version) in &results.versions {
        println!("  {system}: {version}");
    }
    let works: [Work<'_>; 9] = [
        (echo::NAME, Box::new(|_| echo::run(settings))),
        (latency::NAME, Box::new(|results| latency::run(settings, results))),
        (fanout::NAME, Box::new(|_| fanout::run(settings))),
        (proxy::BYTES_NAME, Box::new(|_| proxy::bytes(settings, services))),
        (proxy::WEB_NAME, Box::new(|_| proxy::web(settings, services))),
        (scripting::NAME, Box::new(|_| scripting::run(settings, services))),
        (idle::NAME, Box::new(|_| idle::run(settings))),
        (calls::NAME, Box::new(|_| calls::run(settings))),
        (reload::NAME, Box::new(|_| reload::run(settings, services))),
    ];
    for (name, work) in works {
        if settings.wants(name) {
            let begun = Instant::now();
            let (workload, missing) = work(results);
            results.renew(workload, missing);
            println!("  ({name} took {:.0} s)", begun.elapsed().as_secs_f64());
            // What is there is kept, whatever comes.
            results.write(file)?;
        }
    }
    alone::run(results, settings);
    results.minutes = begun.elapsed().as_secs_f64() / 60.0;
    results.write(file)
}

/// What this ran on.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}, {cores} cores, Linux {}, {}, load average before: {}",
        model.map_or("an unknown processor", |(_, model)| model.trim()),
        kernel.trim().split('-').next().unwrap_or_default(),
        said("rustc", &["--version"]),
        load.split(' ').next().unwrap_or_default()
    )
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
