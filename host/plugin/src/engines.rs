//! The engines, one for each size of stack, and the thread that counts their epochs.
//!
//! Everything that an engine runs has its stack, and nothing narrower than an engine has one. The code that they compile is the same.

use crate::deadline::TICK;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};
use wasmtime::{Config, Engine, WasmBacktraceDetails};

/// By the size of the stack, in bytes.
type Made = Mutex<BTreeMap<usize, Engine>>;

/// See the module's documentation.
pub(crate) struct Engines {
    made: Arc<Made>,
    parallel: bool,
    /// Whether fuel ends calls, and no clock is looked at.
    fuelled: bool,
    ticker: Ticker,
}

/// It waits until there is something that epochs could stop: a gateway without plugins is not woken a thousand times a second.
struct Ticker {
    wanted: Arc<AtomicBool>,
    thread: Thread,
}

impl Engines {
    /// Starts the ticker. `parallel`: whether compiling takes several threads; `fuelled`: whether fuel ends calls, not time.
    pub(crate) fn new(parallel: bool, fuelled: bool) -> std::io::Result<Self> {
        let made = Arc::new(Made::default());
        let ticker = Ticker::start(Arc::downgrade(&made))?;
        Ok(Self { made, parallel, fuelled, ticker })
    }

    /// The engine whose calls have a stack of so many bytes.
    pub(crate) fn of(&self, stack: usize) -> wasmtime::Result<Engine> {
        let mut made = lock(&self.made);
        if let Some(engine) = made.get(&stack) {
            return Ok(engine.clone());
        }
        let engine = Engine::new(&config(stack, self.parallel, self.fuelled))?;
        made.insert(stack, engine.clone());
        Ok(engine)
    }

    /// Has epochs counted from now on: to be called before anything runs that they are to stop.
    pub(crate) fn count_epochs(&self) {
        let Ticker { wanted, thread } = &self.ticker;
        if !self.fuelled && !wanted.swap(true, Ordering::Release) {
            thread.unpark();
        }
    }
}

/// An engine's settings. Memories keep the default reservation of 4 GiB with guards, so that no access is checked; instances are
/// made on demand, because a pool saves microseconds on what happens once a reload, and would bound how many bindings there can be.
pub(crate) fn config(stack: usize, parallel: bool, fuelled: bool) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(!fuelled)
        .consume_fuel(fuelled)
        // Floats of one machine have other bits where they are no numbers than those of another.
        .cranelift_nan_canonicalization(fuelled)
        .max_wasm_stack(stack)
        .memory_init_cow(true)
        .parallel_compilation(parallel)
        // The same answers on every machine, so that a recording can be replayed elsewhere.
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

fn lock(made: &Made) -> MutexGuard<'_, BTreeMap<usize, Engine>> {
    made.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Epochs that are made up for at most: after a suspension there is nothing to catch up with.
const MAX_LATE: u32 = 100;
/// Before the workers, where that is allowed: what it does takes no time, and a loop runs on for as long as it waits.
const NICENESS: i32 = -10;
/// While nothing is wanted of it, the ticker looks so often whether the engines are gone.
const LOOK: Duration = Duration::from_secs(1);

impl Ticker {
    fn start(engines: Weak<Made>) -> std::io::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&wanted);
        let ticker = std::thread::Builder::new().name("weir-epoch".into()).spawn(move || {
            while !asked.load(Ordering::Acquire) {
                std::thread::park_timeout(LOOK);
                if engines.upgrade().is_none() {
                    return;
                }
            }
            tick(&engines);
        })?;
        Ok(Self { wanted, thread: ticker.thread().clone() })
    }
}

/// Counts epochs until the engines are gone. Those that came late are made up for: an epoch only has a call looked at, and what counts
/// then is what it used of the processor.
fn tick(engines: &Weak<Made>) {
    // Without the privilege it ticks like everything else.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut next = Instant::now() + TICK;
    loop {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        let due = epochs_due(now.saturating_duration_since(next).as_nanos());
        next = if due > MAX_LATE { now + TICK } else { next + TICK * due };
        let Some(made) = engines.upgrade() else { return };
        for engine in lock(&made).values() {
            (0..due.min(MAX_LATE)).for_each(|_| engine.increment_epoch());
        }
    }
}

/// Epochs that are over when the tick is so many nanoseconds late.
fn epochs_due(late: u128) -> u32 {
    u32::try_from(late / TICK.as_nanos()).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_epochs_are_made_up_for() {
        assert_eq!(epochs_due(0), 1);
        assert_eq!(epochs_due(999_999), 1);
        assert_eq!(epochs_due(5_000_000), 6);
        assert!(epochs_due(u128::MAX) > MAX_LATE);
    }
}
