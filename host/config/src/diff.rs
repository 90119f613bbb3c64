//! What differs between two configurations, and what it takes to apply it.

use crate::{Binding, Cluster, Config, Listener};
use std::fmt::{self, Debug};

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
        let mut changes = Changes(Vec::new());
        changes.compare("[runtime]", &self.runtime, &other.runtime, Applies::Restart);
        changes.compare("[overload]", &self.overload, &other.overload, Applies::Restart);
        changes.compare("[admin]", &self.admin, &other.admin, Applies::Restart);
        changes.compare("[log]", &self.log, &other.log, Applies::Restart);
        changes.compare("[plugins] dir", &self.plugins.dir, &other.plugins.dir, Applies::Restart);
        changes.compare("[plugins] cache", &self.plugins.cache, &other.plugins.cache, Applies::Restart);
        changes.compare("[plugins] state", &self.plugins.state, &other.plugins.state, Applies::Restart);
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
        changes.0
    }
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

struct Changes(Vec<Change>);

impl Changes {
    /// By what they show: not every type of other crates can be compared, and a diff is no hot path.
    fn compare<T: Debug>(&mut self, what: &str, one: &T, two: &T, applies: Applies) {
        if format!("{one:?}") != format!("{two:?}") {
            self.0.push(Change { what: what.to_owned(), difference: Difference::Changed, applies });
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
                None => self.0.push(Change { what: label(old), difference: Difference::Removed, applies }),
            }
        }
        for new in two.iter().filter(|new| !one.iter().any(|old| old.name() == new.name())) {
            self.0.push(Change { what: label(new), difference: Difference::Added, applies });
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
        self.compare(&part("route"), &one.route, &two.route, Applies::Live);
        self.compare(&part("join"), &one.join, &two.join, Applies::Live);
        self.compare(&part("limits"), &one.limits, &two.limits, Applies::Live);
        self.compare(&part("resume"), &one.resume, &two.resume, Applies::Restart);
        self.compare(&part("conflate"), &one.conflate, &two.conflate, Applies::Live);
    }
}
