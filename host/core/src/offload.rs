//! Plugins that are not called on workers: what goes there, who calls, what comes back.
//!
//! The core knows no threads. A link whose generation is placed elsewhere has an [`Offload`], which takes [`Job`]s and never waits.
//! Whoever runs it gives each of its threads a [`Desk`], hands the jobs of a thread to its desk in their order, and sends what comes back
//! to the worker that asked. A desk is to a thread what the worker's own instances are to the worker: it makes, renews and replaces
//! the instance of its generation, with back-off and quarantine, and counts.
//!
//! Of one session everything goes to one thread, so a plugin sees it in its order.

use crate::conn::Parcel;
use crate::id::{SessionId, WorkerId};
use crate::mail::{Letter, Mail};
use crate::message::Direction;
use crate::program::{Call, Failure, Seat, SessionInfo};
use crate::roster::{Entry, Notice, Roster};
use crate::snapshot::Link;
use crate::time::Time;
use crate::verdict::{Effect, Rejection, Verdict};
use crate::{Attributes, Directory};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Where the calls of a generation are made that is not called on workers.
pub trait Offload: Send + Sync + fmt::Debug {
    /// Takes a job for the thread that [`Job::thread`] names, behind those that it has. Never waits.
    ///
    /// # Errors
    /// The job itself, where the thread's queue is full.
    fn submit(&self, job: Box<Job>) -> Result<(), Box<Job>>;

    /// How many threads there are, at least 1.
    fn threads(&self) -> usize;

    /// How long a message, or a session that opens, waits for its call to begin at most.
    fn longest_wait(&self) -> Duration;
}

/// The way back to a worker.
pub trait Answers: Send + Sync + fmt::Debug {
    /// Brings an answer to [`Worker::deliver`](crate::Worker::deliver). May wait until the worker takes it; called on a thread of an
    /// [`Offload`]. An answer for a worker that has ended is dropped.
    fn bring(&self, answer: Mail);
}

/// One call that a worker wants.
#[derive(Debug)]
pub struct Job {
    pub(crate) asked: Asked,
    /// Who is asked, with the workers' counters.
    pub(crate) link: Link,
    pub(crate) session: Option<(SessionId, Attributes)>,
    pub(crate) ticket: Ticket,
    /// The worker that asks, and what all workers share.
    pub(crate) from: Seat,
    pub(crate) back: Arc<dyn Answers>,
}

#[derive(Debug)]
pub(crate) enum Asked {
    /// Nothing but that the instance of a thread be there.
    Ready(usize),
    Open(Arc<SessionInfo>),
    Message(Parcel),
    Close(SessionId, Rejection),
    Timer,
}

impl Job {
    /// Which of so many threads is to do it: the same for all that is about one session.
    pub fn thread(&self, threads: usize) -> usize {
        match &self.asked {
            Asked::Ready(thread) => *thread % threads.max(1),
            // It has one place where it keeps its rhythm.
            Asked::Timer => 0,
            _ => self.session.as_ref().map_or(0, |(session, _)| spread(*session, threads)),
        }
    }

    /// What it keeps in memory beside itself, in bytes.
    pub fn bytes(&self) -> usize {
        match &self.asked {
            Asked::Message(parcel) => parcel.payload.len(),
            Asked::Open(info) => {
                info.request.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
            }
            Asked::Ready(_) | Asked::Close(..) | Asked::Timer => 0,
        }
    }

    /// It may stand in a queue that is full for others, until that is twice as long: what a plugin keeps of a session that has ended it
    /// is to let go, or it would keep it for good.
    pub fn may_exceed(&self) -> bool {
        matches!(self.asked, Asked::Ready(_) | Asked::Close(..) | Asked::Timer)
    }

    /// The directory that instances are given.
    fn directory(&self) -> &Arc<Directory> {
        &self.from.directory
    }
}

fn spread(session: SessionId, threads: usize) -> usize {
    // Fibonacci hashing: slots and generations both count.
    let mixed = session.raw().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    mixed as usize % threads.max(1)
}

/// Whether a job is begun or called off: one of both, once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket(Arc<AtomicU8>);

impl Ticket {
    const WAITS: u8 = 0;
    const BEGUN: u8 = 1;
    const CALLED_OFF: u8 = 2;

    /// False: it was called off.
    fn begin(&self) -> bool {
        self.settle(Self::BEGUN)
    }

    /// False: it has begun, and its answer comes.
    pub(crate) fn call_off(&self) -> bool {
        self.settle(Self::CALLED_OFF)
    }

