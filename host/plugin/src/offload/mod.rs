//! Plugins on threads of their own: for those that are slow, and must not make workers wait.
//!
//! A generation that is placed there has a [`Pool`]: so many threads with an instance each, and before each thread a bounded queue.
//! Workers put their jobs there and never wait; a job that finds the queue full is given back. A session's jobs all go to one thread,
//! in their order. The threads end when the last worker has let the generation go and their queues are empty.

mod bounds;
mod thread;
mod unfinished;

pub(crate) use unfinished::Unfinished;

use bounds::Bounds;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use weir_core::{Desk, Job, Link, Offload};

/// The most threads of one binding.
pub const MAX_THREADS: usize = 64;

/// How the threads of a binding are used that is placed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offloading {
    /// How many there are, from 1 to [`MAX_THREADS`]; each has an instance with all limits of the binding.
    pub threads: usize,
    /// Calls that wait for each of them.
    pub queue: usize,
    /// Bytes of the messages that wait for each of them. One that is longer is taken when nothing else waits.
    pub bytes: usize,
    /// How long a message waits for its call to begin.
    pub wait: Duration,
}

impl Default for Offloading {
    fn default() -> Self {
        Self { threads: 1, queue: 1024, bytes: 16 << 20, wait: Duration::from_secs(10) }
    }
}

/// How often it is said that a queue is full.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The threads of one generation.
pub(crate) struct Pool {
    lanes: Vec<Lane>,
    policy: Offloading,
    /// For people.
    name: Arc<str>,
    generation: u64,
    /// Calls of the whole process that were asked for and are not answered.
    unfinished: Arc<Unfinished>,
    began: Instant,
    /// When it was last said that a queue is full, in milliseconds after `began`, and one more.
    told: AtomicU64,
}

/// The way to one thread.
struct Lane {
    jobs: Sender<Waiting>,
    bounds: Arc<Bounds>,
}

/// A job in a queue.
struct Waiting {
    job: Box<Job>,
    since: Instant,
}

impl Pool {
    /// Starts the threads. `link` is what they call, with their own counters.
    pub(crate) fn start(link: &Link, policy: &Offloading, unfinished: &Arc<Unfinished>) -> Self {
        let mut lanes = Vec::new();
        for number in 0..policy.threads.clamp(1, MAX_THREADS) {
            #[expect(
                clippy::disallowed_methods,
                reason = "`Bounds` bound it; a `sync_channel` takes all of its room at once"
            )]
            let (jobs, receiver) = channel();
            let bounds = Arc::new(Bounds::default());
            let (thread_link, thread_bounds, unfinished) = (link.clone(), bounds.clone(), unfinished.clone());
            let started =
                std::thread::Builder::new().name(thread_name(&link.name, number)).spawn(move || {
                    thread::run(&receiver, Desk::new(thread_link, number as u8), &thread_bounds, &unfinished);
                });
            match started {
                Ok(_) => lanes.push(Lane { jobs, bounds }),
                Err(error) => {
                    tracing::error!(
                        plugin = &*link.name,
                        %error,
                        "no thread for the plugin: fewer threads serve it, or none; lower offload.threads or raise the limit of threads"
                    );
                    break;
                }
            }
        }
        Self {
            lanes,
            policy: policy.clone(),
            name: link.name.clone(),
            generation: link.generation,
            unfinished: unfinished.clone(),
            began: Instant::now(),
            told: AtomicU64::new(0),
        }
    }

    fn tell_full(&self) {
        let now = self.began.elapsed().as_millis() as u64 + 1;
        let last = self.told.load(Ordering::Relaxed);
        let due = last == 0 || now - last.min(now) >= TELL_EVERY.as_millis() as u64;
        if due && self.told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::warn!(
                plugin = &*self.name,
                generation = self.generation,
                "the queue of the plugin's threads is full: what comes meets on_failure. More threads or a longer queue may help"
            );
        }
    }
}

impl Offload for Pool {
    fn submit(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let Some(lane) = self.lanes.get(job.thread(self.lanes.len())) else { return Err(job) };
        let (bytes, beyond) = (job.bytes(), job.may_exceed());
        let queue = if beyond { self.policy.queue.saturating_mul(2) } else { self.policy.queue };
        if !lane.bounds.enter(bytes, queue, self.policy.bytes) {
            self.tell_full();
            return Err(job);
        }
        self.unfinished.begin();
        lane.jobs.send(Waiting { job, since: Instant::now() }).map_err(|refused| {
            lane.bounds.leave(bytes);
            self.unfinished.end();
            refused.0.job
        })
    }

    fn threads(&self) -> usize {
        self.lanes.len().max(1)
    }

    fn longest_wait(&self) -> Duration {
        self.policy.wait
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("generation", &self.generation)
            .field("threads", &self.lanes.len())
            .finish_non_exhaustive()
    }
}

/// The system shows 15 bytes of it.
fn thread_name(plugin: &str, number: usize) -> String {
    let most = plugin.floor_char_boundary(9);
    format!("off-{}-{number}", &plugin[..most])
}
