//! Which generations serve for each binding, and why not the one that was offered last.
//!
//! What happens, and what becomes of the binding (what serves ⁄ what its state says):
//!
//! | event | as before | after |
//! | --- | --- | --- |
//! | the same bytes and spec again | any, but missing | unchanged; how it is rolled out may be another from now on |
//! | other bytes or spec, accepted, to be for all | any | the new generation, watched where there was one before it ⁄ active |
//! | other bytes or spec, accepted, with a canary | any, something serves | as before, and the new one for its share ⁄ trying |
//! | other bytes or spec, accepted, with a canary | any, nothing serves | the new generation ⁄ active |
//! | other bytes or spec, refused | any | as before ⁄ refused, with the reason |
//! | what was taken back before, with the same settings | any | as before, or what served when that happened ⁄ refused |
//! | the file is removed | any | as before, without its canary ⁄ missing |
//! | the canary stood its time | trying | the canary, watched ⁄ active |
//! | the canary left the band, or is in quarantine | trying | as before without it ⁄ refused, with the reason; remembered |
//! | what is for all left the band while it was watched, or is in quarantine | active | the one before ⁄ refused, with the reason; remembered |
//! | the same, and a canary is under way | trying | the one before, and the canary ⁄ trying; remembered |
//! | the time of a replaced generation that keeps its sessions is over | any | as before without it ⁄ unchanged |
//! | what was taken back is accepted | refused | as before ⁄ new, until it is offered again |
//! | the binding is forgotten | any | nothing |

mod band;
mod binding;
mod lineup;
mod status;
mod trial;

pub use status::{BindingState, BindingStatus, PinnedStatus, RefusedStatus, RolloutStatus, ServingStatus};

use crate::clock::Clock;
use crate::digest::Digest;
use crate::generation::{BindingSpec, Generation};
use crate::refusal::Refusal;
use crate::runtime::Runtime;
use crate::state::{BindingRecord, Good, Refused, StateStore};
use crate::store::{BindingStore, Reading};
use binding::{Binding, Standing, TakenBack};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use weir_core::{Era, Link};

/// How often [`Catalogue::watch`] is to be called while [`Catalogue::is_watching`].
pub const LOOK: Duration = Duration::from_millis(250);

/// The bindings of a process. Shared by the thread that watches files, which changes it, and those that show it.
///
/// A change takes as long as compiling does; changes wait for each other, readers never wait for a change.
#[derive(Debug)]
pub struct Catalogue {
    runtime: Runtime,
    state: StateStore,
    /// Held during a change; guards nothing but the order.
    change: Mutex<()>,
    bindings: Mutex<BTreeMap<Arc<str>, Binding>>,
    /// Grows with every change of who serves.
    era: AtomicU32,
    /// Files whose last offer is to be made again.
    wanted: Mutex<BTreeSet<Box<str>>>,
}

/// What became of an offer.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of which binding.
    pub binding: Arc<str>,
    /// What happened.
    pub change: Change,
}

/// What happened to a binding. Whatever is not `Unchanged` or `Refused` changes who serves: replace the snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Nothing: the same file and the same spec.
    Unchanged,
    /// Another generation serves all sessions from now on, those apart that stay with one before.
    Swapped(Arc<Generation>),
    /// A new generation serves a share of the sessions.
    Trying {
        /// Which.
        generation: Arc<Generation>,
        /// Of the sessions, from 0 to 1.
        share: f64,
        /// For how long.
        window: Duration,
    },
    /// One that served a share of the sessions serves all.
    Promoted(Arc<Generation>),
    /// A generation left the band and serves no more.
    TakenBack {
        /// Which.
        bad: Arc<Generation>,
        /// What serves where it did.
        serving: Arc<Generation>,
        /// Why.
        refusal: Refusal,
    },
    /// Sessions that stayed with this generation meet the newest from now on.
    Drained(Arc<Generation>),
    /// What was offered is refused; what served before serves on.
    Refused(Refusal),
    /// The file is gone; what served before serves on where a chain names it.
    Missing,
}

