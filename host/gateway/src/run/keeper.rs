//! The keeper of the plugins: a thread that looks at the directory, has the catalogue prepare what is new, and gives the workers a new
//! snapshot. Nothing here runs on a worker.

use super::assemble::{self, Assembly};
use super::directory::{self, Directory};
use super::shared::Shared;
use anyhow::{Context, bail};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use weir_config::{Binding, ChainSpec, Config, Grant, PluginSettings};
use weir_core::{BindingId, Chain, Link, Snapshot};
use weir_plugin::{
    BindingSpec, BindingState, Capability, Catalogue, Change, Outcome, PluginLimits, Probation, Refusal,
};

/// The directory is looked at this often whatever is heard of it: some file systems say nothing.
const RESCAN: Duration = Duration::from_secs(30);
/// How often generations on probation are judged, and expired keys dropped.
const ROUND: Duration = Duration::from_secs(1);

/// Everything that turns files into chains.
pub(crate) struct Keeper {
    directory: Directory,
    catalogue: Arc<Catalogue>,
    defaults: PluginSettings,
    /// Those of the configuration, by the file's name in the directory, or its path elsewhere.
    named: BTreeMap<String, Vec<Binding>>,
    /// By listener.
    chains: Vec<ChainSpec>,
    ids: HashMap<Arc<str>, BindingId>,
    /// The files that are there, with the bindings of each, in the order of their names.
    present: BTreeMap<String, Vec<Arc<str>>>,
    /// Listeners, clusters and names; without chains.
    base: Snapshot,
    max_module: usize,
    version: u64,
}

/// Watches until it is dropped.
pub(crate) struct Watch {
    _watcher: Option<RecommendedWatcher>,
}

impl Keeper {
    /// Finds the directory; looks at no file yet.
    pub(crate) fn new(config: &Config, assembly: &Assembly) -> anyhow::Result<Self> {
        let dir = &config.plugins.dir;
        if !dir.is_dir() {
            if !config.plugins.dir_is_default {
                bail!("the plugin directory {} is not there; make it, or change plugins.dir", dir.display());
            }
            fs::create_dir_all(dir)
                .with_context(|| format!("cannot make the plugin directory {}", dir.display()))?;
        }
        let mut named: BTreeMap<String, Vec<Binding>> = BTreeMap::new();
        for binding in &config.bindings {
            let inside = binding.module.strip_prefix(dir).ok().and_then(Path::to_str);
            let key = inside.map_or_else(|| binding.module.to_string_lossy().into_owned(), str::to_owned);
            named.entry(key).or_default().push(binding.clone());
        }
        let clusters = assemble::cluster_policies(config, &assembly.clusters);
        let cluster_names = clusters.iter().enumerate();
        let cluster_names = cluster_names
            .map(|(at, cluster)| (cluster.name.clone(), weir_core::ClusterId(at as u16)))
            .collect();
        let base = Snapshot {
            version: 0,
            listeners: assemble::listener_policies(config, &assembly.tokens, assembly.workers),
            clusters,
            cluster_names,
            bindings: Vec::new(),
        };
        Ok(Self {
            directory: Directory::new(dir.clone(), named.keys().map(Into::into).collect()),
            catalogue: Arc::new(Catalogue::new(assembly.runtime.clone(), Probation::default())),
            defaults: config.plugins.defaults.clone(),
            named,
            chains: config.listeners.iter().map(|listener| listener.chain.clone()).collect(),
            ids: HashMap::new(),
            present: BTreeMap::new(),
            base,
            max_module: assembly.runtime.options().max_module,
            version: 0,
        })
    }

    /// Prepares what is there at the start. An error is what keeps the gateway from starting: a chain that names a binding which cannot
    /// serve would let messages pass that the plugin is there to stop.
    pub(crate) fn first_look(&mut self) -> anyhow::Result<()> {
        self.look(false).with_context(|| format!("cannot look into {}", self.directory.path().display()))?;
        for chain in &self.chains {
            let ChainSpec::Named(names) = chain else { continue };
            for name in names {
                if self.catalogue.serving(name).is_some() {
                    continue;
                }
                if let Some((_, reason)) = self.refused().find(|(binding, _)| &**binding == name) {
                    bail!("plugin \"{name}\": {reason}");
                }
                let mut files = self.named.iter();
                let file = files.find(|(_, bindings)| bindings.iter().any(|binding| binding.name == *name));
                bail!(
                    "plugin \"{name}\": {} is not there; put it there, or take the plugin out of the chains",
                    self.directory.path().join(file.map_or("", |(file, _)| file)).display()
                );
            }
        }
        Ok(())
    }

    /// How many bindings serve.
    pub(crate) fn serving(&self) -> usize {
        self.catalogue.status().iter().filter(|binding| binding.serving.is_some()).count()
    }

