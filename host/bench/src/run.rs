//! One run: threads, times, and what came of it.

use crate::process::{Spent, Usage};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::shared::{Nanos, Shared, Window};
use crate::tally::Tally;
use crate::{Error, quic, sockets};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

/// Descriptors that are needed besides the connections'.
const OTHER_FILES: u64 = 64;
/// How often it is looked how far the threads are, which have no way to wake this one up. No figure depends on it.
const LOOK: Duration = Duration::from_millis(5);
/// From when all connections are open to the load, so that no thread misses its beginning.
const LEAD: Nanos = 20_000_000;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) tally: Tally,
    /// How long, in seconds.
    pub(crate) seconds: f64,
    pub(crate) server: Option<Server>,
    /// CPU time of this process in that time.
    pub(crate) own: Spent,
    /// It was stopped before its time.
    pub(crate) early: bool,
}

/// What the server's processes took in that time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) pid: u32,
    pub(crate) spent: Spent,
    /// Resident memory in bytes: before the connections were opened, and at the end of the load.
    pub(crate) resident_before: u64,
    pub(crate) resident: u64,
}

/// Lets this process have as many files open as there are connections.
pub(crate) fn open_files(settings: &Settings) -> Result<(), Error> {
    let needed = u64::from(settings.connections) + OTHER_FILES + settings.threads as u64 * 4;
    let (current, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| Error::Start(error.into()))?;
    if settings.target.scheme.is_quic() || current >= needed {
        return Ok(());
    }
    if most < needed {
        return Err(Error::OpenFiles { connections: settings.connections as usize, needed, most });
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed, most).map_err(|error| Error::Start(error.into()))
}

/// Runs it. Ctrl-C ends the load early; a second one ends everything.
pub(crate) async fn run(
    settings: &Arc<Settings>,
    server_pid: Option<(&'static str, u32)>,
    progress: &Progress,
) -> Result<Measured, Error> {
    let measured = measure(settings, server_pid, progress).await;
    progress.done();
    measured
}

async fn measure(
    settings: &Arc<Settings>,
    server_pid: Option<(&'static str, u32)>,
    progress: &Progress,
) -> Result<Measured, Error> {
    let look = || server_pid.and_then(|(_, pid)| Usage::of(pid));
    let before = look();
    if let Some((option, pid)) = server_pid.filter(|_| before.is_none()) {
        return Err(Error::Process { option, pid });
    }
    let shared = Arc::new(Shared::new(settings));
    // Before there is anything to interrupt, so that none is missed.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let threads = start(settings, &shared)?;
    let interrupted = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            if interrupts.recv().await.is_some() {
                let measuring = shared.window().is_some_and(|window| shared.now() >= window.from);
                if measuring {
                    shared.end_now();
                } else {
                    shared.stop();
                }
                if interrupts.recv().await.is_some() {
                    shared.stop();
                }
            }
        }
    });
    while shared.ready.load(SeqCst) < settings.threads && !shared.is_stopped() {
        progress.opening(&shared, settings.connections);
        sleep(LOOK).await;
    }
    let start = shared.now() + LEAD;
    let from = start + settings.warm_up.as_nanos() as u64;
    let to = from + settings.duration.as_nanos() as u64;
    if shared.live.open.load(SeqCst) == 0 {
        shared.stop();
    } else {
        shared.begin(Window { start, from, to });
    }
    wait(&shared, progress, settings, |now| now >= from).await;
    let (first, own, begun) = (look(), Usage::own(), shared.now());
    wait(&shared, progress, settings, |_| false).await;
    let (last, own, ended) = (look(), Usage::own().since(&own), shared.now());
    let stopped = shared.is_stopped();
    progress.draining();
    let mut tally = Tally::default();
    for thread in threads {
        let done = tokio::task::spawn_blocking(move || thread.join()).await;
        match done.map_err(std::io::Error::other)? {
            Ok(done) => tally.add(done?),
            Err(_) => return Err(Error::Start(std::io::Error::other("a thread of the generator failed"))),
        }
    }
    interrupted.abort();
    if tally.open == 0 && !tally.errors.is_empty() {
        let why = tally.errors.values().map(|trouble| trouble.about.clone()).collect::<Vec<_>>();
        return Err(Error::NoConnection(why.join("; ")));
    }
    let window = shared.window().filter(|window| window.from < window.to && !stopped);
    let window = window.ok_or(Error::Stopped)?;
    if settings.groups.is_some() {
        let (due, delivered) = (shared.due.load(SeqCst), shared.delivered.load(SeqCst));
        tally.errors("lost", due.saturating_sub(delivered), || {
            "deliveries that a subscriber never had".into()
        });
    }
    if let Some((_, pid)) = server_pid.filter(|_| last.is_none()) {
        // What was measured until then is told all the same.
        tally.error("server_ended", || format!("the server's process {pid} ended before the load did"));
    }
    let server = server_pid.zip(before).zip(first.zip(last)).map(|(((_, pid), before), (first, last))| {
        Server { pid, spent: last.since(&first), resident_before: before.resident, resident: last.resident }
    });
    // The looks lie a few milliseconds behind the window's ends: CPU times are brought to its length.
    let seconds = (window.to - window.from) as f64 / 1e9;
    let scale = seconds / (ended.saturating_sub(begun).max(1) as f64 / 1e9);
    let server = server.map(|server| Server { spent: server.spent.scaled(scale), ..server });
    Ok(Measured { tally, seconds, server, own: own.scaled(scale), early: window.to < to })
}

type Threads = Vec<std::thread::JoinHandle<std::io::Result<Tally>>>;

/// Ends the run for all threads where one of them fails: what the others went on to measure would be less than what was asked for.
struct StopUnlessDone(Option<Arc<Shared>>);

impl StopUnlessDone {
    fn new(shared: &Arc<Shared>) -> Self {
        Self(Some(Arc::clone(shared)))
    }

    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for StopUnlessDone {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.stop();
        }
    }
}

/// Connections in turn to each thread, so that all have alike.
fn start(settings: &Arc<Settings>, shared: &Arc<Shared>) -> Result<Threads, Error> {
    let start = |thread: usize| {
        let shard = Shard::new(settings, shared, thread);
        let numbers = (thread as u32..settings.connections).step_by(settings.threads).collect();
        let run = if settings.target.scheme.is_quic() { quic::run } else { sockets::run };
        let builder = std::thread::Builder::new().name(format!("weir-bench-{thread}"));
        let guard = StopUnlessDone::new(shared);
        Ok(builder.spawn(move || {
            let tally = run(shard, numbers)?;
            guard.done();
            Ok(tally)
        })?)
    };
    (0..settings.threads).map(start).collect()
}

/// Until then, or until the load is over.
async fn wait(shared: &Shared, progress: &Progress, settings: &Settings, until: impl Fn(Nanos) -> bool) {
    loop {
        let now = shared.now();
        let over = shared.window().is_none_or(|window| now >= window.to);
        if shared.is_stopped() || over || until(now) {
            return;
        }
        progress.loading(shared, settings, now);
        sleep(LOOK).await;
    }
}
