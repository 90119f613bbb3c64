//! A worker thread: an event loop with its own sockets, sessions and plugin instances.

use super::shared::Shared;
use crate::tap;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::timeout;
use weir_core::{Connect, Mail, Notice, Shedding, Worker, WorkerId};
use weir_transport::{Crossing, Driver, Local, Share, StreamLink};
use weir_upstream::Cluster;

/// Batches of letters that a mailbox holds; whoever finds it full keeps its letters and stops reading what makes more.
const MAILBOX: usize = 16;

/// Deliveries of letters from other workers in one turn.
const DELIVERIES: u64 = 16 * 1024;

/// How often a worker shows that it keeps up.
const BEAT: Duration = Duration::from_millis(100);

/// Failures that are located at once, of one worker.
const LOCATING: usize = 8;

/// For goodbyes that nothing guarantees an answer to.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the whole process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Serving,
    /// Nothing new is accepted; sessions are closed over the time of `spread`, each when what waits for it is written. See
    /// [`Worker::drain`].
    Draining {
        spread: Duration,
        retry: Duration,
    },
    /// Whatever is left is cut.
    Killed,
}

/// What a worker is started with.
pub(crate) struct Seat {
    pub(crate) id: WorkerId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) share: Share,
    pub(crate) clusters: Arc<Vec<Arc<Cluster>>>,
    /// Time zero, the same for all workers.
    pub(crate) began: Instant,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Which sessions are to go because of overload.
    pub(crate) shedding: watch::Receiver<Option<Shedding>>,
    /// Raised when there is a new snapshot.
    pub(crate) refresh: Arc<Notify>,
    pub(crate) mailboxes: Mailboxes,
    /// For clients that come back to another worker than the one that has their session.
    pub(crate) crossing: Crossing,
}

/// A worker's own mailbox, and the slots of all others.
pub(crate) struct Mailboxes {
    own: mpsc::Receiver<Vec<Mail>>,
    others: Vec<mpsc::Sender<Vec<Mail>>>,
}

/// One set a worker.
pub(crate) fn mailboxes(workers: usize) -> Vec<Mailboxes> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(MAILBOX)).unzip();
    receivers.into_iter().map(|own| Mailboxes { own, others: senders.clone() }).collect()
}

/// Starts the thread. It ends when the process drains and its last connection is gone.
pub(crate) fn start(seat: Seat) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("worker-{}", seat.id.0)).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                LocalSet::new().block_on(&runtime, work(seat));
                // Not waiting for the system's resolver, which nothing can stop.
                runtime.shutdown_background();
            }
            Err(error) => tracing::error!(worker = seat.id.0, %error, "cannot make an event loop"),
        }
    })
}

async fn work(seat: Seat) {
    let Seat { id, shared, share, clusters, began, mut stage, shedding, refresh, mailboxes, crossing } = seat;
    let number = usize::from(id.0);
    let worker = Worker::new(
        id,
        shared.snapshot.clone(),
        shared.directory.clone(),
        shared.stats[number].clone(),
        shared.stats.len(),
        seed(),
    );
    let local = Local::new(worker, began);
    tokio::task::spawn_local(dial(local.clone(), clusters));
    tokio::task::spawn_local(post(local.clone(), id, mailboxes.others));
    tokio::task::spawn_local(take_in(local.clone(), mailboxes.own));
    tokio::task::spawn_local(take_up(local.clone(), refresh));
    tokio::task::spawn_local(report(local.clone(), shared.clone()));
    tokio::task::spawn_local(tap::attend(local.clone(), shared.views.clone(), id));
    let meeting = local.clone();
    tokio::task::spawn_local(async move { meeting.meet(crossing).await });
    tokio::task::spawn_local(shed(local.clone(), shedding));
    tokio::task::spawn_local(beat(shared.clone(), number, began));
    let timers = local.clone();
    tokio::task::spawn_local(async move { timers.run_timers().await });
    let serving = match share.serve(&local) {
        Ok(serving) => serving,
        Err(error) => {
            tracing::error!(worker = id.0, %error, "cannot take up the listeners' sockets");
            return;
        }
    };

    // The sender outlives the workers; were it gone, so would be everything that could still want this one.
    let _ = stage.wait_for(|stage| *stage != Stage::Serving).await;
    if let Stage::Draining { spread, retry } = *stage.borrow_and_update() {
        local.with(|worker| worker.drain(spread, retry));
    }
    tokio::select! {
        () = local.empty() => {}
        _ = stage.wait_for(|stage| *stage == Stage::Killed) => {
            local.with(Worker::kill_all);
            // The tasks of the connections let their sockets go; nothing there waits for a peer.
            let _ = timeout(GOODBYE, local.empty()).await;
        }
    }
    let _ = timeout(GOODBYE, serving.idle()).await;
}

/// Makes the upstream connections that sessions ask for.
async fn dial(local: Rc<Local>, clusters: Arc<Vec<Arc<Cluster>>>) {
    loop {
        local.connects_wanted().await;
        for connect in local.with(Worker::take_connects) {
            let cluster = clusters[connect.cluster.index()].clone();
            tokio::task::spawn_local(dial_one(local.clone(), cluster, connect));
        }
    }
}

