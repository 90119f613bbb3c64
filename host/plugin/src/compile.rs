//! Compilation within bounds: of time, of threads, and below the workers' priority.

use crate::options::RuntimeOptions;
use crate::refusal::Refusal;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compilations that were given up and still run: with so many, no other is begun. The engine cannot be interrupted.
const MAX_ABANDONED: usize = 2;
/// Lower than the workers: compiling takes what they leave.
const NICENESS: i32 = 10;

#[derive(Debug)]
pub(crate) struct Compiler {
    time: Duration,
    threads: usize,
    /// Those that were given up; each is alive for as long as it runs.
    abandoned: Mutex<Vec<Weak<()>>>,
}

impl Compiler {
    pub(crate) fn new(options: &RuntimeOptions) -> Self {
        Self {
            time: options.compile_time,
            threads: options.compile_threads.max(1),
            abandoned: Mutex::default(),
        }
    }

    /// Compiles on a pool of its own, which ends with it, and waits for at most the limit.
    pub(crate) fn compile(&self, engine: &Engine, component: Vec<u8>) -> Result<Component, Refusal> {
        let abandoned = {
            let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
            abandoned.retain(|running| running.strong_count() > 0);
            abandoned.len()
        };
        if abandoned >= MAX_ABANDONED {
            return Err(Refusal::CompilerBusy(abandoned));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .thread_name(|_| "weir-compile".into())
            .start_handler(|_| {
                // Best effort: without it compiling only competes harder.
                let _ = rustix::process::setpriority_process(None, NICENESS);
            })
            // Without this a panic of the compiler would end the process; so it closes the channel, and the hook has told of it.
            .panic_handler(|_| {})
            .build()
            .map_err(|error| Refusal::Compile(format!("no thread to compile on: {error}")))?;
        let (done, result) = mpsc::sync_channel(1);
        let engine = engine.clone();
        let running = Arc::new(());
        let watched = Arc::downgrade(&running);
        pool.spawn(move || {
            // Where nobody waits any more, the result is dropped with the channel.
            let _ = done.send(Component::new(&engine, &component));
            drop(running);
        });
        match result.recv_timeout(self.time) {
            Ok(compiled) => compiled.map_err(|error| Refusal::Compile(format!("{error:#}"))),
            Err(RecvTimeoutError::Timeout) => {
                self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
                Err(Refusal::CompileTimeout(self.time))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Refusal::Compile("the compiler panicked".into())),
        }
    }
}
