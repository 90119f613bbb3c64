//! What every attack needs: the machine to itself, how many attackers there are, a gateway, and a line with the figure.

use std::io::Write as _;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use weir_tests::certificate::Authority;
use weir_tests::gateway::Prepared;
use weir_tests::{Gateway, Metrics, artifact};

static ALONE: Mutex<()> = Mutex::new(());

/// Held during an attack: figures are of one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The second number in the long form, `make attacks`, else the first.
pub(crate) fn scaled<T>(short: T, long: T) -> T {
    if std::env::var_os("WEIR_ATTACKS").is_some_and(|form| form == "long") { long } else { short }
}

/// Prints a row's figure, past the capture of the test harness: it is what the run is for.
pub(crate) fn figure(row: &str, figure: &str) {
    let _ = writeln!(std::io::stdout().lock(), "attack: {row}: {figure}");
}

/// Runs an attack that is a task: on threads that stand where the one that asks does.
pub(crate) fn block_on<T>(attack: impl Future<Output = T>) -> T {
    // The attackers take one core at most.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(attack)
}

/// The listener of the [honest sessions](crate::honest).
pub(crate) const HONEST: &str = "honest";

/// A gateway with one worker, so that attackers and honest sessions share it, and the listeners of both. What it counts is what the
/// attackers lead to.
#[derive(Debug)]
pub(crate) struct Rig(Gateway);

/// Listeners come without `bind`; where they want a certificate, `cert.pem` and `key.pem` are there.
pub(crate) fn gateway(listeners: &str) -> Rig {
    Rig(prepare(listeners).start())
}

/// The same, not started yet, with more of the configuration than listeners.
pub(crate) fn prepare(config: &str) -> Prepared {
    let all =
        format!("{config}\n[[listener]]\nname = \"{HONEST}\"\nprotocol = \"websocket\"\nroute = \"echo\"\n");
    let bound = all.replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nprotocol");
    let config = format!("[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 1\n{bound}");
    Gateway::prepare(&config, &[]).with(|dir| Authority::default().write(dir))
}

/// With the plugin that forwards everything.
pub(crate) fn passthrough(prepared: Prepared) -> Prepared {
    prepared.with(|dir| {
        let plugin = artifact::plugin("passthrough");
        std::fs::copy(plugin, dir.join("plugins/passthrough.wasm")).expect("a plugin");
    })
}

impl Rig {
    pub(crate) fn start(prepared: Prepared) -> Self {
        Self(prepared.start())
    }

    /// A scrape.
    pub(crate) fn metrics(&self) -> Metrics {
        self.0.metrics().without(HONEST)
    }

    /// The same with the honest sessions.
    pub(crate) fn all_metrics(&self) -> Metrics {
        self.0.metrics()
    }

    /// See [`Gateway::settle`].
    pub(crate) fn settle(&self, what: &str, fits: impl Fn(&Metrics) -> bool) -> Metrics {
        self.0.settle_without(Some(HONEST), what, fits)
    }
}

impl Deref for Rig {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.0
    }
}

pub(crate) fn closed(metrics: &Metrics, reason: &str) -> u64 {
    metrics.sum("sessions_closed", &[("reason", reason)])
}
