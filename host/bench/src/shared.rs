//! What the threads of a run have in common: the clock, the times of the load, counters.

use crate::settings::Settings;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Instant;

/// Not known yet.
const UNKNOWN: u64 = u64::MAX;

/// Nanoseconds since the run began.
pub(crate) type Nanos = u64;

/// When what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The load begins.
    pub(crate) start: Nanos,
    /// What is measured begins: the warm-up is over.
    pub(crate) from: Nanos,
    /// Nothing is sent any more.
    pub(crate) to: Nanos,
}

impl Window {
    pub(crate) const fn has(&self, time: Nanos) -> bool {
        self.from <= time && time < self.to
    }
}

/// Of one run.
#[derive(Debug)]
pub(crate) struct Shared {
    origin: Instant,
    /// Marks this run's messages, 12 bits.
    pub(crate) run: u16,
    /// Threads whose connections are open, or have failed.
    pub(crate) ready: AtomicUsize,
    /// Threads that send nothing any more.
    pub(crate) silent: AtomicUsize,
    start: AtomicU64,
    from: AtomicU64,
    to: AtomicU64,
    stopped: AtomicBool,
    /// By the number of its connection.
    pub(crate) publishers: Vec<Publisher>,
    /// Open subscribers, by group.
    pub(crate) receivers: Vec<AtomicU64>,
    /// Deliveries of what was published in the window: how many there should be, how many there were.
    pub(crate) due: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) live: Live,
}

/// What its subscribers have to know of a publisher, and it of them.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    /// Messages: a number that is not below this was never sent.
    pub(crate) sent: AtomicU64,
    /// For the closed loop, in deliveries.
    pub(crate) expected: AtomicU64,
    pub(crate) delivered: AtomicU64,
}

/// For the progress bar.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) open: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) received: AtomicU64,
}

impl Shared {
    pub(crate) fn new(settings: &Settings) -> Self {
        let groups = settings.groups.map_or(0, |groups| groups.count);
        let publishers = if groups > 0 { settings.senders() } else { 0 };
        Self {
            origin: Instant::now(),
            run: fastrand::u16(..1 << 12),
            ready: AtomicUsize::new(0),
            silent: AtomicUsize::new(0),
            start: AtomicU64::new(UNKNOWN),
            from: AtomicU64::new(UNKNOWN),
            to: AtomicU64::new(UNKNOWN),
            stopped: AtomicBool::new(false),
            publishers: (0..publishers).map(|_| Publisher::default()).collect(),
            receivers: (0..groups).map(|_| AtomicU64::new(0)).collect(),
            due: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            live: Live::default(),
        }
    }

    /// The same for inputs that are to mean the same each time.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn fixed(settings: &Settings) -> Self {
        Self { run: 7, ..Self::new(settings) }
    }

    pub(crate) fn now(&self) -> Nanos {
        self.origin.elapsed().as_nanos() as u64
    }

    /// The times of the load, when they are known.
    pub(crate) fn window(&self) -> Option<Window> {
        let start = self.start.load(SeqCst);
        (start != UNKNOWN).then(|| Window { start, from: self.from.load(Relaxed), to: self.to.load(Relaxed) })
    }

    /// Says when the load begins and ends.
    pub(crate) fn begin(&self, window: Window) {
        self.from.store(window.from, Relaxed);
        self.to.store(window.to, Relaxed);
        self.start.store(window.start, SeqCst);
    }

    /// Ends the load early; what is under way is still waited for.
    pub(crate) fn end_now(&self) {
        self.to.fetch_min(self.now(), SeqCst);
    }

    /// Ends everything: nothing is waited for.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.end_now();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Whether everything that was published in the window has reached everybody.
    pub(crate) fn all_delivered(&self, threads: usize) -> bool {
        self.silent.load(SeqCst) >= threads && self.delivered.load(Relaxed) >= self.due.load(Relaxed)
    }
}
