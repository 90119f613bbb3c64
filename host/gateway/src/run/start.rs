//! The life of the process: load, bind, serve, drain.

use super::assemble::{self, Assembly};
use super::audit::Audit;
use super::banner;
use super::keeper::Keeper;
use super::load::{self, Loaded};
use super::overload;
use super::shared::Shared;
use super::signals::Signals;
use super::state;
use super::worker::{self, Seat, Stage};
use crate::tap::Redaction;
use crate::{admin, log};
use anyhow::Context;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use weir_core::WorkerId;
use weir_transport::Listeners;

/// Sessions that are told to go in a second, while the drain window leaves time for it: those who take them up again are then not
/// overrun.
const GENTLE: u64 = 500;

/// Runs the gateway until a signal ends it.
pub(crate) fn run(file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let loaded = match load::load(file) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    log::start(loaded.config.log);
    let assembly = assemble::assemble(&loaded.config)?;
    let state = state::open(&loaded.config.plugins)?;
    let audit = Audit::to(loaded.config.plugins.audit.as_deref());
    let mut keeper = Keeper::new(&loaded.config, loaded.file.as_deref(), &assembly, state, audit)?;
    keeper.first_look()?;
    // The main thread's own loop: signals and the admin server. No message passes here.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(loaded, assembly, keeper))
}

async fn serve(loaded: Loaded, assembly: Assembly, keeper: Keeper) -> anyhow::Result<ExitCode> {
    let config = loaded.config;
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let Assembly { workers, listeners, clusters, runtime: _, self_signed, tokens: _ } = assembly;
    let admin = admin::bind(&config.admin).await?;
    let admin_address = admin.address.clone();
    let door = Arc::new(weir_transport::Overload::new(config.overload.retry));
    let (listeners, shares) = weir_transport::bind(listeners, workers, &door)?;

    let began = Instant::now();
    let shared = Arc::new(Shared::new(
        workers,
        config.listeners.iter().map(|listener| listener.name.clone()).collect(),
        config.clusters.iter().map(|cluster| cluster.name.clone()).collect(),
        Redaction::of(&config.tap),
        keeper.audit.failures(),
    ));
    let refresh: Vec<_> = (0..workers).map(|_| Arc::new(Notify::new())).collect();
    // Before any worker: no message shall meet a chain that is not there yet.
    let _watch = keeper.keep(shared.clone(), refresh.clone()).context("cannot watch the plugin directory")?;

    let (stage, staged) = watch::channel(Stage::Serving);
    let (shed, shedding) = watch::channel(None);
    let clusters = Arc::new(clusters);
    let mut threads = Vec::new();
    let ways = worker::mailboxes(workers).into_iter().zip(weir_transport::crossings(workers));
    let seats = shares.into_iter().zip(ways).zip(refresh).enumerate();
    for (number, ((share, (mailboxes, crossing)), refresh)) in seats {
        threads.push(worker::start(Seat {
            id: WorkerId(number as u8),
            shared: shared.clone(),
            share,
            clusters: clusters.clone(),
            began,
            stage: staged.clone(),
            shedding: shedding.clone(),
            refresh,
            mailboxes,
            crossing,
        })?);
    }
    tokio::spawn(admin::serve(admin, shared.clone()));
    tokio::spawn(overload::watch(config.overload.clone(), shared.clone(), door, shed, began));
    banner::show(&config, loaded.file.as_deref(), &listeners, &admin_address, self_signed.as_ref(), workers);
    shared.ready.store(true, Ordering::Release);
    tracing::info!("ready");

    let signal = loop {
        if let Some(signal) = signals.any().await {
            break signal;
        }
        // What becomes of it is in the log.
        let shared = shared.clone();
        tokio::spawn(async move {
            if let Some(orders) = shared.orders.get() {
                orders.reload().await;
            }
        });
    };
    drain(&config.runtime.drain, signal, &mut signals, &shared, &listeners, &stage, threads).await;
    Ok(ExitCode::SUCCESS)
}

/// Ends in order: not ready, then nothing new, then every session is told and what waits for it is written. A second signal ends at
/// once.
async fn drain(
    drain: &weir_config::Drain,
    signal: &str,
    signals: &mut Signals,
    shared: &Shared,
    listeners: &Listeners,
    stage: &watch::Sender<Stage>,
    threads: Vec<JoinHandle<()>>,
) {
    shared.ready.store(false, Ordering::Release);
    // Whoever stops it by hand has no load balancer that must learn of it first.
    let delay = if signal == "SIGINT" { Duration::ZERO } else { drain.ready_delay };
    tracing::info!(signal, delay_ms = delay.as_millis() as u64, "stopping: not ready from now on");
    let in_order = async {
        tokio::time::sleep(delay).await;
        listeners.stop();
        let begun = Instant::now();
        tracing::info!(sessions = sessions(shared), "draining: nothing new is accepted, sessions are closed");
        stage.send_replace(Stage::Draining {
            spread: spread(drain, signal, sessions(shared)),
            retry: drain.retry,
        });
        let ended =
            tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| drop(thread.join())));
        tokio::pin!(ended);
        if tokio::time::timeout(drain.window, &mut ended).await.is_err() {
            tracing::warn!(sessions = sessions(shared), "the drain window is over: cutting what is left");
            stage.send_replace(Stage::Killed);
            let _ = ended.await;
        }
        let left = drain.window.saturating_sub(begun.elapsed());
        // Sessions are gone, but plugins learn of their ends.
        let catalogue = shared.catalogue.load_full();
        let waited = tokio::task::spawn_blocking(move || {
            catalogue.map_or(0, |catalogue| catalogue.wait_for_threads(left))
        });
        let calls = waited.await.unwrap_or_default();
        if calls > 0 {
            tracing::warn!(
                calls,
                "the drain window is over: plugins on threads of their own did not come to all calls"
            );
        }
        tracing::info!("stopped");
    };
    tokio::select! {
        () = in_order => {}
        second = signals.next() => {
            tracing::warn!(signal = second, sessions = sessions(shared), "stopping at once");
            std::process::exit(1);
        }
    }
}

/// Over how long the sessions are told: none of them sooner than it must be, so that they do not all come back at once; all of them
/// early enough to end in the window. Whoever stops it by hand is not kept waiting.
fn spread(drain: &weir_config::Drain, signal: &str, sessions: u64) -> Duration {
    if signal == "SIGINT" {
        return Duration::ZERO;
    }
    let gentle =
        Duration::from_secs(sessions / GENTLE) + Duration::from_millis(sessions % GENTLE * 1_000 / GENTLE);
    gentle.min(drain.window * 3 / 4)
}

fn sessions(shared: &Shared) -> u64 {
    shared
        .stats
        .iter()
        .flat_map(|worker| worker.listeners.iter())
        .map(|listener| listener.sessions.value())
        .sum()
}
