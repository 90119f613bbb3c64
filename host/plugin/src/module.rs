//! A compiled file, shared by everything that runs it.

use crate::artifact::{Artifact, Facts};
use crate::digest::Digest;
use crate::refusal::Refusal;
use crate::runtime::Runtime;
use crate::symbols::Symbols;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
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

/// The modules that something holds, by digest.
#[derive(Debug, Default)]
pub(crate) struct Modules(Mutex<HashMap<Digest, Weak<Module>>>);

impl Modules {
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Module>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest)?.upgrade()
    }

    fn insert(&self, module: &Arc<Module>) {
        let mut modules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        modules.retain(|_, module| module.strong_count() > 0);
        modules.insert(module.facts.digest, Arc::downgrade(module));
    }
}

impl Runtime {
    /// The compiled module of these bytes: one that is in use, from the cache, or freshly compiled. `check` sees what the file wants
    /// before it is compiled.
    pub(crate) fn module(
        &self,
        bytes: &[u8],
        check: impl FnOnce(&Facts) -> Result<(), Refusal>,
    ) -> Result<Arc<Module>, Refusal> {
        let most = self.options().max_module;
        if bytes.len() > most {
            return Err(Refusal::TooLarge { size: bytes.len(), most });
        }
        if let Some(module) = self.modules().get(&Digest::of(bytes)) {
            check(&module.facts)?;
            return Ok(module);
        }
        let Artifact { facts, component } = Artifact::read(bytes, most)?;
        check(&facts)?;
        let symbols = Symbols::read(&component);
        let kept = self.cache().and_then(|cache| cache.load(self.engine(), &facts.digest));
        let component = if let Some(component) = kept {
            component
        } else {
            let component = self.compile(component)?;
            if let Some(cache) = self.cache() {
                cache.store(self.engine(), &facts.digest, &component);
            }
            component
        };
        let module = Arc::new(Module { facts, component, symbols });
        self.modules().insert(&module);
        Ok(module)
    }
}
