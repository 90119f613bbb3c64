//! Plugins that are not called on workers: threads that come to their jobs whenever the lot says so.

use crate::plugin::{PARTS, Part};
use crate::rng::Rng;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_core::{Answers, CallStats, Desk, GenerationId, Job, Link, Mail, Offload, Time};

/// The most threads of one generation.
const THREADS: usize = 3;

/// The queues of one generation's threads.
#[derive(Debug)]
pub(crate) struct Crowd {
    queues: Vec<Mutex<VecDeque<Job>>>,
    most: usize,
    wait: Duration,
}

impl Offload for Crowd {
    fn submit(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let mut queue = self.queues[job.thread(self.queues.len())].lock().unwrap();
        // What a session leaves behind always finds room here: each end is to be told.
        if queue.len() >= self.most && !job.may_exceed() {
            return Err(job);
        }
        queue.push_back(*job);
        Ok(())
    }

    fn threads(&self) -> usize {
        self.queues.len()
    }

    fn longest_wait(&self) -> Duration {
        self.wait
    }
}

/// What is on its way back to one worker.
#[derive(Debug, Default)]
pub(crate) struct Letters(Mutex<VecDeque<Mail>>);

impl Answers for Letters {
    fn bring(&self, answer: Mail) {
        self.0.lock().unwrap().push_back(answer);
    }
}

impl Letters {
    /// Some of them, in order.
    pub(crate) fn take(&self, most: usize) -> Vec<Mail> {
        let mut letters = self.0.lock().unwrap();
        let count = most.min(letters.len());
        letters.drain(..count).collect()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

/// All threads of all generations.
pub(crate) struct Elsewhere {
    /// Where each generation is placed: once for all.
    placed: HashMap<GenerationId, Option<Arc<Crowd>>>,
    desks: Vec<(Arc<Crowd>, Vec<Desk>)>,
    pub(crate) back: Vec<Arc<Letters>>,
    /// By part.
    pub(crate) stats: Vec<Arc<[CallStats]>>,
}

impl Elsewhere {
    pub(crate) fn new(workers: usize) -> Self {
        let set = || (0..THREADS).map(|_| CallStats::default()).collect();
        Self {
            placed: HashMap::new(),
            desks: Vec::new(),
            back: (0..workers).map(|_| Arc::default()).collect(),
            stats: PARTS.iter().map(|_| set()).collect(),
        }
    }

    /// Places a generation, if it is new.
    pub(crate) fn place(&mut self, link: &mut Link, rng: &mut Rng) {
        let at = link.binding.index();
        let lies = PARTS[at] == Part::Lie;
        let (desks, stats) = (&mut self.desks, &self.stats[at]);
        let crowd = self.placed.entry(link.id()).or_insert_with(|| {
            if !rng.chance(400) {
                return None;
            }
            let threads = 1 + rng.below(THREADS);
            // Of honest ones nothing is to be refused, for what they are asked about is watched.
            let (most, wait) = if lies {
                (rng.pick(&[2, 20, 1000]), rng.pick(&[Duration::from_millis(20), Duration::from_secs(5)]))
            } else {
                (usize::MAX, Duration::from_hours(1))
            };
            let queues = (0..threads).map(|_| Mutex::default()).collect();
            let crowd = Arc::new(Crowd { queues, most, wait });
            let own = Link { stats: stats.clone(), ..link.clone() };
            desks.push((crowd.clone(), (0..threads).map(|at| Desk::new(own.clone(), at as u8)).collect()));
            Some(crowd)
        });
        link.offload = crowd.clone().map(|crowd| crowd as Arc<dyn Offload>);
    }

    /// Some threads come to some of their jobs.
    pub(crate) fn work(&mut self, now: Time, rng: &mut Rng) {
        for (crowd, desks) in &mut self.desks {
            for (queue, desk) in crowd.queues.iter().zip(desks) {
                if queue.lock().unwrap().is_empty() || !rng.chance(300) {
                    continue;
                }
                for _ in 0..=rng.below(30) {
                    let Some(job) = queue.lock().unwrap().pop_front() else { break };
                    if let Some(reply) = desk.serve(job, now, 1_000) {
                        reply.send();
                    }
                }
            }
        }
    }

    /// Whether nothing waits, in either direction.
    pub(crate) fn is_idle(&self) -> bool {
        let queues = self.desks.iter().flat_map(|(crowd, _)| &crowd.queues);
        queues.into_iter().all(|queue| queue.lock().unwrap().is_empty())
            && self.back.iter().all(|letters| letters.is_empty())
    }
}
