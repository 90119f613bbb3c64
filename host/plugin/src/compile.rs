//! Reading and compiling within bounds: of time, memory and threads, and below the workers' priority.

use crate::artifact::{Artifact, Facts};
use crate::helper::{Bounds, Helper, Job};
use crate::options::{CompileIn, RuntimeOptions};
use crate::refusal::Refusal;
use crate::schema;
use serde_json::Value;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;
use wasmtime::Engine;

/// Compilations in this process that were given up and still run: with so many, no other is begun. The engine cannot be interrupted.
const MAX_ABANDONED: usize = 2;
/// Lower than the workers: compiling takes what they leave.
const NICENESS: i32 = 10;
/// Processor time of checking a config. A schema can be made that takes for ever, in a few lines.
const SCHEMA_TIME: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Compiler {
    place: CompileIn,
    time: Duration,
    memory: usize,
    threads: usize,
    most: usize,
    /// Those that were given up; each is alive for as long as it runs.
    abandoned: Mutex<Vec<Weak<()>>>,
}

impl Compiler {
    pub(crate) fn new(options: &RuntimeOptions) -> Self {
        Self {
            place: options.compile_in.clone(),
            time: options.compile_time,
            memory: options.compile_memory,
            threads: options.compile_threads.max(1),
            most: options.max_module,
            abandoned: Mutex::default(),
        }
    }

    /// Reads a file and compiles it. `check` sees what the file wants before it is compiled; `begun` is called when it did not mind.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        file: &[u8],
        check: impl FnOnce(&Facts) -> Result<(), Refusal>,
        begun: impl FnOnce(),
    ) -> Result<(Facts, Vec<u8>), Refusal> {
        let Some(mut helper) = self.helper(Job::Compile, || file.to_vec())? else {
            let Artifact { facts, component } = Artifact::read(file, self.most)?;
            check(&facts)?;
            begun();
            return Ok((facts, self.compile_here(engine, component)?));
        };
        let broken =
            |error: serde_json::Error| Refusal::CompilerDied(format!("its facts cannot be read: {error}"));
        let facts: Facts = serde_json::from_slice(&helper.answer()?).map_err(broken)?;
        // What names the file is not believed.
        let facts = facts.of_file(file);
        check(&facts)?;
        begun();
        Ok((facts, helper.answer()?))
    }

    /// The config as the plugin gets it, if its schema allows it.
    pub(crate) fn check_config(&self, schema: &str, config: &Value) -> Result<String, Refusal> {
        if schema.trim().is_empty() {
            return schema::check(schema, config);
        }
        match self.helper(Job::Check, || {
            Value::from(vec![Value::from(schema), config.clone()]).to_string().into()
        })? {
            None => schema::check(schema, config),
            Some(mut helper) => {
                let checked = String::from_utf8(helper.answer()?);
                checked.map_err(|error| Refusal::CompilerDied(error.to_string()))
            }
        }
    }

    /// A process for a job; `None`: it is done here.
    fn helper(&self, job: Job, input: impl FnOnce() -> Vec<u8>) -> Result<Option<Helper>, Refusal> {
        let CompileIn::Process(program, arguments) = &self.place else { return Ok(None) };
        let processor = match job {
            // Whoever compiles on several threads uses as much more of the processors. A second at least: that is the kernel's grain.
            Job::Compile => self.time * self.threads as u32 + Duration::from_secs(1),
            Job::Check => SCHEMA_TIME,
        };
        let bounds = Bounds { time: self.time, processor, memory: self.memory, threads: self.threads };
        Helper::start(program, arguments, job, bounds, input())
            .map(Some)
            .map_err(|error| Refusal::NoCompiler(error.to_string()))
    }

    /// Compiles on a pool of its own, which ends with it, and waits for at most the limit.
    fn compile_here(&self, engine: &Engine, component: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let abandoned = {
            let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
            abandoned.retain(|running| running.strong_count() > 0);
            abandoned.len()
        };
        if abandoned >= MAX_ABANDONED {
            return Err(Refusal::CompilerBusy(abandoned));
        }
        let pool = pool(self.threads).map_err(|error| Refusal::NoCompiler(error.to_string()))?;
        let (done, result) = mpsc::sync_channel(1);
        let engine = engine.clone();
        let running = Arc::new(());
        let watched = Arc::downgrade(&running);
        pool.spawn(move || {
            // Where nobody waits any more, the result is dropped with the channel.
            let _ = done.send(engine.precompile_component(&component));
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

/// Runs a compilation with so many threads and waits for it.
pub(crate) fn pooled<R: Send>(
    threads: usize,
    run: impl FnOnce() -> R + Send,
) -> Result<R, rayon::ThreadPoolBuildError> {
    Ok(pool(threads)?.install(run))
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|_| "weir-compile".into())
        .start_handler(|_| {
            // Best effort: without it compiling only competes harder.
            let _ = rustix::process::setpriority_process(None, NICENESS);
        })
        // Without this a panic of the compiler would end the process; so it closes the channel, and the hook has told of it.
        .panic_handler(|_| {})
        .build()
}
