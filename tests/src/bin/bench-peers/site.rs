//! A system under test: what runs, and how it is spoken to for each kind of work.

use crate::dialect::Dialect;
use crate::process::Process;
use crate::usage;
use anyhow::Result;
use std::collections::BTreeSet;
use std::rc::Rc;
use weir_tests::Gateway;

/// What runs. Several sites may share it.
pub(crate) enum Running {
    Weir(Box<Gateway>),
    /// A peer, and services of its own that are not part of what is measured.
    Peer(Process, #[expect(dead_code, reason = "they run as long as it is held")] Vec<Process>),
}

/// One side of a comparison.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) running: Rc<Running>,
    /// For what is sent and comes back.
    pub(crate) talk: Option<Dialect>,
    /// For who publishes to the group, and for who is in it.
    pub(crate) group: Option<(Dialect, Dialect)>,
    /// For sessions that say nothing.
    pub(crate) idle: Option<Dialect>,
}

impl Site {
    pub(crate) fn new(name: &'static str, running: Rc<Running>) -> Self {
        Self { name, running, talk: None, group: None, idle: None }
    }

    pub(crate) fn talk(mut self, dialect: Dialect) -> Self {
        self.talk = Some(dialect);
        self
    }

    pub(crate) fn group(mut self, publish: Dialect, member: Dialect) -> Self {
        self.group = Some((publish, member));
        self
    }

    pub(crate) fn idle(mut self, dialect: Dialect) -> Self {
        self.idle = Some(dialect);
        self
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        match &*self.running {
            Running::Weir(gateway) => gateway.pid(),
            Running::Peer(process, _) => process.pid(),
        }
    }

    /// The processes that are measured: with all that it has started.
    pub(crate) fn pids(&self) -> BTreeSet<u32> {
        usage::tree(self.pid())
    }
}

/// A system by its name, and how it is started.
pub(crate) type Start<'a> = (&'static str, Box<dyn Fn() -> Result<Vec<Site>> + 'a>);
