//! What differs between two configurations, and what it takes to apply it.

use crate::ChainSpec;
use crate::{Binding, Cluster, Config, Listener, Protocol, RouteSpec};
use std::fmt::{self, Debug};
use weir_core::Limits;

/// One difference between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What differs: `listener "chat": limits`.
    pub what: String,
    /// How.
    pub difference: Difference,
    /// What it takes.
    pub applies: Applies,
}

/// How an item differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the words that the type explains")]
pub enum Difference {
    Added,
    Removed,
    Changed,
}

/// What a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// Open connections stay, and meet it at their next message.
    Live,
    /// Sockets, threads or places in the routing table change, which are fixed for a process.
    Restart,
}

/// One line: `changed listener "chat": limits (live)`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let difference = match self.difference {
            Difference::Added => "added",
            Difference::Removed => "removed",
            Difference::Changed => "changed",
        };
        let applies = match self.applies {
            Applies::Live => "live",
            Applies::Restart => "needs a restart",
        };
        write!(f, "{difference} {} ({applies})", self.what)
    }
}

impl Config {
    /// What would change if `other` took the place of this configuration.
    pub fn diff(&self, other: &Self) -> Vec<Change> {
        let clusters = self.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        let mut changes = Changes { found: Vec::new(), clusters };
        changes.compare("[runtime]", &self.runtime, &other.runtime, Applies::Restart);
        changes.compare("[overload]", &self.overload, &other.overload, Applies::Restart);
        changes.compare("[admin]", &self.admin, &other.admin, Applies::Restart);
        changes.compare("[tap]", &self.tap, &other.tap, Applies::Restart);
        changes.compare("[log]", &self.log, &other.log, Applies::Restart);
        changes.compare("[plugins] dir", &self.plugins.dir, &other.plugins.dir, Applies::Restart);
        changes.compare("[plugins] cache", &self.plugins.cache, &other.plugins.cache, Applies::Restart);
        changes.compare("[plugins] state", &self.plugins.state, &other.plugins.state, Applies::Restart);
        let compiling = |config: &Self| {
            let crate::Plugins { max_module, compile_time, compile_memory, .. } = config.plugins;
            (max_module, compile_time, compile_memory)
        };
        changes.compare(
            "[plugins] max_module, compile_time, compile_memory",
            &compiling(self),
            &compiling(other),
            Applies::Restart,
        );
        changes.compare(
            "[plugins] forget_after",
            &self.plugins.forget_after,
            &other.plugins.forget_after,
            Applies::Live,
        );
        changes.compare("[plugins.defaults]", &self.plugins.defaults, &other.plugins.defaults, Applies::Live);
        changes.items("plugin", &self.bindings, &other.bindings, Applies::Live, |changes, what, one, two| {
            changes.compare(what, one, two, Applies::Live);
        });
        changes.items("listener", &self.listeners, &other.listeners, Applies::Restart, Changes::listener);
        changes.items(
            "cluster",
            &self.clusters,
            &other.clusters,
            Applies::Restart,
            |changes, what, one, two| {
                changes.compare(what, one, two, Applies::Restart);
            },
        );
        changes.found
    }

    /// This configuration with all that `new` changes [live](Applies::Live): what the process that runs it can take up. What a listener
    /// that stays needs, stays with it.
    #[must_use]
    pub fn take_up(&self, new: &Self) -> Self {
        let mut taken = self.clone();
        taken.plugins.defaults = new.plugins.defaults.clone();
        taken.plugins.forget_after = new.plugins.forget_after;
        for listener in &mut taken.listeners {
            if let Some(new) = new.listeners.iter().find(|new| new.name == listener.name) {
                if is_reachable(&new.route, |name| self.clusters.iter().any(|cluster| cluster.name == name)) {
                    listener.route = new.route.clone();
                }
                listener.chain = new.chain.clone();
                listener.join.clone_from(&new.join);
                listener.limits = with_sockets_of(new, listener);
                listener.conflate.clone_from(&new.conflate);
            }
        }
        let chains = taken.listeners.iter().filter_map(|listener| match &listener.chain {
            ChainSpec::Named(names) => Some(names),
            ChainSpec::Auto => None,
        });
        let named: Vec<_> = chains.flatten().cloned().collect();
        let is_new = |name: &str| new.bindings.iter().any(|binding| binding.name == name);
        taken.bindings.retain(|binding| !is_new(&binding.name) && named.contains(&binding.name));
        taken.bindings.extend(new.bindings.iter().cloned().map(|mut binding| {
            // Where the directory is another only after a restart, its files are those of the one that is watched.
            if let Ok(inside) = binding.module.strip_prefix(&new.plugins.dir) {
                binding.module = self.plugins.dir.join(inside);
            }
            binding
        }));
        taken
    }
}

