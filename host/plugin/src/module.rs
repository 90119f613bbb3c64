//! A compiled file, shared by everything that runs it.

use crate::artifact::Facts;
use crate::cache::deserialize;
use crate::digest::Digest;
use crate::refusal::Refusal;
use crate::runtime::Runtime;
use crate::symbols::Symbols;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A compiled file.
pub(crate) struct Module {
    pub(crate) facts: Facts,
    pub(crate) component: Component,
    /// Where its file has debug information.
    pub(crate) symbols: Option<Symbols>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// By digest, and the stack of the engine that they are for.
type Known = BTreeMap<(Digest, usize), Weak<Module>>;

/// The modules that something holds.
#[derive(Debug, Default)]
pub(crate) struct Modules(Mutex<Known>);

impl Modules {
    fn get(&self, digest: Digest, stack: usize) -> Option<Arc<Module>> {
        self.lock().get(&(digest, stack))?.upgrade()
    }

    /// The same file, for whatever stack.
    fn any(&self, digest: Digest) -> Option<Arc<Module>> {
        self.lock().range((digest, 0)..=(digest, usize::MAX)).find_map(|(_, module)| module.upgrade())
    }

    fn insert(&self, module: &Arc<Module>, stack: usize) {
        let mut modules = self.lock();
        modules.retain(|_, module| module.strong_count() > 0);
        modules.insert((module.facts.digest, stack), Arc::downgrade(module));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime {
    /// The compiled module of these bytes for calls with this stack: one that is in use, from the cache, or freshly compiled. `check`
    /// sees what the file wants before it is compiled.
    pub(crate) fn module(
        &self,
        bytes: &[u8],
        stack: usize,
        check: impl FnOnce(&Facts) -> Result<(), Refusal>,
    ) -> Result<Arc<Module>, Refusal> {
        let most = self.options().max_module;
        if bytes.len() > most {
            return Err(Refusal::TooLarge { size: bytes.len(), most });
        }
        let digest = Digest::of(bytes);
        if let Some(module) = self.modules().get(digest, stack) {
            check(&module.facts)?;
            return Ok(module);
        }
        let engine = self.engines().of(stack).map_err(|error| Refusal::NoCompiler(format!("{error:#}")))?;
        let (facts, component) = match self.kept(&engine, bytes, digest) {
            Some((facts, component)) => {
                check(&facts)?;
                (facts, component)
            }
            None => self.fresh(&engine, bytes, check)?,
        };
        let symbols = Symbols::of_file(bytes, most);
        let module = Arc::new(Module { facts, component, symbols });
        self.modules().insert(&module, stack);
        Ok(module)
    }

    /// What was compiled before: for another stack, or by another run.
    fn kept(&self, engine: &Engine, bytes: &[u8], digest: Digest) -> Option<(Facts, Component)> {
        if let Some(other) = self.modules().any(digest) {
            // The code is the same; only whose it is differs.
            let code = other.component.serialize().ok()?;
            return Some((other.facts.clone(), deserialize(engine, &code).ok()?));
        }
        self.cache()?.load(engine, bytes, &digest)
    }

    fn fresh(
        &self,
        engine: &Engine,
        bytes: &[u8],
        check: impl FnOnce(&Facts) -> Result<(), Refusal>,
    ) -> Result<(Facts, Component), Refusal> {
        let (facts, code) = self.compiler().compile(engine, bytes, check, || self.count_compilation())?;
        let component = deserialize(engine, &code).map_err(|error| Refusal::Compile(format!("{error:#}")))?;
        if let Some(cache) = self.cache() {
            cache.store(engine, &facts, &code);
        }
        Ok((facts, component))
    }
}