async fn dial_one(local: Rc<Local>, cluster: Arc<Cluster>, connect: Connect) {
    let id = connect.conn;
    let connected = tokio::select! {
        connected = cluster.connect(seed()) => connected,
        // Its session ended first, and had nothing to say.
        () = local.unwanted(id) => {
            local.with(|worker| worker.release(id));
            return;
        }
    };
    match connected {
        Ok(connected) => {
            if !local.with(|worker| worker.connected(id)) {
                local.with(|worker| worker.release(id));
                return;
            }
            tracing::debug!(session = %connect.session, cluster = &**cluster.name(), peer = %connected.peer, "upstream connected");
            let link = StreamLink::new(connected.stream, connected.decoder);
            let driver = Driver::upstream(local, id, link, &connected.leftover, &connected.wire);
            // In a task of its own, so that what connecting needed is let go.
            tokio::task::spawn_local(async move {
                driver.await;
                drop(connected.lease);
            });
        }
        Err(error) => {
            tracing::warn!(session = %connect.session, cluster = &**cluster.name(), "{error}");
            local.with(|worker| {
                worker.connect_failed(id);
                worker.release(id)
            });
        }
    }
}

/// Carries letters to the other workers. One whose mailbox is full is waited for by itself, and keeps nobody else waiting.
async fn post(local: Rc<Local>, own: WorkerId, mailboxes: Vec<mpsc::Sender<Vec<Mail>>>) {
    let wanted: Rc<Vec<Notify>> = Rc::new(mailboxes.iter().map(|_| Notify::new()).collect());
    for (to, mailbox) in mailboxes.into_iter().enumerate().filter(|(to, _)| *to != usize::from(own.0)) {
        tokio::task::spawn_local(post_to(local.clone(), WorkerId(to as u8), mailbox, wanted.clone()));
    }
    loop {
        local.mail_written().await;
        for waiting in wanted.iter() {
            waiting.notify_one();
        }
    }
}

async fn post_to(local: Rc<Local>, to: WorkerId, mailbox: mpsc::Sender<Vec<Mail>>, wanted: Rc<Vec<Notify>>) {
    loop {
        wanted[usize::from(to.0)].notified().await;
        while let Some(post) = local.with(|worker| worker.mail(to)) {
            let count = post.letters.len();
            if mailbox.send(post.letters).await.is_err() {
                // That worker has ended: the process is about to.
                return;
            }
            local.with(|worker| worker.posted(to, count));
        }
    }
}

/// Takes letters in.
async fn take_in(local: Rc<Local>, mut mailbox: mpsc::Receiver<Vec<Mail>>) {
    while let Some(letters) = mailbox.recv().await {
        let mut letters = letters.into_iter();
        while !local.with(|worker| worker.deliver_some(&mut letters, DELIVERIES)) {
            // The worker's own clients first.
            tokio::task::yield_now().await;
        }
    }
}

/// Takes up new snapshots where no message does.
async fn take_up(local: Rc<Local>, refresh: Arc<Notify>) {
    loop {
        refresh.notified().await;
        // A turn takes up the snapshot; the tick starts the timers of its plugins.
        local.with(Worker::tick);
    }
}

/// Lets sessions go when the process is short of something.
async fn shed(local: Rc<Local>, mut shedding: watch::Receiver<Option<Shedding>>) {
    while shedding.changed().await.is_ok() {
        let plan = *shedding.borrow_and_update();
        local.with(|worker| worker.shed(plan));
    }
}

/// Shows how late the worker is with what is due.
async fn beat(shared: Arc<Shared>, number: usize, began: Instant) {
    let beat = &shared.beats[number];
    loop {
        let due = Instant::now() + BEAT;
        beat.expect(due - began);
        tokio::time::sleep_until(due.into()).await;
        let late = due.elapsed();
        beat.came(late);
        shared.stats[number].turns.delay.record(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// Logs what plugins failed at.
async fn report(local: Rc<Local>, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(LOCATING));
    loop {
        local.notices_written().await;
        for mut notice in local.with(Worker::take_notices) {
            let generation = shared.catalogue.load().as_ref().and_then(|all| all.serving(&notice.binding));
            let generation =
                generation.filter(|serving| serving.number() == notice.generation && serving.has_places());
            // Those that fail all the time are told without.
            let place = places.clone().try_acquire_owned();
            let (Some(generation), Ok(place)) = (generation, place) else {
                tell(&notice);
                continue;
            };
            tokio::task::spawn_blocking(move || {
                let _place = place;
                if let Some(detail) = generation.locate(&notice.failure.detail) {
                    notice.failure.detail = detail.into();
                }
                tell(&notice);
            });
        }
    }
}

fn tell(notice: &Notice) {
    let retry_ms = notice.retry_in.map(|wait| wait.as_millis() as u64);
    tracing::warn!(
        plugin = &*notice.binding,
        generation = notice.generation,
        cause = notice.failure.cause.label(),
        retry_ms,
        "plugin failed: {}",
        notice.failure.detail
    );
    if notice.quarantined {
        tracing::error!(
            plugin = &*notice.binding,
            generation = notice.generation,
            "plugin quarantined: it failed too often in a row. Its messages meet on_failure until there is another file or config"
        );
    }
}

/// For masking keys: what a peer cannot guess.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(thread::current().id())
}
