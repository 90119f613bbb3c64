//! One loaded version of a binding: module digest and config.

use crate::contract::v0_1::{self, Handler, HandlerIndices};
use crate::deadline::{begin, watch};
use crate::digest::Digest;
use crate::failure::failure;
use crate::grants::Grants;
use crate::host_interfaces::{Host, HostParts, Phase};
use crate::instance::PluginInstance;
use crate::limits::PluginLimits;
use crate::manifest::Manifest;
use crate::module::Module;
use crate::offload::Pool;
use crate::refusal::Refusal;
use crate::rollout::RolloutPolicy;
use crate::runtime::Runtime;
use crate::store::{BindingStore, Counts};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use wasmtime::Store;
use wasmtime::component::InstancePre;
use weir_core::{
    BindingId, CallStats, CallTotals, Directory, Effect, Failure, FailureCause, Instance, Link, Offload,
    OnFailure, Program, Quarantine, Seat, When, WorkerId,
};

/// One use of a plugin file, as the configuration says it.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingSpec {
    /// Given by whoever reads the configuration; the same for as long as there is a binding of this name.
    pub id: BindingId,
    /// The only file that is taken; `None`: any.
    pub sha256: Option<Digest>,
    /// For chains, logs and metrics.
    pub name: Arc<str>,
    /// `Null` when there is none.
    pub config: serde_json::Value,
    /// What it may use.
    pub limits: PluginLimits,
    /// What it may call.
    pub grants: Grants,
    /// What becomes of a message that it failed on.
    pub on_failure: OnFailure,
    /// Which messages it is called for; `None`: for all of its directions.
    pub when: Option<Arc<When>>,
    /// How a new generation takes over.
    pub rollout: RolloutPolicy,
}

impl BindingSpec {
    /// Whether a generation that was made with the other is as good as a new one: only how it takes over may differ.
    pub fn is_same_but_rollout(&self, other: &Self) -> bool {
        let Self { id, sha256, name, config, limits, grants, on_failure, when, rollout: _ } = self;
        (*id, *sha256, name) == (other.id, other.sha256, &other.name)
            && (config, limits) == (&other.config, &other.limits)
            && (*grants, *on_failure, when) == (other.grants, other.on_failure, &other.when)
    }

    /// What a generation is made of beside its file: refused ones are remembered by both. Limits are written as this version of Weir
    /// knows them; after an upgrade a refused file may so be tried once more.
    pub(crate) fn settings_digest(&self) -> Digest {
        let Self { config, limits, grants, on_failure, when, .. } = self;
        let grants: Vec<_> = grants.iter().map(|grant| grant.to_string()).collect();
        Digest::of(format!("{config}\n{grants:?}\n{limits:?}\n{on_failure:?}\n{when:?}").as_bytes())
    }
}

/// A version of a binding that has been tried and can serve.
pub struct Generation {
    number: u64,
    spec: BindingSpec,
    manifest: Arc<Manifest>,
    module: Arc<Module>,
    /// Whether it is given several messages in one call.
    several: bool,
    store: Arc<BindingStore>,
    counts: Counts,
    maker: Arc<Maker>,
    quarantine: Arc<Quarantine>,
    /// Where it is placed on threads of its own. The chains that it serves in have them: a generation that is only kept, to be gone back
    /// to, has none. They know what they need of it, not itself.
    pool: Mutex<Weak<Pool>>,
}

impl Generation {
    /// Grows with each generation of the binding, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Whose it is, and what it was made with.
    pub fn spec(&self) -> &BindingSpec {
        &self.spec
    }

    /// Of the settings that it was made with.
    pub fn settings_digest(&self) -> Digest {
        self.spec.settings_digest()
    }

    /// Of the file.
    pub fn digest(&self) -> Digest {
        self.module.facts.digest
    }

    /// The contract's version that the plugin was built for, e.g. `0.1.0`.
    pub fn contract(&self) -> &str {
        &self.module.facts.contract
    }

    /// Of the file, in bytes.
    pub fn size(&self) -> usize {
        self.module.facts.size
    }

    /// What the binding keeps across generations.
    pub fn store(&self) -> &Arc<BindingStore> {
        &self.store
    }

    /// The text of one of its failures with places in the sources; `None`: its file has no debug information. May take a while: not for a worker's thread.
    pub fn locate(&self, detail: &str) -> Option<String> {
        self.module.symbols.as_ref().map(|symbols| symbols.locate(detail))
    }

    /// Whether [`Generation::locate`] has anything to say.
    pub fn has_places(&self) -> bool {
        self.module.symbols.is_some()
    }

    /// What the workers count, one set for each.
    pub fn stats(&self) -> &Arc<[CallStats]> {
        &self.counts.workers
    }

