//! Compilation within bounds: of time, of threads, and below the workers' priority.

use crate::options::RuntimeOptions;
use crate::refusal::Refusal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compilations that were given up and may still run. The engine cannot be interrupted inside the process.
const MAX_ABANDONED: usize = 2;
/// Lower than the workers: compiling takes what they leave.
const NICENESS: i32 = 10;

#[derive(Debug)]
pub(crate) struct Compiler {
    time: Duration,
    threads: usize,
    running: Arc<AtomicUsize>,
}

/// Counts a compilation for as long as it runs.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Compiler {
    pub(crate) fn new(options: &RuntimeOptions) -> Self {
        Self {
            time: options.compile_time,
            threads: options.compile_threads.max(1),
            running: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Compiles on a pool of its own, which ends with it, and waits for at most the limit.
    pub(crate) fn compile(&self, engine: &Engine, component: Vec<u8>) -> Result<Component, Refusal> {
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(self.running.clone());
        if before >= MAX_ABANDONED {
            return Err(Refusal::CompilerBusy(before));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|_| "weir-compile".into())
            .start_handler(|_| {
                // Best effort: without it compiling only competes harder.
                let _ = rustix::process::setpriority_process(None, NICENESS);
            })
            .build()
            .map_err(|error| Refusal::Compile(format!("no thread to compile on: {error}")))?;
        let (done, result) = mpsc::sync_channel(1);
        let engine = engine.clone();
        pool.spawn(move || {
            let compiled = Component::new(&engine, &component);
            drop(running);
            // Nobody waits any more: the result is dropped with the channel.
            let _ = done.send(compiled);
        });
        match result.recv_timeout(self.time) {
            Ok(compiled) => compiled.map_err(|error| Refusal::Compile(format!("{error:#}"))),
            Err(RecvTimeoutError::Timeout) => Err(Refusal::CompileTimeout(self.time)),
            Err(RecvTimeoutError::Disconnected) => Err(Refusal::Compile("the compiler panicked".into())),
        }
    }
}
