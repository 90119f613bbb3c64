//! What is left: memory, descriptors, and what the log says.

use std::time::Duration;
use weir_tests::process::Memory;
use weir_tests::{Gateway, wait_for};

/// How often memory is read.
const EVERY: Duration = Duration::from_secs(2);
/// The part of the time after which what is kept for ever is there.
const WARM: f64 = 0.25;
/// What is compared: the middle one of so many parts of the readings at each end of the rest.
const PART: usize = 4;
/// The most that memory may grow from the one to the other, in percent.
const GROWTH: f64 = 10.0;
/// Shorter runs say nothing of memory.
const LEAST: Duration = Duration::from_secs(590);

/// A look at the process.
#[derive(Debug)]
pub(crate) struct Watch {
    pid: u32,
    descriptors: usize,
}

impl Watch {
    /// Before the first client.
    pub(crate) fn start(gateway: &Gateway) -> Self {
        // The admin server has been asked once.
        drop(gateway.metrics());
        let pid = gateway.pid();
        let mut before = 0;
        wait_for("it stands still", || std::mem::replace(&mut before, descriptors(pid)) == before);
        Self { pid, descriptors: before }
    }

    /// Waits until there are as many descriptors as in the beginning, and one for each client that is there (TCP has one, of those over
    /// UDP all share one).
    pub(crate) fn descriptors_are_back(&self, clients: usize) {
        let most = self.descriptors + clients;
        wait_for("descriptors as many as in the beginning", || descriptors(self.pid) <= most);
    }
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Memory over time, in bytes that no file is behind.
#[derive(Debug, Default)]
pub(crate) struct Readings(Vec<(Duration, u64)>);

impl Readings {
    pub(crate) fn look(&mut self, watch: &Watch, at: Duration) {
        if self.0.last().is_none_or(|(last, _)| at >= *last + EVERY) {
            self.0.push((at, Memory::of(watch.pid).anonymous));
        }
    }

    /// The middle readings after the beginning and at the end.
    fn ends(&self) -> Option<(u64, u64)> {
        let warm = &self.0[(self.0.len() as f64 * WARM) as usize..];
        let part = warm.len() / PART;
        (part > 0).then(|| (median(&warm[..part]), median(&warm[warm.len() - part..])))
    }

    pub(crate) fn figures(&self) -> String {
        let most = self.0.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
        let Some((first, last)) = self.ends() else { return "too short for a look at memory".into() };
        format!(
            "memory {:.1} MiB after the first quarter, {:.1} MiB at the end ({:+.1} %), {:.1} MiB at most, of {} readings",
            mib(first),
            mib(last),
            (last as f64 / first as f64 - 1.0) * 100.0,
            mib(most),
            self.0.len()
        )
    }

    /// Panics if it has grown.
    pub(crate) fn assert_flat(&self) {
        let long = self.0.last().is_some_and(|(at, _)| *at >= LEAST);
        let Some((first, last)) = self.ends().filter(|_| long) else {
            println!("soak: too short to judge memory by");
            return;
        };
        let grown = (last as f64 / first as f64 - 1.0) * 100.0;
        assert!(grown <= GROWTH, "memory has grown by {grown:.1} %");
    }
}

fn median(readings: &[(Duration, u64)]) -> u64 {
    let mut bytes: Vec<u64> = readings.iter().map(|(_, bytes)| *bytes).collect();
    bytes.sort_unstable();
    bytes[bytes.len() / 2]
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// No thread, no process that compiles, and nothing else but the plugin that does it on purpose, whose own words these are.
pub(crate) fn nothing_panicked(gateway: &Gateway) {
    for line in gateway.log().into_iter().filter(|line| line["target"] != "weir::plugin") {
        let text = line.to_string();
        assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
        // Nonsense is refused, and a version that fails more than the one before is taken back: errors of whoever put them there.
        let message = line["message"].as_str().unwrap_or_default();
        let theirs = ["plugin refused", "plugin taken back"].iter().any(|words| message.starts_with(words));
        assert!(theirs || line["level"] != "ERROR", "{text}");
    }
}
