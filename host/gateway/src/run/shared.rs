//! What the workers, the keeper of the plugins and the admin server have in common.

use super::orders::Orders;
use super::overload::{Beat, View};
use crate::tap::{Loudest, Redaction, Views};
use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;
use weir_core::{CallTotals, Directory, Snapshot, WorkerStats};
use weir_plugin::{BindingStatus, Catalogue};

/// One for the process.
pub(crate) struct Shared {
    /// One a worker.
    pub(crate) stats: Vec<Arc<WorkerStats>>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    /// By listener id.
    pub(crate) listener_names: Vec<String>,
    /// By cluster id.
    pub(crate) cluster_names: Vec<String>,
    /// When the time zero of the workers was.
    pub(crate) began: SystemTime,
    /// Who looks on messages.
    pub(crate) views: Arc<Views>,
    /// Who has the most of them.
    pub(crate) loudest: Loudest,
    /// What nobody is shown of them.
    pub(crate) redaction: Redaction,
    /// What `/readyz` says.
    pub(crate) ready: AtomicBool,
    pub(crate) overload: View,
    /// One a worker.
    pub(crate) beats: Arc<[Beat]>,
    /// Set before the first worker starts.
    pub(crate) catalogue: ArcSwapOption<Catalogue>,
    /// Likewise.
    pub(crate) orders: OnceLock<Orders>,
    /// Lines of the audit log that could not be written.
    pub(crate) audit_failures: Arc<AtomicU64>,
}

/// One binding.
#[derive(Clone)]
pub(crate) struct BindingView {
    pub(crate) name: Arc<str>,
    /// 0: no generation of it has ever served.
    pub(crate) generation: u64,
    /// Of all its generations.
    pub(crate) totals: CallTotals,
    /// Of the sessions, that try a new generation; 0: none is tried.
    pub(crate) canary: f64,
    /// Generations that serve some session.
    pub(crate) serving: u64,
    /// An operator has taken it out of all chains.
    pub(crate) disabled: bool,
    /// Generations that were taken back.
    pub(crate) taken_back: u64,
}

impl Shared {
    /// Of a gateway that has not begun: these listeners and clusters by their ids, no snapshot and no catalogue.
    pub(crate) fn new(
        workers: usize,
        listener_names: Vec<String>,
        cluster_names: Vec<String>,
        redaction: Redaction,
        audit_failures: Arc<AtomicU64>,
    ) -> Self {
        let stats = || Arc::new(WorkerStats::new(listener_names.len(), cluster_names.len()));
        Self {
            stats: (0..workers).map(|_| stats()).collect(),
            directory: Arc::new(Directory::new(workers)),
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())),
            listener_names,
            cluster_names,
            began: SystemTime::now(),
            views: Arc::default(),
            loudest: Loudest::default(),
            redaction,
            ready: AtomicBool::new(false),
            overload: View::default(),
            beats: (0..workers).map(|_| Beat::default()).collect(),
            catalogue: ArcSwapOption::empty(),
            orders: OnceLock::new(),
            audit_failures,
        }
    }

    /// The JSON of `/v1/plugins`: every binding, and the chains as they are now.
    pub(crate) fn plugin_status(&self) -> serde_json::Value {
        let snapshot = self.snapshot.load();
        let chain = |listener: &weir_core::ListenerPolicy| {
            let links = listener.chain.links().iter();
            let links: Vec<_> =
                links.map(|link| json!({ "binding": &*link.name, "generation": link.generation })).collect();
            json!({ "listener": &*listener.name, "chain": links })
        };
        let bindings = self.catalogue.load().as_ref().map(|catalogue| catalogue.status()).unwrap_or_default();
        json!({
            "bindings": bindings,
            "chains": snapshot.listeners.iter().map(chain).collect::<Vec<_>>(),
        })
    }

    /// Every binding with its counters.
    pub(crate) fn bindings(&self) -> Vec<BindingView> {
        let Some(catalogue) = &*self.catalogue.load() else { return Vec::new() };
        let view = |status: BindingStatus| {
            let totals = catalogue.store(&status.name)?.totals();
            let generation = status.serving.as_ref().map_or(0, |serving| serving.generation);
            let canary =
                status.rollout.map_or(0.0, |rollout| if rollout.share < 1.0 { rollout.share } else { 0.0 });
            let disabled = status.disabled_ms.is_some();
            let serving = u64::from(generation > 0) + u64::from(canary > 0.0) + status.pinned.len() as u64;
            let (serving, canary) = if disabled { (0, 0.0) } else { (serving, canary) };
            let (name, taken_back) = ((*status.name).into(), status.taken_back);
            Some(BindingView { name, generation, totals, canary, serving, disabled, taken_back })
        };
        catalogue.status().into_iter().filter_map(view).collect()
    }
}
