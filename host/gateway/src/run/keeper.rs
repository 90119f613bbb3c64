//! The keeper of the plugins: a thread that looks at the directory, has the catalogue prepare what is new, and gives the workers a new
//! snapshot. Nothing here runs on a worker.

use super::assemble::{self, Assembly};
use super::config_files::ConfigFiles;
use super::directory::{self, Directory};
use super::ids::Ids;
use super::orders::{Order, Orders};
use super::shared::Shared;
use super::spec::spec_of;
use anyhow::{Context, bail};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use weir_config::{Binding, ChainSpec, Config, PluginSettings};
use weir_core::{Chain, Link, Snapshot};
use weir_plugin::{
    BindingState, Catalogue, Change, LOOK, MAX_SIGNATURE, Outcome, Refusal, StateStore, Trust,
};
use weir_transport::Tokens;

/// The directory is looked at this often whatever is heard of it: some file systems say nothing.
const RESCAN: Duration = Duration::from_secs(30);
/// How often expired keys are dropped.
const ROUND: Duration = Duration::from_secs(1);

/// Everything that turns files into chains.
pub(crate) struct Keeper {
    /// What is in force.
    pub(super) config: Config,
    /// Where it came from.
    pub(super) files: Option<ConfigFiles>,
    pub(super) directory: Directory,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) defaults: PluginSettings,
    /// Those of the configuration, by the file's name in the directory, or its path elsewhere.
    pub(super) named: BTreeMap<String, Vec<Binding>>,
    /// By listener.
    pub(super) chains: Vec<ChainSpec>,
    pub(super) ids: Ids,
    /// The files that are there, with the bindings of each, in the order of their names.
    pub(super) present: BTreeMap<String, Vec<Arc<str>>>,
    /// Bindings whose files are gone, and since when.
    pub(super) gone: BTreeMap<Arc<str>, Instant>,
    /// Listeners, clusters and names; without chains.
    pub(super) base: Snapshot,
    pub(super) tokens: Arc<Tokens>,
    pub(super) workers: usize,
    pub(super) max_module: usize,
    trust: Trust,
    version: u64,
}

/// Watches until it is dropped.
pub(crate) struct Watch {
    _watchers: [Option<RecommendedWatcher>; 2],
}

