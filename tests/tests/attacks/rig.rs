//! What every attack needs: the machine to itself, how many attackers there are, a gateway, and a line with the figure.

use std::io::Write as _;
use tokio::sync::{Mutex, MutexGuard};
use weir_tests::certificate::Authority;
use weir_tests::{Gateway, Metrics};

static ALONE: Mutex<()> = Mutex::const_new(());

/// Held during an attack: figures are of one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.blocking_lock()
}

/// The same for an attack whose test is a task.
pub(crate) async fn alone_too() -> MutexGuard<'static, ()> {
    ALONE.lock().await
}

/// The second number in the long form, `make attacks`, else the first.
pub(crate) fn scaled<T>(short: T, long: T) -> T {
    if std::env::var_os("WEIR_ATTACKS").is_some_and(|form| form == "long") { long } else { short }
}

/// Prints a row's figure, past the capture of the test harness: it is what the run is for.
pub(crate) fn figure(row: &str, figure: &str) {
    let _ = writeln!(std::io::stdout().lock(), "attack: {row}: {figure}");
}

/// A gateway with one worker, so that attackers and honest sessions share it. Listeners come without `bind`; where they want a
/// certificate, `cert.pem` and `key.pem` are there.
pub(crate) fn gateway(listeners: &str) -> Gateway {
    start(1, listeners)
}

/// The same with so many workers.
pub(crate) fn start(workers: usize, listeners: &str) -> Gateway {
    let bound = listeners.replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nprotocol");
    let config = format!("[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = {workers}\n{bound}");
    Gateway::prepare(&config, &[]).with(|dir| Authority::default().write(dir)).start()
}

pub(crate) fn closed(metrics: &Metrics, reason: &str) -> u64 {
    metrics.sum("sessions_closed", &[("reason", reason)])
}
