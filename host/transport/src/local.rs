//! What the tasks of one worker thread share.

use crate::line::Line;
use crate::record;
use crate::resume::Arrival;
use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;
use tokio::sync::{Notify, mpsc};
use weir_core::{ConnId, Status, Time, Work, Worker, WorkerId, WorkerStats};

/// Bytes that one read takes at most.
const READ_BUFFER: usize = 64 * 1024;

/// One turn of the sockets in so many is measured: its end takes a reading of the clock that the others save.
const MEASURED: u32 = 16;

/// A worker and what its connections share: one read buffer, one clock, the wakers of the tasks that drive them.
///
/// Never leaves its thread, and is never borrowed across an `await`: every use is one [turn](Worker::turn) of the worker, at the end
/// of which whoever has something to do is woken.
pub struct Local {
    worker: RefCell<Worker>,
    buffer: RefCell<Box<[u8]>>,
    /// By slot of the connection.
    wakers: RefCell<Vec<Option<Waker>>>,
    /// Emptied at the end of every turn; kept for its capacity.
    dirty: RefCell<Vec<ConnId>>,
    began: Instant,
    /// Turns of the sockets until one is measured.
    until_measured: Cell<u32>,
    /// When the probe became ready that has not had its turn; see [`Local::watch_waits`].
    probed: Cell<Time>,
    probe: Notify,
    stats: Arc<WorkerStats>,
    /// Sessions that have more to do than fits one pass.
    busy: Rc<Line>,
    /// Connections that are to be let go.
    ends: Rc<Line>,
    /// Handshakes, and what is said to those who are not let in.
    handshakes: Rc<Line>,
    /// When the timers wake next.
    armed: Cell<Time>,
    rearmed: Notify,
    connects: Notify,
    post: Notify,
    notices: Notify,
    emptied: Notify,
    /// To the other workers, once they are known.
    ways: OnceCell<Vec<mpsc::Sender<Arrival>>>,
}

impl Local {
    /// `began` is when time zero was: the same for all workers of the process.
    pub fn new(worker: Worker, began: Instant) -> Rc<Self> {
        let stats = Arc::clone(worker.stats());
        Rc::new(Self {
            probed: Cell::new(Time::NEVER),
            probe: Notify::new(),
            busy: Line::new(Arc::clone(&stats), |stats| &stats.turns.waits.busy),
            ends: Line::new(Arc::clone(&stats), |stats| &stats.turns.waits.ends),
            handshakes: Line::new(Arc::clone(&stats), |stats| &stats.turns.waits.handshakes),
            stats,
            worker: RefCell::new(worker),
            buffer: RefCell::new(vec![0; READ_BUFFER].into_boxed_slice()),
            wakers: RefCell::default(),
            dirty: RefCell::default(),
            began,
            until_measured: Cell::new(MEASURED),
            armed: Cell::new(Time::NEVER),
            rearmed: Notify::new(),
            connects: Notify::new(),
            post: Notify::new(),
            notices: Notify::new(),
            emptied: Notify::new(),
            ways: OnceCell::new(),
        })
    }

    /// The worker's number.
    pub(crate) fn id(&self) -> WorkerId {
        self.worker.borrow().id()
    }

    pub(crate) fn open_ways(&self, ways: Vec<mpsc::Sender<Arrival>>) {
        // They are opened once; a second time would change nothing.
        let _ = self.ways.set(ways);
    }

    /// The way for connections to a worker; `None`: there is no such worker.
    pub(crate) fn way_to(&self, worker: WorkerId) -> Option<mpsc::Sender<Arrival>> {
        self.ways.get()?.get(usize::from(worker.0)).cloned()
    }

