//! What the runtime as a whole may use.

use crate::script::Script;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Settings of the one engine of a process.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// A private directory for compiled modules: made with mode 0700, and refused when somebody else owns it or may write to it,
    /// because what lies there is run as native code. `None`: nothing is kept.
    pub cache: Option<PathBuf>,
    /// The largest file that is looked at, in bytes.
    pub max_module: usize,
    /// How long one compilation may take before it is given up, in time that passes.
    pub compile_time: Duration,
    /// Threads of one compilation; they run at a lower priority than the workers.
    pub compile_threads: usize,
    /// How many workers make instances: counters are kept for each.
    pub workers: usize,
    /// The native stack of a call, in bytes. The calling thread needs at least twice as much.
    pub stack: usize,
    /// The most bytes that the key-value store of one binding holds.
    pub kv_bytes: usize,
    /// The most keys that it holds.
    pub kv_keys: usize,
    /// What plugins are told of time and chance, and that fuel ends their calls; `None`: the machine's clocks do, and its generator is
    /// asked.
    pub script: Option<Arc<Script>>,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cache: None,
            max_module: 32 << 20,
            compile_time: Duration::from_mins(1),
            compile_threads: cores.div_ceil(2),
            workers: 1,
            stack: 512 << 10,
            kv_bytes: 64 << 20,
            kv_keys: 1_000_000,
            script: None,
        }
    }
}