    /// All counters of workers and threads, added up.
    pub fn totals(&self) -> CallTotals {
        self.counts.totals()
    }

    /// Whether it failed so often in a row that no worker calls it any more.
    pub fn is_quarantined(&self) -> bool {
        self.quarantine.is_on()
    }

    /// For a chain. Starts its threads where it has any and no chain has it yet.
    pub fn link(self: &Arc<Self>) -> Link {
        let on_workers = self.link_with(self.clone(), self.counts.workers.clone());
        let pool = |policy| {
            let maker = OnThreads { maker: self.maker.clone(), stats: self.counts.threads.clone() };
            let link = self.link_with(Arc::new(maker), self.counts.threads.clone());
            Arc::new(Pool::start(&link, policy, self.maker.starter.runtime.unfinished()))
        };
        let placed = self.spec.limits.offload.as_ref();
        let pool = placed.map(|policy| {
            let mut known = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            known.upgrade().unwrap_or_else(|| {
                let started = pool(policy);
                *known = Arc::downgrade(&started);
                started
            })
        });
        Link { offload: pool.map(|pool| pool as Arc<dyn Offload>), ..on_workers }
    }

    fn link_with(&self, program: Arc<dyn Program>, stats: Arc<[CallStats]>) -> Link {
        Link {
            binding: self.spec.id,
            name: self.spec.name.clone(),
            generation: self.number,
            program,
            directions: self.manifest.directions,
            on_failure: self.spec.on_failure,
            stats,
            terms: Arc::default(),
            max_held: self.spec.limits.max_held,
            quarantine: self.quarantine.clone(),
            offload: None,
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("binding", &self.spec.name)
            .field("number", &self.number)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl Program for Generation {
    fn instantiate(&self, seat: &Seat, effects: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
        self.maker.make(seat, false, &self.counts.workers, effects)
    }

    fn takes_several(&self) -> bool {
        // Elsewhere each message waits for the answer to the one before.
        self.several && self.spec.limits.offload.is_none()
    }

    fn when(&self) -> Option<&When> {
        self.spec.when.as_deref()
    }
}

/// What instances of a generation are made of.
struct Maker {
    starter: Starter,
    config: String,
    generation: u64,
}

/// A generation as its own threads know it.
struct OnThreads {
    maker: Arc<Maker>,
    stats: Arc<[CallStats]>,
}

impl fmt::Debug for OnThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Maker { starter, generation, .. } = &*self.maker;
        f.debug_struct("OnThreads")
            .field("binding", &starter.binding)
            .field("number", generation)
            .finish_non_exhaustive()
    }
}

impl Program for OnThreads {
    fn instantiate(&self, seat: &Seat, effects: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
        self.maker.make(seat, true, &self.stats, effects)
    }
}

impl Maker {
    /// An instance that is configured. Where it is one of the binding's own threads, the seat's worker is the thread's number.
    fn make(
        &self,
        seat: &Seat,
        on_thread: bool,
        stats: &Arc<[CallStats]>,
        effects: &mut Vec<Effect>,
    ) -> Result<Box<dyn Instance>, Failure> {
        let parts =
            self.starter.parts(Some(seat.worker), seat.directory.clone(), self.generation, stats.clone());
        let mut started = self.starter.start(HostParts { on_thread, ..parts })?;
        match started.configure(&self.config)? {
            Ok(()) => {}
            Err(said) => return Err(Failure { cause: FailureCause::Configure, detail: said.into() }),
        }
        effects.append(&mut started.store.data_mut().effects);
        Ok(Box::new(PluginInstance::new(started)))
    }
}

impl Runtime {
    /// Makes a generation of a binding from a file: compiles, starts it in a scratch instance with the binding's limits, asks what it
    /// is, checks the config, configures it, and runs the cases that the file carries. Takes as long as compiling takes; not for a worker's thread.
    pub fn prepare(
        &self,
        bytes: &[u8],
        spec: &BindingSpec,
        store: &Arc<BindingStore>,
    ) -> Result<Arc<Generation>, Refusal> {
        if let Some(wanted) = spec.sha256 {
            let found = Digest::of(bytes);
            if found != wanted {
                return Err(Refusal::OtherDigest { found, wanted });
            }
        }
        let module = self
            .module(bytes, spec.limits.stack_size(), |facts| facts.check_grants(spec.grants, &spec.name))?;
        let starter = Starter::new(self, &module, spec, store)?;
        let (mut scratch, manifest) = starter.try_out()?;
        let config = self.compiler().check_config(&manifest.config_schema, &spec.config)?;
        match scratch.configure(&config) {
            Ok(Ok(())) => {}
            Ok(Err(said)) => return Err(Refusal::ConfigureSaid(said)),
            Err(failure) => return Err(Refusal::ConfigureFailed(failure)),
        }
        drop(scratch);
        self.try_cases(&module, spec)?;
        let threads = spec.limits.offload.as_ref().map_or(0, |offload| offload.threads);
        let (number, counts) = store.next_generation(threads);
        Ok(Arc::new(Generation {
            number,
            spec: spec.clone(),
            manifest: Arc::new(manifest),
            several: module.facts.takes_several(),
            module,
            store: store.clone(),
            counts,
            maker: Arc::new(Maker { starter, config, generation: number }),
            quarantine: Arc::new(Quarantine::after(spec.limits.quarantine)),
            pool: Mutex::default(),
        }))
    }
}

/// Starts instances of one module for one binding.
pub(crate) struct Starter {
    runtime: Runtime,
    pre: InstancePre<Host>,
    indices: HandlerIndices,
    binding: Arc<str>,
    limits: PluginLimits,
    store: Arc<BindingStore>,
}

/// An instance that has not served yet.
pub(crate) struct Started {
    pub(crate) store: Store<Host>,
    pub(crate) handler: Handler,
}

impl Starter {
    pub(crate) fn new(
        runtime: &Runtime,
        module: &Module,
        spec: &BindingSpec,
        store: &Arc<BindingStore>,
    ) -> Result<Self, Refusal> {
        let link = |error: wasmtime::Error| Refusal::Link(format!("{error:#}"));
        let linker = v0_1::linker(module.component.engine(), spec.grants).map_err(link)?;
        let pre = linker.instantiate_pre(&module.component).map_err(link)?;
        let indices = HandlerIndices::new(&pre).map_err(link)?;
        Ok(Self {
            runtime: runtime.clone(),
            pre,
            indices,
            binding: spec.name.clone(),
            limits: spec.limits.clone(),
            store: store.clone(),
        })
    }