fn is_reachable(route: &RouteSpec, has: impl Fn(&str) -> bool) -> bool {
    match route {
        RouteSpec::Cluster(name) => has(name),
        _ => true,
    }
}

/// The limits of `new`, but for those that the sockets of `old` have taken with them.
fn with_sockets_of(new: &Listener, old: &Listener) -> Limits {
    let kept = &old.limits;
    let mut limits = Limits {
        message: kept.message,
        fragments: kept.fragments,
        heartbeat: kept.heartbeat,
        handshake_timeout: kept.handshake_timeout,
        upgrade_timeout: kept.upgrade_timeout,
        connections: kept.connections,
        connections_per_client: kept.connections_per_client,
        client_network: kept.client_network,
        ..new.limits.clone()
    };
    if matches!(old.protocol, Protocol::Quic { .. }) {
        // QUIC asks and times out by itself.
        (limits.idle_timeout, limits.ping_interval) = (kept.idle_timeout, kept.ping_interval);
    }
    limits
}

/// What has a name.
trait Named {
    fn name(&self) -> &str;
}

impl Named for Binding {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Listener {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Cluster {
    fn name(&self) -> &str {
        &self.name
    }
}

struct Changes<'a> {
    found: Vec<Change>,
    /// Those that the process has.
    clusters: Vec<&'a str>,
}

impl Changes<'_> {
    /// By what they show: not every type of other crates can be compared, and a diff is no hot path.
    fn compare<T: Debug>(&mut self, what: &str, one: &T, two: &T, applies: Applies) {
        if format!("{one:?}") != format!("{two:?}") {
            self.found.push(Change { what: what.to_owned(), difference: Difference::Changed, applies });
        }
    }

    /// Items of one kind, matched by name. `applies` says what adding or removing one takes.
    fn items<T: Named>(
        &mut self,
        kind: &str,
        one: &[T],
        two: &[T],
        applies: Applies,
        changed: impl Fn(&mut Self, &str, &T, &T),
    ) {
        let label = |item: &T| format!("{kind} \"{}\"", item.name());
        for old in one {
            match two.iter().find(|new| new.name() == old.name()) {
                Some(new) => changed(self, &label(old), old, new),
                None => {
                    self.found.push(Change { what: label(old), difference: Difference::Removed, applies });
                }
            }
        }
        for new in two.iter().filter(|new| !one.iter().any(|old| old.name() == new.name())) {
            self.found.push(Change { what: label(new), difference: Difference::Added, applies });
        }
    }

    /// A listener, part by part: sockets are fixed, what messages meet is not.
    fn listener(&mut self, what: &str, one: &Listener, two: &Listener) {
        let part = |name: &str| format!("{what}: {name}");
        self.compare(&part("bind"), &one.bind, &two.bind, Applies::Restart);
        self.compare(&part("protocol"), &one.protocol, &two.protocol, Applies::Restart);
        self.compare(&part("tls"), &one.tls, &two.tls, Applies::Restart);
        self.compare(&part("accept_rate"), &one.accept_rate, &two.accept_rate, Applies::Restart);
        self.compare(&part("chain"), &one.chain, &two.chain, Applies::Live);
        let reachable = is_reachable(&two.route, |name| self.clusters.contains(&name));
        let applies = if reachable { Applies::Live } else { Applies::Restart };
        self.compare(&part("route"), &one.route, &two.route, applies);
        self.compare(&part("join"), &one.join, &two.join, Applies::Live);
        let taken = with_sockets_of(two, one);
        self.compare(&part("limits"), &one.limits, &taken, Applies::Live);
        let (names, old, new) = ("limits of its sockets", &taken, &two.limits);
        self.compare(&part(names), old, new, Applies::Restart);
        self.compare(&part("resume"), &one.resume, &two.resume, Applies::Restart);
        self.compare(&part("conflate"), &one.conflate, &two.conflate, Applies::Live);
    }
}