    fn settle(&self, state: u8) -> bool {
        self.0.compare_exchange(Self::WAITS, state, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// What became of a job, as a letter.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Who says it, though perhaps it serves no more.
    pub(crate) link: Link,
    pub(crate) said: Said,
    pub(crate) session: Option<(SessionId, Attributes)>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) nanoseconds: u64,
    pub(crate) fuel: u64,
    /// The interval that a new instance asked for.
    pub(crate) every: Option<u32>,
    pub(crate) notices: Vec<Notice>,
}

#[derive(Clone, Debug)]
pub(crate) enum Said {
    Ready,
    Open(SessionId, Result<Result<(), Rejection>, Failure>),
    Message {
        session: SessionId,
        direction: Direction,
        sequence: u64,
        hops: u8,
        said: Result<Verdict, Failure>,
    },
    Close(SessionId, Result<(), Failure>),
    Timer(Result<(), Failure>),
}

/// A letter on its way back.
#[derive(Debug)]
pub struct Reply {
    back: Arc<dyn Answers>,
    answer: Mail,
}

impl Reply {
    /// Brings it to the worker that asked; may wait for that.
    pub fn send(self) {
        self.back.bring(self.answer);
    }
}

/// One thread's instance of one generation.
pub struct Desk {
    link: Link,
    thread: u8,
    roster: Roster,
    call: Call,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("link", &self.link.name)
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// The desk of a thread, counted from 0. The link's counters are those of the threads, one set each; its program makes their instances,
    /// which are given the thread's number for a worker's.
    pub fn new(link: Link, thread: u8) -> Self {
        Self { link, thread, roster: Roster::default(), call: Call::default() }
    }

    /// Does a job that waited so many nanoseconds. `now` is the time of the thread, from wherever it counts. `None`: it was called off.
    pub fn serve(&mut self, job: Job, now: Time, waited: u64) -> Option<Reply> {
        let stats = self.link.stats.clone();
        let stats = &stats[usize::from(self.thread)];
        stats.taken.add(1);
        if !job.ticket.begin() {
            return None;
        }
        stats.waits.record(waited);
        let seat = Seat { worker: WorkerId(self.thread), directory: job.directory().clone() };
        // As the attributes are now: what was asked for before this is applied by now.
        self.call.session = job.session.map(|(id, known)| {
            let now = seat.directory.attributes(id).unwrap_or(known);
            (id, now)
        });
        (self.call.nanoseconds, self.call.fuel) = (0, 0);
        let Self { link, roster, call, .. } = self;
        let said = match job.asked {
            Asked::Ready(_) => {
                roster.prepare(link, &seat, now);
                Said::Ready
            }
            Asked::Open(info) => {
                let said = roster
                    .call(link, Entry::Open, &seat, now, call, |instance, call| instance.open(&info, call));
                Said::Open(info.id, said)
            }
            Asked::Message(parcel) => {
                let message = parcel.open();
                let said = roster.call(link, Entry::Message, &seat, now, call, |instance, call| {
                    instance.message(&message, call)
                });
                if said.is_ok() {
                    stats.latency.record(call.nanoseconds);
                }
                let (session, direction) = (message.session, message.direction);
                Said::Message { session, direction, sequence: message.sequence, hops: message.hops, said }
            }
            Asked::Close(id, end) => {
                let said = roster.call(link, Entry::Close, &seat, now, call, |instance, call| {
                    instance.close(id, &end, call)
                });
                Said::Close(id, said)
            }
            Asked::Timer => {
                Said::Timer(
                    roster.call(link, Entry::Timer, &seat, now, call, |instance, call| instance.timer(call)),
                )
            }
        };
        let answer = Answer {
            link: job.link,
            said,
            session: self.call.session.take(),
            effects: std::mem::take(&mut self.call.effects),
            nanoseconds: self.call.nanoseconds,
            fuel: self.call.fuel,
            // The timer is the first thread's.
            every: self.roster.take_asked(self.link.id()).filter(|_| self.thread == 0),
            notices: std::mem::take(&mut self.roster.notices),
        };
        Some(Reply { back: job.back, answer: Mail(Letter::Answer(Box::new(answer))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnId;

    #[test]
    fn a_job_is_begun_or_called_off_and_never_both() {
        let ticket = Ticket::default();
        assert!(ticket.clone().begin());
        assert!(!ticket.call_off());
        let ticket = Ticket::default();
        assert!(ticket.call_off());
        assert!(!ticket.begin() && !ticket.call_off());
    }

    #[test]
    fn sessions_are_spread_over_the_threads_and_each_stays_with_one() {
        for threads in [1, 2, 3, 64] {
            let mut sessions = vec![0; threads];
            for id in (0..10u64).flat_map(|generation| (0..640).map(move |slot| generation << 32 | slot)) {
                let thread = spread(ConnId::from_raw(id), threads);
                assert_eq!(thread, spread(ConnId::from_raw(id), threads));
                sessions[thread] += 1;
            }
            let fair = 6_400 / threads;
            assert!(sessions.iter().all(|count| (fair / 2..=fair * 2).contains(count)), "{sessions:?}");
        }
    }
}