impl Catalogue {
    /// An empty one. What `state` remembers of bindings is followed when they are offered.
    pub fn new(runtime: Runtime, state: StateStore) -> Self {
        Self {
            runtime,
            state,
            change: Mutex::default(),
            bindings: Mutex::default(),
            era: AtomicU32::new(0),
            wanted: Mutex::default(),
        }
    }

    /// A file was found, or its bindings' specs changed: prepares what is new, for each spec by itself. What is in
    /// use with other specs is not compiled again.
    pub fn offer(&self, file: &str, bytes: &[u8], specs: &[BindingSpec]) -> Vec<Outcome> {
        let _order = lock(&self.change);
        let digest = Digest::of(bytes);
        let outcomes: Vec<_> = specs.iter().map(|spec| self.offer_one(file, digest, bytes, spec)).collect();
        let serves = |outcome: &Outcome| matches!(outcome.change, Change::Swapped(_) | Change::Trying { .. });
        if outcomes.iter().any(serves) {
            self.state.prune_modules(&self.needed());
        }
        outcomes
    }

    /// Whether an offer would be accepted. Nothing changes; what it gives serves nowhere.
    pub fn try_out(&self, bytes: &[u8], spec: &BindingSpec) -> Result<Arc<Generation>, Refusal> {
        if let Some(refused) = self.state.refused(&spec.name, Digest::of(bytes), spec.settings_digest()) {
            return Err(Refusal::TakenBackBefore(refused.reason.into()));
        }
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
                binding.follow(spec);
                return Outcome { binding: spec.name.clone(), change: Change::Unchanged };
            }
            binding.store.clone()
        };
        if let Some(refused) = self.state.refused(&spec.name, digest, spec.settings_digest()) {
            let refusal = Refusal::TakenBackBefore(refused.reason.into());
            let outcome = self.settle(file, digest, spec, Err(refusal));
            self.fall_back(spec, &store);
            return outcome;
        }
        let prepared = self.runtime.prepare(bytes, spec, &store);
        if prepared.is_ok() {
            // Before it serves: writing takes its time, and what is said to serve is to serve at once.
            self.state.keep_module(digest, bytes);
        }
        self.settle(file, digest, spec, prepared)
    }

    fn settle(
        &self,
        file: &str,
        digest: Digest,
        spec: &BindingSpec,
        prepared: Result<Arc<Generation>, Refusal>,
    ) -> Outcome {
        let now = self.next();
        let mut bindings = self.lock();
        let change = match bindings.get_mut(&spec.name) {
            Some(binding) => binding.settle(file, digest, spec, prepared, now),
            // Changes wait for each other, so nobody forgot it meanwhile.
            None => Change::Unchanged,
        };
        Outcome { binding: spec.name.clone(), change }
    }

    /// After a restart, what served where the refused file did not serves again.
    fn fall_back(&self, spec: &BindingSpec, store: &Arc<BindingStore>) {
        let serves = |bindings: &BTreeMap<Arc<str>, Binding>| {
            bindings.get(&spec.name).is_some_and(|binding| binding.serving().is_some())
        };
        let Some(good) = self.state.record(&spec.name).good.filter(|_| !serves(&self.lock())) else { return };
        let Some(bytes) = self.state.module(&good, self.runtime.options().max_module) else {
            tracing::error!(
                plugin = &*spec.name,
                sha256 = &*good.file,
                "the version that served before is not kept any more"
            );
            return;
        };
        // It is what served until the restart, whatever file is asked for since.
        let spec = BindingSpec { config: good.config, sha256: None, ..spec.clone() };
        match self.runtime.prepare(&bytes, &spec, store) {
            Ok(generation) => {
                tracing::info!(
                    plugin = &*spec.name,
                    generation = generation.number(),
                    version = &*generation.manifest().version,
                    sha256 = %generation.digest(),
                    "the version that served before serves again"
                );
                let now = self.next();
                if let Some(binding) = self.lock().get_mut(&spec.name) {
                    binding.fall_back(generation, now);
                }
            }
            Err(refusal) => {
                tracing::error!(
                    plugin = &*spec.name,
                    "the version that served before does not serve again: {refusal}"
                );
            }
        }
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
        self.next();
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

    /// What was taken back of a binding may be tried again: its file is among [`Catalogue::take_wanted`] then. False: nothing was.
    pub fn accept(&self, binding: &str) -> bool {
        let _order = lock(&self.change);
        let remembered = self.state.record(binding) != BindingRecord::default();
        if remembered {
            self.state.change(binding, |record| {
                record.refused.clear();
                record.good = None;
            });
        }
        let mut bindings = self.lock();
        let Some(binding) = bindings.get_mut(binding) else { return remembered };
        if binding.forgive() {
            lock(&self.wanted).insert(binding.file().into());
            return true;
        }
        remembered
    }

    /// Files that are to be offered again though they have not changed.
    pub fn take_wanted(&self) -> BTreeSet<Box<str>> {
        std::mem::take(&mut lock(&self.wanted))
    }

    /// Looks at what is on trial: what stood its time serves all, what left its band is taken back. To be called every [`LOOK`] while
    /// there is something to watch. `now` is when.
    pub fn watch(&self, now: Instant) -> Vec<Outcome> {
        let _order = lock(&self.change);
        if !self.is_watching() {
            return Vec::new();
        }
        // Nobody sees the era before the change is made: readers take the lock of the bindings first.
        let era = Era(self.era.load(Ordering::Acquire) + 1);
        let mut outcomes = Vec::new();
        let mut bindings = self.lock();
        for (name, binding) in bindings.iter_mut() {
            let (changes, taken_back) = binding.look(now, era);
            for taken_back in &taken_back {
                self.remember(name, taken_back);
            }
            outcomes.extend(changes.into_iter().map(|change| Outcome { binding: name.clone(), change }));
        }
        if !outcomes.is_empty() {
            self.era.store(era.0, Ordering::Release);
        }
        outcomes
    }

    /// What is taken back is not tried again, and what serves instead serves again after a restart.
    fn remember(&self, name: &str, TakenBack { bad, serving, why }: &TakenBack) {
        let refused = Refused {
            file: bad.digest().to_string().into(),
            settings: bad.spec().settings_digest().to_string().into(),
            reason: why.as_str().into(),
            at_ms: Clock::now(),
        };
        let good = Good { file: serving.digest().to_string().into(), config: serving.spec().config.clone() };
        self.state.change(name, |record| {
            record
                .refused
                .retain(|known| (&known.file, &known.settings) != (&refused.file, &refused.settings));
            record.refused.push(refused);
            record.good = Some(good);
        });
    }

    /// Whether anything is on trial or ends with time.
    pub fn is_watching(&self) -> bool {
        self.lock().values().any(|binding| binding.lineup.is_watched())
    }

    /// Of the links that the catalogue gives: to be asked before they are.
    pub fn era(&self) -> Era {
        Era(self.era.load(Ordering::Acquire))
    }

    fn next(&self) -> (Instant, Era) {
        (Instant::now(), Era(self.era.fetch_add(1, Ordering::AcqRel) + 1))
    }

    /// Files that serve, or would serve again.
    fn needed(&self) -> BTreeSet<Digest> {
        let bindings = self.lock();
        let needed = bindings.values().flat_map(|binding| binding.lineup.needed());
        needed.map(|generation| generation.digest()).collect()
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

    /// The generation that serves for a binding, whatever its state: all sessions but those of a canary or pinned to another.
    pub fn serving(&self, binding: &str) -> Option<Arc<Generation>> {
        self.lock().get(binding)?.serving().cloned()
    }

    /// The link for a chain that names the binding, with all its generations that serve.
    pub fn link(&self, binding: &str) -> Option<Link> {
        self.lock().get(binding)?.link()
    }

    /// What a binding keeps across generations.
    pub fn store(&self, binding: &str) -> Option<Arc<BindingStore>> {
        Some(self.lock().get(binding)?.store.clone())
    }

    /// All bindings by name, for the admin API.
    pub fn status(&self) -> Vec<BindingStatus> {
        let now = Instant::now();
        let status = |(name, binding): (&Arc<str>, &Binding)| {
            binding.status(name, &self.state.record(name).refused, now)
        };
        self.lock().iter().map(status).collect()
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