    fn parts(
        &self,
        worker: Option<WorkerId>,
        directory: Arc<Directory>,
        generation: u64,
        stats: Arc<[CallStats]>,
    ) -> HostParts {
        HostParts {
            limits: self.limits.clone(),
            store: self.store.clone(),
            stats,
            directory,
            clock: self.runtime.clock(),
            worker,
            on_thread: false,
            binding: self.binding.clone(),
            generation,
        }
    }

    /// An instance that nothing is connected to, and what it says of itself.
    pub(crate) fn try_out(&self) -> Result<(Started, Manifest), Refusal> {
        let parts = self.parts(None, Arc::new(Directory::new(1)), 0, Arc::default());
        let mut scratch = self.start(parts).map_err(|error| match error {
            StartError::Misfit(text) => Refusal::Link(text),
            StartError::Failed(failure) => Refusal::Start(failure),
        })?;
        let manifest = scratch.describe().map_err(Refusal::Describe)?;
        match manifest.fault() {
            Some(fault) => Err(Refusal::Manifest(fault)),
            None => Ok((scratch, manifest)),
        }
    }

    fn start(&self, parts: HostParts) -> Result<Started, StartError> {
        let crossing = parts.limits.crossing();
        self.runtime.engines().count_epochs();
        let mut store = Store::new(self.pre.engine(), Host::new(parts));
        store.limiter(|host| &mut host.limiter);
        store.set_hostcall_fuel(crossing);
        watch(&mut store);
        begin(&mut store, Phase::Setup);
        let instance = self
            .pre
            .instantiate(&mut store)
            .map_err(|error| StartError::Failed(failure(&error, store.data())))?;
        let handler = Handler::new(&mut store, &instance, &self.indices)
            .map_err(|error| StartError::Misfit(format!("{error:#}")))?;
        Ok(Started { store, handler })
    }
}

/// Why there is no instance.
enum StartError {
    /// Its exports are of other types than the contract's.
    Misfit(String),
    /// It failed while it was started.
    Failed(Failure),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Misfit(text) => Self { cause: FailureCause::Configure, detail: text.into() },
            StartError::Failed(failure) => failure,
        }
    }
}

impl Started {
    fn describe(&mut self) -> Result<Manifest, Failure> {
        begin(&mut self.store, Phase::Setup);
        let manifest = self.handler.describe(&mut self.store);
        manifest.map(v0_1::manifest).map_err(|error| failure(&error, self.store.data()))
    }

    /// The inner error is what the plugin said.
    pub(crate) fn configure(&mut self, config: &str) -> Result<Result<(), String>, Failure> {
        const SAID: usize = 2048;
        begin(&mut self.store, Phase::Setup);
        // What was asked for in `describe`, of a scratch instance, is not the config's.
        self.store.data_mut().effects.clear();
        let done = self.handler.configure(&mut self.store, config);
        let done = done.map_err(|error| failure(&error, self.store.data()))?;
        Ok(done.map_err(|mut said| {
            said.truncate(said.floor_char_boundary(SAID));
            said
        }))
    }
}