    /// Bindings whose last file or config was refused, and why.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (Box<str>, String)> + use<> {
        self.catalogue.status().into_iter().filter_map(|binding| match binding.state {
            BindingState::Refused { reason } => Some(((*binding.name).into(), reason)),
            _ => None,
        })
    }

    /// Publishes what the first look found and goes on looking, on a thread of its own.
    pub(crate) fn keep(mut self, shared: Arc<Shared>, refresh: Vec<Arc<Notify>>) -> anyhow::Result<Watch> {
        shared.catalogue.store(Some(self.catalogue.clone()));
        self.publish(&shared, &refresh);
        let (poke, poked) = sync_channel(1);
        let watcher = match watch(self.directory.path(), poke) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "the system does not tell of changes in the plugin directory: looking every 2 s");
                None
            }
        };
        let rescan = if watcher.is_some() { RESCAN } else { Duration::from_secs(2) };
        thread::Builder::new()
            .name("plugins".into())
            .spawn(move || self.rounds(&poked, rescan, &shared, &refresh))?;
        Ok(Watch { _watcher: watcher })
    }

    fn rounds(&mut self, poked: &Receiver<()>, rescan: Duration, shared: &Shared, refresh: &[Arc<Notify>]) {
        let mut look_at = Instant::now();
        let mut round_at = Instant::now() + ROUND;
        loop {
            let wait = look_at.min(round_at).saturating_duration_since(Instant::now());
            match poked.recv_timeout(wait) {
                Ok(()) => look_at = Instant::now(),
                Err(RecvTimeoutError::Timeout) => {}
                // Without a watcher there is nobody to poke, and this thread keeps its own time.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(wait),
            }
            let now = Instant::now();
            let mut changed = false;
            if now >= look_at {
                look_at = now + rescan;
                match self.look(true) {
                    Ok((found, again)) => {
                        changed |= found;
                        look_at = again.map_or(look_at, |again| now + again);
                    }
                    Err(error) => {
                        tracing::error!(%error, dir = %self.directory.path().display(), "cannot look into the plugin directory");
                    }
                }
            }
            if now >= round_at {
                round_at = now + ROUND;
                changed |= self.log(self.catalogue.watch(now));
                self.catalogue.sweep();
            }
            if changed {
                self.publish(shared, refresh);
            }
        }
    }

    /// Looks at the directory once. True if a chain may have changed; and when to look again because something has not settled.
    fn look(&mut self, patient: bool) -> std::io::Result<(bool, Option<Duration>)> {
        let look = self.directory.look(Instant::now(), patient)?;
        let mut touched: Vec<String> = Vec::new();
        for change in look.changes {
            let (directory::Change::Written(name) | directory::Change::Removed(name)) = &change;
            let module = match name.strip_suffix(".toml") {
                // Settings beside a plugin: the plugin is offered again with them.
                Some(stem) => format!("{stem}.wasm"),
                None => name.clone(),
            };
            if matches!(change, directory::Change::Removed(_)) && module == *name {
                self.present.remove(name);
                self.log(self.catalogue.removed(name));
            }
            if !touched.contains(&module) {
                touched.push(module);
            }
        }
        let changed = !touched.is_empty();
        for file in touched {
            if self.directory.has(&file) {
                self.offer(&file);
            }
        }
        Ok((changed, look.again))
    }

    /// Has the catalogue prepare a file for each of its bindings.
    fn offer(&mut self, file: &str) {
        let path = self.directory.path().join(file);
        let mut specs = Vec::new();
        let mut names = Vec::new();
        for (name, settings) in self.bindings_of(file) {
            let spec = self.spec(&name, settings.as_ref().unwrap_or(&self.defaults.clone()));
            names.push(name);
            match settings {
                Ok(_) => specs.push(spec),
                Err(reason) => {
                    self.log(vec![self.catalogue.refuse(file, &spec, Refusal::Settings(reason))]);
                }
            }
        }
        self.present.insert(file.to_owned(), names);
        match read(&path, self.max_module) {
            Ok(bytes) => {
                self.log(self.catalogue.offer(file, &bytes, &specs));
            }
            Err(refusal) => {
                // What is too large stays so until it changes.
                if matches!(refusal, Refusal::Unreadable(_)) {
                    self.directory.forget_report(file);
                }
                let outcomes =
                    specs.iter().map(|spec| self.catalogue.refuse(file, spec, refusal.clone())).collect();
                self.log(outcomes);
            }
        }
    }

    /// The bindings of a file: those that the configuration names, else one with the file's stem as its name and the settings of the
    /// file beside it.
    fn bindings_of(&self, file: &str) -> Vec<(Arc<str>, Result<PluginSettings, String>)> {
        if let Some(named) = self.named.get(file) {
            return named
                .iter()
                .map(|binding| (binding.name.as_str().into(), Ok(binding.settings.clone())))
                .collect();
        }
        let stem = file.strip_suffix(".wasm").unwrap_or(file);
        let beside = self.directory.path().join(format!("{stem}.toml"));
        let settings = if beside.is_file() {
            weir_config::sidecar(&beside, &self.defaults).map_err(|errors| errors.to_string())
        } else {
            Ok(self.defaults.clone())
        };
        vec![(stem.into(), settings)]
    }

    fn spec(&mut self, name: &Arc<str>, settings: &PluginSettings) -> BindingSpec {
        let next = BindingId(self.ids.len() as u16);
        let id = *self.ids.entry(name.clone()).or_insert(next);
        let capability = |grant: &Grant| match grant {
            Grant::Kv => Some(Capability::Kv),
            Grant::Messaging => Some(Capability::Messaging),
            Grant::Groups => Some(Capability::Groups),
            Grant::Timers => Some(Capability::Timers),
            Grant::Random => Some(Capability::Random),
            _ => None,
        };
        let empty = settings.config.as_object().is_some_and(serde_json::Map::is_empty);
        BindingSpec {
            id,
            name: name.clone(),
            config: if empty { serde_json::Value::Null } else { settings.config.clone() },
            limits: PluginLimits {
                memory: settings.memory,
                deadline: settings.deadline,
                max_output: settings.max_output,
                max_effects: settings.max_effects,
                log_rate: settings.log_rate,
                ..PluginLimits::default()
            },
            grants: settings.grants.iter().filter_map(capability).collect(),
            on_failure: settings.on_failure,
            when: settings.when.as_ref().map(|when| Arc::new(super::when::filter(when))),
        }
    }

    /// Gives the workers a snapshot of what serves now.
    fn publish(&mut self, shared: &Shared, refresh: &[Arc<Notify>]) {
        self.version += 1;
        let mut snapshot = self.base.clone();
        snapshot.version = self.version;
        for (listener, chain) in snapshot.listeners.iter_mut().zip(&self.chains) {
            listener.chain = Chain::new(self.links(chain));
            for link in listener.chain.links() {
                if !snapshot.bindings.iter().any(|known| known.binding == link.binding) {
                    snapshot.bindings.push(link.clone());
                }
            }
        }
        shared.snapshot.store(Arc::new(snapshot));
        for worker in refresh {
            worker.notify_one();
        }
    }

    fn links(&self, chain: &ChainSpec) -> Vec<Link> {
        match chain {
            // A chain that names a binding keeps its last good generation when the file is gone or the next is refused.
            ChainSpec::Named(names) => names.iter().filter_map(|name| self.catalogue.link(name)).collect(),
            ChainSpec::Auto => {
                self.present.values().flatten().filter_map(|name| self.catalogue.link(name)).collect()
            }
        }
    }

    /// Logs what became of offers. True if a chain may have changed.
    fn log(&self, outcomes: Vec<Outcome>) -> bool {
        let mut changed = false;
        for Outcome { binding, change } in outcomes {
            let plugin = &*binding;
            match change {
                Change::Unchanged => {}
                Change::Swapped(generation) => {
                    changed = true;
                    let manifest = generation.manifest();
                    tracing::info!(
                        plugin,
                        generation = generation.number(),
                        name = &*manifest.name,
                        version = &*manifest.version,
                        sha256 = %generation.digest(),
                        "plugin serves"
                    );
                }
                Change::Refused(refusal) => {
                    let serving = self.catalogue.serving(plugin).map(|generation| generation.number());
                    let then = match serving {
                        Some(_) => "the generation before it serves on",
                        None => "it gets no traffic",
                    };
                    tracing::error!(plugin, serving, "plugin refused: {refusal} ({then})");
                }
                Change::Missing => {
                    changed = true;
                    tracing::warn!(
                        plugin,
                        "plugin file is gone: automatic chains go on without it, named ones with its last generation"
                    );
                }
                _ => changed = true,
            }
        }
        changed
    }
}