    /// The time now.
    pub fn now(&self) -> Time {
        Time(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Does something with the worker: one turn.
    ///
    /// # Panics
    /// Within another turn of the same worker.
    pub fn with<R>(&self, work: impl FnOnce(&mut Worker) -> R) -> R {
        work(&mut self.turn(None))
    }

    /// Completes when the worker wants upstream connections: [`Worker::take_connects`] has them.
    pub async fn connects_wanted(&self) {
        self.connects.notified().await;
    }

    /// Completes when the worker has letters for others: [`Worker::mail`] has them.
    pub async fn mail_written(&self) {
        self.post.notified().await;
    }

    /// Completes when plugins have failed: [`Worker::take_notices`] says how.
    pub async fn notices_written(&self) {
        self.notices.notified().await;
    }

    /// Completes when the worker holds no connection.
    pub async fn empty(&self) {
        while self.worker.borrow().connections() > 0 {
            self.emptied.notified().await;
        }
    }

    /// Completes when a connection that nobody drives yet is no longer wanted: an upstream connection, while it is being made, whose
    /// session ended. It is to be released.
    pub async fn unwanted(&self, id: ConnId) {
        poll_fn(|cx| {
            self.attach(id, cx.waker());
            match self.worker.borrow().status(id) {
                Status::Ended(_) => Poll::Ready(()),
                Status::Active { .. } | Status::Parted(_) | Status::Lingering => Poll::Pending,
            }
        })
        .await;
    }

    /// Runs the worker's timers. Never ends; each worker needs it once.
    pub async fn run_timers(&self) {
        loop {
            let (due, now) = {
                let mut turn = self.turn_for(Work::Timers, None);
                turn.tick();
                (turn.next_deadline(), turn.now())
            };
            self.armed.set(due.unwrap_or(Time::NEVER));
            match due {
                None => self.rearmed.notified().await,
                // More is due than fits a turn. The others first.
                Some(due) if due <= now => tokio::task::yield_now().await,
                Some(due) => {
                    let at = self.began + due.since(Time::default());
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.rearmed.notified() => {}
                    }
                }
            }
        }
    }

    /// Where sessions wait that have more to do.
    pub(crate) const fn busy(&self) -> &Rc<Line> {
        &self.busy
    }

    /// Where connections that have ended wait to be let go.
    pub(crate) const fn ends(&self) -> &Rc<Line> {
        &self.ends
    }

    /// Where handshakes wait for their next step.
    pub(crate) const fn handshakes(&self) -> &Rc<Line> {
        &self.handshakes
    }

    /// Measures how long sessions wait for their turns: whenever a turn is measured, this waits for the next look at the sockets, as a
    /// message that has just come does, and then stands in the queue where its session would. Never ends; each worker needs it once.
    pub(crate) async fn watch_waits(&self) {
        loop {
            self.probe.notified().await;
            // Until the sockets were looked at.
            tokio::task::yield_now().await;
            let waited = self.now().since(self.probed.replace(Time::NEVER));
            let nanoseconds = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
            self.stats.turns.waits.sockets.record(nanoseconds);
        }
    }

    /// Begins a turn; it ends when what this gives is dropped. `own` is the connection whose driver asks: it looks after itself and
    /// is not woken.
    pub(crate) fn turn(&self, own: Option<ConnId>) -> Turn<'_> {
        self.turn_for(Work::Sockets, own)
    }

    fn turn_for(&self, work: Work, own: Option<ConnId>) -> Turn<'_> {
        let mut worker = self.worker.borrow_mut();
        worker.turn(self.now());
        Turn { local: self, worker, own, work }
    }

    /// Whether a turn is to be measured.
    fn is_measured(&self, work: Work) -> bool {
        if work == Work::Timers {
            return true;
        }
        let left = self.until_measured.get() - 1;
        self.until_measured.set(if left == 0 { MEASURED } else { left });
        left == 0
    }

    /// The buffer that all reads of this thread go into.
    pub(crate) fn buffer(&self) -> RefMut<'_, Box<[u8]>> {
        self.buffer.borrow_mut()
    }

    /// Whom to wake when the connection has something to do.
    pub(crate) fn attach(&self, id: ConnId, waker: &Waker) {
        let mut wakers = self.wakers.borrow_mut();
        let slot = id.slot();
        if wakers.len() <= slot {
            wakers.resize(slot + 1, None);
        }
        match &mut wakers[slot] {
            Some(known) if known.will_wake(waker) => {}
            entry => *entry = Some(waker.clone()),
        }
    }

    /// Nobody drives the connection any more.
    pub(crate) fn detach(&self, id: ConnId) {
        if let Some(entry) = self.wakers.borrow_mut().get_mut(id.slot()) {
            *entry = None;
        }
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

/// One turn of a worker.
pub(crate) struct Turn<'a> {
    local: &'a Local,
    worker: RefMut<'a, Worker>,
    own: Option<ConnId>,
    work: Work,
}

impl Deref for Turn<'_> {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Worker {
        &mut self.worker
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.worker.has_lapsed() {
            for id in self.worker.take_lapsed() {
                if let Some(farewell) = self.worker.release(id) {
                    record::closed(&self.worker, id, &farewell);
                }
            }
        }
        let mut dirty = self.local.dirty.borrow_mut();
        self.worker.take_dirty(&mut dirty);
        let wakers = self.local.wakers.borrow();
        for id in dirty.drain(..).filter(|id| Some(*id) != self.own) {
            if let Some(Some(waker)) = wakers.get(id.slot()) {
                waker.wake_by_ref();
            }
        }
        if self.worker.has_connects() {
            self.local.connects.notify_one();
        }
        if self.worker.has_mail() {
            self.local.post.notify_one();
        }
        if self.worker.has_notices() {
            self.local.notices.notify_one();
        }
        if self.worker.connections() == 0 {
            self.local.emptied.notify_one();
        }
        if self.worker.next_deadline().is_some_and(|due| due < self.local.armed.get()) {
            self.local.rearmed.notify_one();
        }
        if self.local.is_measured(self.work) {
            let now = self.local.now();
            let took = now.since(self.worker.now());
            self.worker.took(self.work, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            if self.work == Work::Sockets && self.local.probed.get() == Time::NEVER {
                self.local.probed.set(now);
                self.local.probe.notify_one();
            }
        }
    }
}
