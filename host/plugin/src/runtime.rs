//! The engine of the process and what hangs on it.

use crate::cache::{Cache, CacheError};
use crate::clock::Clock;
use crate::compile::Compiler;
use crate::deadline::TICK;
use crate::module::Modules;
use crate::options::RuntimeOptions;
use crate::refusal::Refusal;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};
use wasmtime::component::Component;
use wasmtime::{Config, Engine, EngineWeak, WasmBacktraceDetails};

/// The engine, its ticker and its cache of compiled modules. Cloning it costs a count; the ticker ends with the last clone.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    engine: Engine,
    options: RuntimeOptions,
    cache: Option<Cache>,
    compiler: Compiler,
    modules: Modules,
    clock: Clock,
    ticker: Ticker,
    compilations: AtomicU64,
}

/// The thread that counts epochs. It waits until there is something that they could stop: a gateway without plugins is not woken a
/// thousand times a second.
struct Ticker {
    wanted: Arc<AtomicBool>,
    thread: Thread,
}

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The cache directory.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The engine refused its settings, or this machine cannot run it.
    #[error("the plugin engine does not start: {0}")]
    Engine(String),
    /// No thread for the ticker.
    #[error("the plugin engine has no ticker: {0}")]
    Ticker(#[from] std::io::Error),
}

impl Runtime {
    /// Starts the engine and its ticker.
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        let cache = options.cache.as_deref().map(Cache::open).transpose()?;
        let engine =
            Engine::new(&config(&options)).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
        let ticker = Ticker::start(engine.weak())?;
        Ok(Self(Arc::new(Inner {
            engine,
            cache,
            compiler: Compiler::new(&options),
            modules: Modules::default(),
            clock: Clock::start(options.script.as_ref()),
            ticker,
            compilations: AtomicU64::new(0),
            options,
        })))
    }

    /// What it was made with.
    pub fn options(&self) -> &RuntimeOptions {
        &self.0.options
    }

    /// How many modules were compiled; not those that came from the cache or were in use already.
    pub fn compilations(&self) -> u64 {
        self.0.compilations.load(Ordering::Relaxed)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Has epochs counted from now on: to be called before anything runs that they are to stop.
    pub(crate) fn count_epochs(&self) {
        if self.0.options.script.is_some() {
            // Fuel stops it, and no clock is looked at.
            return;
        }
        let Ticker { wanted, thread } = &self.0.ticker;
        if !wanted.swap(true, Ordering::Release) {
            thread.unpark();
        }
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    pub(crate) fn modules(&self) -> &Modules {
        &self.0.modules
    }

    pub(crate) fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    pub(crate) fn compile(&self, component: Vec<u8>) -> Result<Component, Refusal> {
        self.0.compilations.fetch_add(1, Ordering::Relaxed);
        self.0.compiler.compile(&self.0.engine, component)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("options", &self.0.options).finish_non_exhaustive()
    }
}

/// The engine's settings. Memories keep the default reservation of 4 GiB with guards, so that no access is checked; instances are
/// made on demand, because a pool saves microseconds on what happens once a reload, and would bound how many bindings there can be.
fn config(options: &RuntimeOptions) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(options.script.is_none())
        .consume_fuel(options.script.is_some())
        // Floats of one machine have other bits where they are no numbers than those of another.
        .cranelift_nan_canonicalization(options.script.is_some())
        .max_wasm_stack(options.stack)
        .memory_init_cow(true)
        .parallel_compilation(options.compile_threads > 1)
        // The same answers on every machine, so that a recording can be replayed elsewhere.
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// Epochs that are made up for at most: after a suspension there is nothing to catch up with.
const MAX_LATE: u32 = 100;
/// Before the workers, where that is allowed: what it does takes no time, and a loop runs on for as long as it waits.
const NICENESS: i32 = -10;
/// While nothing is wanted of it, the ticker looks so often whether the engine is gone.
const LOOK: Duration = Duration::from_secs(1);

impl Ticker {
    fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&wanted);
        let ticker = std::thread::Builder::new().name("weir-epoch".into()).spawn(move || {
            while !asked.load(Ordering::Acquire) {
                std::thread::park_timeout(LOOK);
                if engine.upgrade().is_none() {
                    return;
                }
            }
            tick(&engine);
        })?;
        Ok(Self { wanted, thread: ticker.thread().clone() })
    }
}

/// Counts epochs until the engine is gone. Those that came late are made up for: an epoch only has a call looked at, and what counts
/// then is what it used of the processor.
fn tick(engine: &EngineWeak) {
    // Without the privilege it ticks like everything else.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut next = Instant::now() + TICK;
    loop {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        let due = epochs_due(now.saturating_duration_since(next).as_nanos());
        next = if due > MAX_LATE { now + TICK } else { next + TICK * due };
        let Some(engine) = engine.upgrade() else { return };
        for _ in 0..due.min(MAX_LATE) {
            engine.increment_epoch();
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