/// Reads a file that is not larger than what is looked at.
fn read(path: &Path, most: usize) -> Result<Vec<u8>, Refusal> {
    let unreadable = |error: std::io::Error| Refusal::Unreadable(format!("{}: {error}", path.display()));
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > most as u64 {
        return Err(Refusal::TooLarge { size: usize::try_from(size).unwrap_or(usize::MAX), most });
    }
    fs::read(path).map_err(unreadable)
}

/// Pokes at any event in the directory, or on its name. What happened is found out by looking: an event can be lost, or come without
/// a path.
fn watch(dir: &Path, poke: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    let real = dir.canonicalize().ok();
    let parent = real.as_deref().and_then(Path::parent).map(Path::to_owned);
    let around = parent.clone();
    let names: Vec<_> = real.into_iter().chain(std::path::absolute(dir)).collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let idle = event.is_ok_and(|event| {
            // Looking makes events too: only what may have changed something is a reason to look.
            let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
            let looked_at = event.kind.is_access() && event.kind != written;
            // Beside the directory may lie a log that grows with every session.
            let beside = |path: &PathBuf| path.parent() == around.as_deref() && !names.contains(path);
            looked_at || (!event.paths.is_empty() && event.paths.iter().all(beside))
        });
        if !idle {
            // One poke that is not yet taken is as good as two.
            let _ = poke.try_send(());
        }
    })?;
    watcher.watch(dir, RecursiveMode::NonRecursive)?;
    if let Some(parent) = parent {
        // So that a directory that is replaced as a whole is noticed; not being allowed to is no harm.
        let _ = watcher.watch(&parent, RecursiveMode::NonRecursive);
    }
    Ok(watcher)
}
