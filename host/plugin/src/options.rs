//! What the runtime as a whole may use.

use crate::script::Script;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Settings of the one runtime of a process.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// A private directory for compiled modules: made with mode 0700, and refused when somebody else owns it or may write to it,
    /// because what lies there is run as native code. `None`: nothing is kept.
    pub cache: Option<PathBuf>,
    /// Where files are read and compiled.
    pub compile_in: CompileIn,
    /// The largest file that is looked at, in bytes.
    pub max_module: usize,
    /// How long one compilation may take before it is given up, in time that passes.
    pub compile_time: Duration,
    /// How much memory one may take, in bytes, of [`CompileIn::Process`]; its result is not longer either.
    pub compile_memory: usize,
    /// Threads of one compilation; they run at a lower priority than the workers.
    pub compile_threads: usize,
    /// How many workers make instances: counters are kept for each.
    pub workers: usize,
    /// What plugins are told of time and chance, and that fuel ends their calls; `None`: the machine's clocks do, and its generator is
    /// asked.
    pub script: Option<Arc<Script>>,
}

/// Where what strangers wrote is read and compiled.
#[derive(Clone, Debug)]
pub enum CompileIn {
    /// In a process of its own, which has limits and can be killed: the program and its first arguments, with which it calls
    /// [`compile_process`](crate::compile_process).
    Process(PathBuf, Vec<OsString>),
    /// In this one, where nothing bounds the memory that it takes, and what takes too long goes on in the background. For tests of
    /// this crate and tools that compile what is their own.
    InProcess,
}

impl Default for RuntimeOptions {
    /// Without a cache, and in process.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cache: None,
            compile_in: CompileIn::InProcess,
            max_module: 32 << 20,
            compile_time: Duration::from_mins(1),
            compile_memory: 512 << 20,
            compile_threads: cores.div_ceil(2),
            workers: 1,
            script: None,
        }
    }
}
