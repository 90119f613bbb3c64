//! Ten thousand clients, one heartbeat a second each: what the gateway spends on it, and whether it stays as it was.

use crate::herd::Herd;
use crate::latency::Latency;
use crate::process::{self, Cpu, Memory};
use crate::{Gateway, Metrics};
use std::fmt;
use std::time::{Duration, Instant};

/// How many there are.
pub const CLIENTS: usize = 10_000;
/// How often each asks.
const EVERY: Duration = Duration::from_secs(1);
/// Before memory is looked at: whatever is allocated at first is there.
const WARM_UP: Duration = Duration::from_secs(10);
/// Memory is looked at so often.
const LOOK: Duration = Duration::from_secs(5);

/// What was seen.
#[derive(Debug)]
pub struct Outcome {
    /// Pings of the clients, and the pongs to them.
    pub asked: u64,
    /// See [`asked`](Self::asked).
    pub pongs: u64,
    /// Pings that were not sent, because the one before was not answered in its second.
    pub late: u64,
    /// Pings of the gateway that clients answered.
    pub answered: u64,
    /// Sessions that were there at the end.
    pub open: usize,
    /// Resident memory of the gateway after the clients came and had been heard for a while, at most, and at the end, in bytes.
    pub memory: [u64; 3],
    /// From a ping to its pong.
    pub latency: Latency,
    /// The gateway's part of a core, of 1.
    pub cpu: f64,
    /// How long it was, the warm-up apart.
    pub time: Duration,
    /// The gateway's counters at the end.
    pub metrics: Metrics,
}

/// Has the heartbeats going for so long.
pub fn run(time: Duration) -> Outcome {
    process::open_files(CLIENTS as u64 + 200);
    let gateway = Gateway::start(
        "[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [[listener]]\nname = \"ws\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\nchain = []\n",
        &[],
    );
    let mut herd = Herd::new(vec![gateway.address("ws")]);
    herd.grow(CLIENTS, 64);
    herd.beat(EVERY, WARM_UP);
    herd.forget();
    let (begun, cpu) = (Instant::now(), Cpu::of(gateway.pid()));
    let resident = || Memory::of(gateway.pid()).resident;
    let before = resident();
    let mut most = before;
    while begun.elapsed() < time {
        herd.beat(EVERY, LOOK.min(time.saturating_sub(begun.elapsed())));
        most = most.max(resident());
    }
    let (elapsed, cpu) = (begun.elapsed(), Cpu::of(gateway.pid()) - cpu);
    Outcome {
        asked: herd.tally.asked,
        pongs: herd.tally.pongs,
        late: herd.tally.late,
        answered: herd.tally.answered,
        open: herd.tally.open,
        memory: [before, most, resident()],
        latency: herd.forget(),
        cpu: cpu.used.as_secs_f64() / elapsed.as_secs_f64(),
        time: elapsed,
        metrics: gateway.metrics(),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |part| self.latency.quantile(part).as_secs_f64() * 1e3;
        let [before, most, after] = self.memory.map(|bytes| bytes as f64 / f64::from(1 << 20));
        write!(
            f,
            "  {} sessions for {:.0} s: {} pings sent, {} answered, {} left out for the one before was late; {} of the gateway's answered\n  \
             CPU of the gateway: {:.1} % of a core, {:.1} µs a heartbeat\n  \
             memory: {before:.1} MiB after they came, {most:.1} MiB at most, {after:.1} MiB at the end\n  \
             ping to pong: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, the longest {:.1} ms",
            self.open,
            self.time.as_secs_f64(),
            self.asked,
            self.pongs,
            self.late,
            self.answered,
            self.cpu * 100.0,
            self.cpu * self.time.as_secs_f64() * 1e6 / self.latency.count().max(1) as f64,
            milliseconds(0.5),
            milliseconds(0.99),
            milliseconds(0.999),
            self.latency.longest().as_secs_f64() * 1e3,
        )
    }
}
