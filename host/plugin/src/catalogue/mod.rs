//! Which generation serves for each binding, and why not the one that was offered last.
//!
//! What happens, and what becomes of the binding (what serves ⁄ what its state says):
//!
//! | event | as before | after |
//! | --- | --- | --- |
//! | the same bytes and spec again | any, but missing | unchanged |
//! | other bytes or spec, accepted | any | the new generation ⁄ active |
//! | other bytes or spec, refused | any | as before ⁄ refused, with the reason |
//! | the file is removed | any | as before ⁄ missing |
//! | the new generation fails too often in its first minute | active | the one before ⁄ refused, with the reason |
//! | the binding is forgotten | any | nothing |

mod binding;
mod probation;
mod status;

pub use probation::Probation;
pub use status::{BindingState, BindingStatus, ServingStatus};

use crate::digest::Digest;
use crate::generation::{BindingSpec, Generation};
use crate::refusal::Refusal;
use crate::runtime::Runtime;
use crate::store::{BindingStore, Reading};
use binding::{Binding, Standing};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use weir_core::Link;

/// The bindings of a process. Shared by the thread that watches files, which changes it, and those that show it.
///
/// A change takes as long as compiling does; changes wait for each other, readers never wait for a change.
#[derive(Debug)]
pub struct Catalogue {
    runtime: Runtime,
    probation: Probation,
    /// Held during a change; guards nothing but the order.
    change: Mutex<()>,
    bindings: Mutex<BTreeMap<Arc<str>, Binding>>,
}

/// What became of an offer.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of which binding.
    pub binding: Arc<str>,
    /// What happened.
    pub change: Change,
}

/// What happened to a binding.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Nothing: the same file and the same spec.
    Unchanged,
    /// Another generation serves from now on: replace the snapshot.
    Swapped(Arc<Generation>),
    /// What was offered is refused; what served before serves on.
    Refused(Refusal),
    /// The file is gone; what served before serves on where a chain names it.
    Missing,
}

impl Catalogue {
    /// An empty one.
    pub fn new(runtime: Runtime, probation: Probation) -> Self {
        Self { runtime, probation, change: Mutex::default(), bindings: Mutex::default() }
    }

    /// A file was found, or its bindings' specs changed: prepares what is new, for each spec by itself. What is in
    /// use with other specs is not compiled again.
    pub fn offer(&self, file: &str, bytes: &[u8], specs: &[BindingSpec]) -> Vec<Outcome> {
        let _order = lock(&self.change);
        let digest = Digest::of(bytes);
        specs.iter().map(|spec| self.offer_one(file, digest, bytes, spec)).collect()
    }

    /// Whether an offer would be accepted. Nothing changes; what it gives serves nowhere.
    pub fn try_out(&self, bytes: &[u8], spec: &BindingSpec) -> Result<Arc<Generation>, Refusal> {
        let store = Arc::new(BindingStore::new(self.runtime.options()));
        self.runtime.prepare(bytes, spec, &store)
    }

    fn offer_one(&self, file: &str, digest: Digest, bytes: &[u8], spec: &BindingSpec) -> Outcome {
        let store = {
            let mut bindings = self.lock();
            let binding = bindings
                .entry(spec.name.clone())
                .or_insert_with(|| Binding::new(Arc::new(BindingStore::new(self.runtime.options()))));
            if binding.is_offered(file, digest, spec) {
                return Outcome { binding: spec.name.clone(), change: Change::Unchanged };
            }
            binding.store.clone()
        };
        let prepared = self.runtime.prepare(bytes, spec, &store);
        self.settle(file, digest, spec, prepared)
    }

    fn settle(
        &self,
        file: &str,
        digest: Digest,
        spec: &BindingSpec,
        prepared: Result<Arc<Generation>, Refusal>,
    ) -> Outcome {
        let mut bindings = self.lock();
        let change = match bindings.get_mut(&spec.name) {
            Some(binding) => binding.settle(file, digest, spec, prepared),
            // Changes wait for each other, so nobody forgot it meanwhile.
            None => Change::Unchanged,
        };
        Outcome { binding: spec.name.clone(), change }
    }

    /// A file could not be read or has a name that is none: the same as one that was refused.
    pub fn refuse(&self, file: &str, spec: &BindingSpec, refusal: Refusal) -> Outcome {
        let _order = lock(&self.change);
        self.lock()
            .entry(spec.name.clone())
            .or_insert_with(|| Binding::new(Arc::new(BindingStore::new(self.runtime.options()))));
        self.settle(file, Digest::of(&[]), spec, Err(refusal))
    }

    /// A file was removed.
    pub fn removed(&self, file: &str) -> Vec<Outcome> {
        let _order = lock(&self.change);
        self.lock()
            .iter_mut()
            .filter(|(_, binding)| binding.file() == file)
            .filter(|(_, binding)| binding.standing != Standing::Missing)
            .map(|(name, binding)| {
                binding.lose();
                Outcome { binding: name.clone(), change: Change::Missing }
            })
            .collect()
    }

    /// No configuration names the binding any more: its keys and values, metrics and generations end here.
    pub fn forget(&self, binding: &str) -> bool {
        let _order = lock(&self.change);
        self.lock().remove(binding).is_some()
    }

    /// Takes back generations that fail more than their share; to be called once a second or so. `now` is when. Gives a `Swapped` with
    /// the generation that serves again for each.
    pub fn watch(&self, now: Instant) -> Vec<Outcome> {
        let _order = lock(&self.change);
        self.lock()
            .iter_mut()
            .filter_map(|(name, binding)| {
                let back = binding.judge(&self.probation, now)?;
                Some(Outcome { binding: name.clone(), change: Change::Swapped(back) })
            })
            .collect()
    }

    /// Drops expired keys of all stores; to be called once a second or so.
    pub fn sweep(&self) {
        let now = self.runtime.clock().monotonic();
        let stores: Vec<_> = self.lock().values().map(|binding| binding.store.clone()).collect();
        for store in stores {
            store.kv().sweep(now);
        }
    }

    /// What the clock that plugins see as monotonic says, in milliseconds.
    pub fn monotonic(&self) -> u64 {
        self.runtime.clock().monotonic()
    }

    /// The generation that serves for a binding, whatever its state.
    pub fn serving(&self, binding: &str) -> Option<Arc<Generation>> {
        self.lock().get(binding)?.serving().cloned()
    }

    /// The link for a chain that names the binding.
    pub fn link(&self, binding: &str) -> Option<Link> {
        Some(self.serving(binding)?.link())
    }

    /// What a binding keeps across generations.
    pub fn store(&self, binding: &str) -> Option<Arc<BindingStore>> {
        Some(self.lock().get(binding)?.store.clone())
    }

    /// All bindings by name, for the admin API.
    pub fn status(&self) -> Vec<BindingStatus> {
        self.lock().iter().map(|(name, binding)| binding.status(name)).collect()
    }

    /// The metrics of all plugins, by binding.
    pub fn metrics(&self) -> Vec<(Arc<str>, Vec<Reading>)> {
        self.lock().iter().map(|(name, binding)| (name.clone(), binding.store.metrics().read())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Binding>> {
        lock(&self.bindings)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
