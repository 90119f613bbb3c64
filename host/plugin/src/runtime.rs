//! The engine of the process and what hangs on it.

use crate::cache::{Cache, CacheError};
use crate::clock::Clock;
use crate::compile::Compiler;
use crate::engines::Engines;
use crate::module::Modules;
use crate::offload::Unfinished;
use crate::options::RuntimeOptions;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The engine, its ticker and its cache of compiled modules. Cloning it costs a count; the ticker ends with the last clone.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    engines: Engines,
    options: RuntimeOptions,
    cache: Option<Cache>,
    compiler: Compiler,
    modules: Modules,
    clock: Clock,
    compilations: AtomicU64,
    /// Calls on threads of plugins that were asked for and are not answered.
    unfinished: Arc<Unfinished>,
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
        let engines = Engines::new(options.compile_threads > 1, options.script.is_some())?;
        // What cannot be made at all is noticed now, not with the first plugin.
        let stack = crate::limits::PluginLimits::default().stack_size();
        engines.of(stack).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
        Ok(Self(Arc::new(Inner {
            engines,
            cache,
            compiler: Compiler::new(&options),
            modules: Modules::default(),
            clock: Clock::start(options.script.as_ref()),
            compilations: AtomicU64::new(0),
            unfinished: Arc::default(),
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

    pub(crate) fn count_compilation(&self) {
        self.0.compilations.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unfinished(&self) -> &Arc<Unfinished> {
        &self.0.unfinished
    }

    pub(crate) fn engines(&self) -> &Engines {
        &self.0.engines
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.0.compiler
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
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("options", &self.0.options).finish_non_exhaustive()
    }
}