impl Keeper {
    /// Finds the directory; looks at no file yet.
    pub(crate) fn new(
        config: &Config,
        file: Option<&Path>,
        assembly: &Assembly,
        state: StateStore,
    ) -> anyhow::Result<Self> {
        let dir = &config.plugins.dir;
        if !dir.is_dir() {
            if !config.plugins.dir_is_default {
                bail!("the plugin directory {} is not there; make it, or change plugins.dir", dir.display());
            }
            fs::create_dir_all(dir)
                .with_context(|| format!("cannot make the plugin directory {}", dir.display()))?;
        }
        let named = by_file(config);
        let clusters = assemble::cluster_policies(config, &assembly.clusters);
        let cluster_names = clusters.iter().enumerate();
        let cluster_names = cluster_names
            .map(|(at, cluster)| (cluster.name.clone(), weir_core::ClusterId(at as u16)))
            .collect();
        let base = Snapshot {
            version: 0,
            era: weir_core::Era(0),
            listeners: assemble::listener_policies(config, &assembly.tokens, assembly.workers),
            clusters,
            cluster_names,
            bindings: Vec::new(),
        };
        Ok(Self {
            config: config.clone(),
            files: file.map(|file| ConfigFiles::new(file.to_owned())),
            directory: Directory::new(dir.clone(), directory::also(named.keys())),
            catalogue: Arc::new(Catalogue::new(assembly.runtime.clone(), state)),
            defaults: config.plugins.defaults.clone(),
            named,
            chains: config.listeners.iter().map(|listener| listener.chain.clone()).collect(),
            ids: Ids::default(),
            present: BTreeMap::new(),
            gone: BTreeMap::new(),
            base,
            tokens: Arc::clone(&assembly.tokens),
            workers: assembly.workers,
            max_module: assembly.runtime.options().max_module,
            trust: Trust::new(config.plugins.signed_by.clone()),
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
        let (orders, ordered) = Orders::new(poke.clone());
        // Set once: a process has one keeper.
        let _ = shared.orders.set(orders);
        let config_watcher = self.files.as_ref().and_then(|files| {
            let watcher = files.watch(poke.clone());
            let told =
                |error| tracing::warn!(%error, "the system does not tell of changes of the configuration");
            watcher.map_err(told).ok()
        });
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
            .spawn(move || self.rounds(&poked, &ordered, rescan, &shared, &refresh))?;
        Ok(Watch { _watchers: [watcher, config_watcher] })
    }

    fn rounds(
        &mut self,
        poked: &Receiver<()>,
        orders: &Receiver<Order>,
        rescan: Duration,
        shared: &Shared,
        refresh: &[Arc<Notify>],
    ) {
        let mut look_at = Instant::now();
        let mut round_at = Instant::now() + ROUND;
        let mut watch_at = Instant::now() + LOOK;
        loop {
            let watch = if self.catalogue.is_watching() { watch_at } else { round_at };
            let wait = look_at.min(round_at).min(watch).saturating_duration_since(Instant::now());
            match poked.recv_timeout(wait) {
                Ok(()) => look_at = Instant::now(),
                Err(RecvTimeoutError::Timeout) => {}
                // Without anybody who could poke this thread keeps its own time.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(wait),
            }
            let now = Instant::now();
            let mut changed = false;
            for Order::Reload(answer) in orders.try_iter() {
                let reloaded = self.reload();
                self.publish(shared, refresh);
                // Who asked may have left.
                let _ = answer.send(reloaded);
            }
            if now >= look_at {
                look_at = now + rescan;
                match self.files.as_mut().map_or(Ok(false), |files| files.look(now)) {
                    Ok(false) => {}
                    Ok(true) => {
                        self.reload();
                        changed = true;
                    }
                    Err(again) => look_at = now + again,
                }
                match self.look(true) {
                    Ok((found, again)) => {
                        changed |= found;
                        look_at = again.map_or(look_at, |again| look_at.min(now + again));
                    }
                    Err(error) => {
                        tracing::error!(%error, dir = %self.directory.path().display(), "cannot look into the plugin directory");
                    }
                }
            }
            if now >= watch_at {
                watch_at = now + LOOK;
                changed |= self.log(self.catalogue.watch(now));
            }
            if now >= round_at {
                round_at = now + ROUND;
                self.catalogue.sweep();
                for file in self.catalogue.take_wanted() {
                    changed = true;
                    self.offer(&file);
                }
                self.forget_gone(now);
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
            // Settings or a signature beside a plugin: the plugin is offered again with them.
            let beside = name.strip_suffix(".toml").or_else(|| name.strip_suffix(directory::SIGNATURE));
            let module = beside.map_or_else(|| name.clone(), |stem| format!("{stem}.wasm"));
            if matches!(change, directory::Change::Removed(_)) && module == *name {
                self.present.remove(name);
                let outcomes = self.catalogue.removed(name);
                let now = Instant::now();
                self.gone.extend(outcomes.iter().map(|outcome| (outcome.binding.clone(), now)));
                self.log(outcomes);
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
    pub(super) fn offer(&mut self, file: &str) {
        let path = self.directory.path().join(file);
        let mut specs = Vec::new();
        let mut names = Vec::new();
        for (name, settings) in self.bindings_of(file, &self.named, &self.defaults) {
            self.gone.remove(&name);
            let Some(id) = self.ids.of(&name) else {
                tracing::error!(plugin = &*name, "there are 65,536 plugins already: it gets no traffic");
                continue;
            };
            let spec = spec_of(id, &name, settings.as_ref().unwrap_or(&self.defaults));
            names.push(name);
            match settings {
                Ok(_) => specs.push(spec),
                Err(reason) => {
                    self.log(vec![self.catalogue.refuse(file, &spec, Refusal::Settings(reason))]);
                }
            }
        }
        self.present.insert(file.to_owned(), names);
        let read = read(&path, self.max_module).and_then(|bytes| {
            self.trust.check(&bytes, signature(&path)?.as_deref())?;
            Ok(bytes)
        });
        match read {
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
    pub(super) fn bindings_of(
        &self,
        file: &str,
        named: &BTreeMap<String, Vec<Binding>>,
        defaults: &PluginSettings,
    ) -> Vec<(Arc<str>, Result<PluginSettings, String>)> {
        if let Some(named) = named.get(file) {
            return named
                .iter()
                .map(|binding| (binding.name.as_str().into(), Ok(binding.settings.clone())))
                .collect();
        }
        let stem = file.strip_suffix(".wasm").unwrap_or(file);
        let beside = self.directory.path().join(format!("{stem}.toml"));
        let settings = if beside.is_file() {
            weir_config::sidecar(&beside, defaults).map_err(|errors| errors.to_string())
        } else {
            Ok(defaults.clone())
        };
        vec![(stem.into(), settings)]
    }

    /// Gives the workers a snapshot of what serves now.
    fn publish(&mut self, shared: &Shared, refresh: &[Arc<Notify>]) {
        self.version += 1;
        let mut snapshot = self.base.clone();
        snapshot.version = self.version;
        // Before the links: what serves since then is newer for the sessions that open meanwhile.
        snapshot.era = self.catalogue.era();
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
                Change::Trying { generation, share, window } => {
                    changed = true;
                    tracing::info!(
                        plugin,
                        generation = generation.number(),
                        version = &*generation.manifest().version,
                        sha256 = %generation.digest(),
                        share,
                        window_ms = window.as_millis() as u64,
                        "plugin on trial with a share of the sessions"
                    );
                }
                Change::Promoted(generation) => {
                    changed = true;
                    tracing::info!(
                        plugin,
                        generation = generation.number(),
                        "plugin stood its trial: it serves all sessions"
                    );
                }
                Change::TakenBack { bad, serving, refusal } => {
                    changed = true;
                    tracing::error!(
                        plugin,
                        generation = bad.number(),
                        serving = serving.number(),
                        sha256 = %bad.digest(),
                        "plugin taken back: {refusal}"
                    );
                }
                Change::Drained(generation) => {
                    changed = true;
                    tracing::info!(
                        plugin,
                        generation = generation.number(),
                        "the sessions of a replaced generation meet the newest from now on"
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

/// The bindings of a configuration by their files: the name in the watched directory, or the path elsewhere.
pub(super) fn by_file(config: &Config) -> BTreeMap<String, Vec<Binding>> {
    let mut named: BTreeMap<String, Vec<Binding>> = BTreeMap::new();
    for binding in &config.bindings {
        let inside = binding.module.strip_prefix(&config.plugins.dir).ok().and_then(Path::to_str);
        let key = inside.map_or_else(|| binding.module.to_string_lossy().into_owned(), str::to_owned);
        named.entry(key).or_default().push(binding.clone());
    }
    named
}

/// Reads a file that is not larger than what is looked at.
pub(super) fn read(path: &Path, most: usize) -> Result<Vec<u8>, Refusal> {
    let unreadable = |error: std::io::Error| Refusal::Unreadable(format!("{}: {error}", path.display()));
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > most as u64 {
        return Err(Refusal::TooLarge { size: usize::try_from(size).unwrap_or(usize::MAX), most });
    }
    fs::read(path).map_err(unreadable)
}

/// The signature beside a plugin, if there is one.
fn signature(path: &Path) -> Result<Option<String>, Refusal> {
    let mut path = path.as_os_str().to_owned();
    path.push(".minisig");
    let path = Path::new(&path);
    let unreadable = |error: std::io::Error| Refusal::Unreadable(format!("{}: {error}", path.display()));
    match File::open(path) {
        Ok(file) => {
            let mut text = Vec::new();
            file.take(MAX_SIGNATURE as u64).read_to_end(&mut text).map_err(unreadable)?;
            // What is not text is no signature, and is told so.
            Ok(Some(String::from_utf8_lossy(&text).into_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
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
