//! Medians, and how they are printed.

use std::fs;
use std::io::Write as _;
use std::process::Command;

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "a median of something");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// The lowest and the highest.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

/// What this ran on.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc =
        rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!(
        "{model}, {cores} cores, Linux {}, {rustc}, load average before: {}",
        kernel.trim().split('-').next().unwrap_or_default(),
        load.split(' ').next().unwrap_or_default()
    )
}

/// The heading of a section.
pub(crate) fn heading(title: &str) {
    println!("\n{title}");
}

/// Keeps a figure, by its name, in the file that `BENCH_FIGURES` names; for the page that is made of them.
pub(crate) fn keep(name: &str, value: f64) {
    let Some(file) = std::env::var_os("BENCH_FIGURES") else { return };
    let written = fs::File::options()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| writeln!(file, "{name}\t{value}"));
    if let Err(error) = written {
        eprintln!("{}: {error}", file.display());
    }
}

/// Whether a figure reaches its bar.
pub(crate) fn light(reached: bool) -> &'static str {
    if reached { "green" } else { "RED" }
}
