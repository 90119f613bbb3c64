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
//! | an operator goes back, and a canary is under way | trying | as before without it ⁄ refused; remembered |
//! | an operator goes back, and nothing is tried | active | what served before ⁄ refused; remembered |
//! | the same | refused, missing | what served before ⁄ unchanged; remembered |
//! | an operator pins what serves | trying | as before without the canary ⁄ waiting |
//! | the same | any but trying, something serves | as before, watched no more ⁄ unchanged |
//! | other bytes or another config are offered | any, pinned | as before, or what is pinned ⁄ waiting |
//! | an operator ends that | waiting | as before ⁄ new, until it is offered again |
//! | an operator disables, or enables | any | in no chain, and back ⁄ unchanged |
//! | the binding is forgotten | any | nothing |

mod band;
mod binding;
mod lineup;
mod orders;
mod outcome;
mod status;
mod trial;

pub use orders::OrderError;
pub use outcome::{Change, Offered, Outcome, Was};
pub use status::{
    BindingState, BindingStatus, OffloadStatus, PinStatus, PinnedStatus, PreviousStatus, RefusedStatus,
    RolloutStatus, ServingStatus,
};

use crate::clock::Clock;
use crate::digest::Digest;
use crate::generation::{BindingSpec, Generation};
use crate::refusal::Refusal;
use crate::runtime::Runtime;
use crate::state::{Good, Pin, Refused, StateStore};
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
        let outcomes: Vec<_> =
            specs.iter().flat_map(|spec| self.offer_one(file, digest, bytes, spec)).collect();
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

    fn offer_one(&self, file: &str, digest: Digest, bytes: &[u8], spec: &BindingSpec) -> Vec<Outcome> {
        let store = {
            let mut bindings = self.lock();
            let binding = bindings
                .entry(spec.name.clone())
                .or_insert_with(|| Binding::new(Arc::new(BindingStore::new(self.runtime.options()))));
            if binding.is_offered(file, digest, spec) {
                binding.follow(spec);
                let binding = spec.name.clone();
                return vec![Outcome { binding, change: Change::Unchanged, before: None, offered: None }];
            }
            binding.store.clone()
        };
        let record = self.state.record(&spec.name);
        let known = if let Some(Pin { good, .. }) =
            record.pinned.filter(|Pin { good, .. }| !good.is(digest, &spec.config))
        {
            Some((Refusal::Pinned { file: good.file.clone() }, Some(good)))
        } else {
            let refused = self.state.refused(&spec.name, digest, spec.settings_digest());
            refused.map(|refused| (Refusal::TakenBackBefore(refused.reason.into()), record.serving))
        };
        if let Some((refusal, good)) = known {
            let refused = self.settle(file, digest, spec, Err(refusal));
            let restored = good.and_then(|good| self.fall_back(spec, &store, good));
            return std::iter::once(refused).chain(restored).collect();
        }
        let prepared = self.runtime.prepare(bytes, spec, &store);
        if prepared.is_ok() {
            // Before it serves: writing takes its time, and what is said to serve is to serve at once.
            self.state.keep_module(digest, bytes);
        }
        vec![self.settle(file, digest, spec, prepared)]
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
        let (mut before, mut change) = (None, Change::Unchanged);
        // Changes wait for each other, so nobody forgot it meanwhile.
        if let Some(binding) = bindings.get_mut(&spec.name) {
            before = binding.serving().map(Was::of);
            change = binding.settle(file, digest, spec, prepared, now);
            self.note(&spec.name, binding);
        }
        Outcome { binding: spec.name.clone(), change, before, offered: Some(Offered::of(digest, spec)) }
    }

    /// Remembers what serves, and what served before it.
    fn note(&self, name: &str, binding: &Binding) {
        let Some(serving) = binding.serving().map(Good::of) else { return };
        let previous = binding.lineup.previous().map(Good::of);
        self.state.change(name, |record| {
            if record.serving.as_ref() == Some(&serving) {
                record.previous = previous.or(record.previous.take());
            } else {
                let replaced = record.serving.replace(serving.clone());
                record.previous = previous.or(replaced).filter(|previous| *previous != serving);
            }
        });
    }

    /// After a restart, what served where the refused file did not serves again.
    fn fall_back(&self, spec: &BindingSpec, store: &Arc<BindingStore>, good: Good) -> Option<Outcome> {
        let serves = |bindings: &BTreeMap<Arc<str>, Binding>| {
            bindings.get(&spec.name).is_some_and(|binding| binding.serving().is_some())
        };
        if serves(&self.lock()) {
            return None;
        }
        match self.restore(spec, store, good) {
            Ok(generation) => {
                let now = self.next();
                let mut bindings = self.lock();
                let binding = bindings.get_mut(&spec.name)?;
                binding.fall_back(generation.clone(), now);
                self.note(&spec.name, binding);
                Some(Outcome {
                    binding: spec.name.clone(),
                    change: Change::Restored(generation),
                    before: None,
                    offered: None,
                })
            }
            Err(NotRestored::Gone(file)) => {
                let plugin = &*spec.name;
                tracing::error!(
                    plugin,
                    sha256 = &*file,
                    "the version that served before is not kept any more"
                );
                None
            }
            Err(NotRestored::Refused(refusal)) => {
                tracing::error!(
                    plugin = &*spec.name,
                    "the version that served before does not serve again: {refusal}"
                );
                None
            }
        }
    }

    /// Prepares what served before from its copy, with the limits and grants of today.
    fn restore(
        &self,
        spec: &BindingSpec,
        store: &Arc<BindingStore>,
        good: Good,
    ) -> Result<Arc<Generation>, NotRestored> {
        let Some(bytes) = self.state.module(&good, self.runtime.options().max_module) else {
            return Err(NotRestored::Gone(good.file));
        };
        // It is what served before, whatever file is asked for since.
        let spec = BindingSpec { config: good.config, sha256: None, ..spec.clone() };
        self.runtime.prepare(&bytes, &spec, store).map_err(NotRestored::Refused)
    }

    /// A file could not be read or has a name that is none: the same as one that was refused.
    pub fn refuse(&self, file: &str, spec: &BindingSpec, refusal: Refusal) -> Outcome {
        let _order = lock(&self.change);
        self.lock()
            .entry(spec.name.clone())
            .or_insert_with(|| Binding::new(Arc::new(BindingStore::new(self.runtime.options()))));
        // Nothing is known of what is in it.
        Outcome { offered: None, ..self.settle(file, Digest::of(&[]), spec, Err(refusal)) }
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
                let before = binding.serving().map(Was::of);
                Outcome { binding: name.clone(), change: Change::Missing, before, offered: None }
            })
            .collect()
    }

    /// No configuration names the binding any more: its keys and values, metrics and generations end here. What operators ordered, and
    /// what was taken back, is remembered.
    pub fn forget(&self, binding: &str) -> Option<Outcome> {
        let _order = lock(&self.change);
        let (name, gone) = self.lock().remove_entry(binding)?;
        self.state.change(binding, |record| (record.serving, record.previous) = (None, None));
        let before = gone.serving().map(Was::of);
        Some(Outcome { binding: name, change: Change::Forgotten, before, offered: None })
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
        for (name, binding) in bindings.iter_mut().filter(|(name, _)| !self.state.is_disabled(name)) {
            let before = binding.serving().map(Was::of);
            let (changes, taken_back) = binding.look(now, era);
            for taken_back in &taken_back {
                self.remember(name, taken_back);
            }
            if !changes.is_empty() {
                self.note(name, binding);
            }
            let outcome = |change| Outcome { binding: name.clone(), change, before, offered: None };
            outcomes.extend(changes.into_iter().map(outcome));
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
        let serving = Good::of(serving);
        self.state.change(name, |record| {
            record
                .refused
                .retain(|known| (&known.file, &known.settings) != (&refused.file, &refused.settings));
            record.refused.push(refused);
            if record.serving.as_ref() != Some(&serving) {
                // What it went back to is the last that is known of.
                (record.serving, record.previous) = (Some(serving), None);
            }
        });
    }

    /// Whether anything is on trial or ends with time. Time stands still for what nobody meets.
    pub fn is_watching(&self) -> bool {
        let watched = |(name, binding): (&Arc<str>, &Binding)| {
            binding.lineup.is_watched() && !self.state.is_disabled(name)
        };
        self.lock().iter().any(watched)
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

    /// Waits until the threads of plugins have come to the end of all calls that they were asked for, or for so long. Gives how many
    /// calls are left. Blocks its thread.
    pub fn wait_for_threads(&self, most: Duration) -> usize {
        self.runtime.unfinished().wait(most)
    }

    /// What the clock that plugins see as monotonic says, in milliseconds.
    pub fn monotonic(&self) -> u64 {
        self.runtime.clock().monotonic()
    }

    /// The generation that serves for a binding, whatever its state: all sessions but those of a canary or pinned to another.
    pub fn serving(&self, binding: &str) -> Option<Arc<Generation>> {
        self.lock().get(binding)?.serving().cloned()
    }

    /// The link for a chain that names the binding, with all its generations that serve; `None` too where it is disabled.
    pub fn link(&self, binding: &str) -> Option<Link> {
        self.lock().get(binding).filter(|_| !self.state.is_disabled(binding))?.link()
    }

    /// Whether an operator has taken the binding out of all chains.
    pub fn is_disabled(&self, binding: &str) -> bool {
        self.state.is_disabled(binding)
    }

    /// Whether what is remembered of the last change is there after a restart.
    pub fn is_kept(&self) -> bool {
        self.state.is_kept()
    }

    /// What a binding keeps across generations.
    pub fn store(&self, binding: &str) -> Option<Arc<BindingStore>> {
        Some(self.lock().get(binding)?.store.clone())
    }

    /// All bindings by name, for the admin API.
    pub fn status(&self) -> Vec<BindingStatus> {
        let now = Instant::now();
        let status =
            |(name, binding): (&Arc<str>, &Binding)| binding.status(name, self.state.record(name), now);
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

/// Why something that served before does not again.
enum NotRestored {
    /// There is no copy of this file.
    Gone(Box<str>),
    Refused(Refusal),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
