//! Work that comes in crowds: handshakes, ends. Each kind stands in a line of its own, so that those who are in session never stand
//! behind a crowd.
//!
//! All tasks of a worker take turns in one queue. A thousand handshakes that are ready at once would each have a place in it before
//! the next message; so they have one place together. Who is called up goes to the end of the queue, and the line calls up more when
//! those have had their turn, everything that was ready has had one, and the sockets were looked at again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use weir_core::{Histogram, WorkerStats};

/// Time that those who are called up together may take. One handshake with its signature may take longer by itself.
const SHARE: Duration = Duration::from_micros(300);
/// So many are called up together at most.
const MOST: usize = 16;
/// Places that an empty line keeps memory for.
const KEPT: usize = 256;

/// A line of tasks of one thread.
pub(crate) struct Line {
    waiting: RefCell<VecDeque<Waiting>>,
    /// The last ticket that was called up.
    called: Cell<u32>,
    /// How many are called up together.
    together: Cell<usize>,
    /// What those have taken.
    spent: Cell<Duration>,
    is_calling: Cell<bool>,
    stats: Arc<WorkerStats>,
    waited: fn(&WorkerStats) -> &Histogram,
}

struct Waiting {
    waker: Waker,
    since: Instant,
}

/// Somebody's place in a line: the ticket, or 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Line {
    /// Nobody waits yet. `waited` is what counts how long each did.
    pub(crate) fn new(stats: Arc<WorkerStats>, waited: fn(&WorkerStats) -> &Histogram) -> Rc<Self> {
        Rc::new(Self {
            waiting: RefCell::default(),
            called: Cell::new(0),
            together: Cell::new(1),
            spent: Cell::default(),
            is_calling: Cell::new(false),
            stats,
            waited,
        })
    }

    /// Takes a place, if this has none, and is ready when it is called up; then there is none any more. Whoever is woken by something
    /// else meanwhile keeps the place.
    pub(crate) fn poll_turn(self: &Rc<Self>, place: &mut Place, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting.borrow_mut();
        if *place == Place::default() {
            *place = Place(ticket(self.called.get(), waiting.len() + 1));
            waiting.push_back(Waiting { waker: cx.waker().clone(), since: Instant::now() });
            if !self.is_calling.replace(true) {
                tokio::task::spawn_local(Rc::clone(self).call());
            }
            return Poll::Pending;
        }
        // In which order tickets were given, though their numbers begin anew after the last.
        if self.called.get().wrapping_sub(place.0) > u32::MAX / 2 {
            return Poll::Pending;
        }
        *place = Place::default();
        Poll::Ready(())
    }

    /// Counts what somebody who was called up has taken.
    pub(crate) fn spend(&self, time: Duration) {
        self.spent.set(self.spent.get() + time);
    }

    /// Runs a future such that each of its polls waits for its turn.
    pub(crate) async fn pace<F: Future>(self: &Rc<Self>, future: F) -> F::Output {
        // In its place once: a future that is moved into another's locals is there twice.
        let mut future = Box::pin(future);
        let mut place = Place::default();
        poll_fn(|cx| {
            ready!(self.poll_turn(&mut place, cx));
            let began = Instant::now();
            let polled = future.as_mut().poll(cx);
            self.spend(began.elapsed());
            polled
        })
        .await
    }

    /// Calls up until nobody waits.
    async fn call(self: Rc<Self>) {
        while self.call_some() {
            // Behind those who are called up, and behind a look at the sockets.
            tokio::task::yield_now().await;
        }
        self.is_calling.set(false);
    }

    fn call_some(&self) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let spent = self.spent.take();
        let together = self.together.get();
        self.together.set(match () {
            () if spent > SHARE => (together / 2).max(1),
            () if spent < SHARE / 2 => (together * 2).min(MOST),
            () => together,
        });
        let count = self.together.get().min(waiting.len());
        if count == 0 {
            waiting.shrink_to(KEPT);
            return false;
        }
        self.called.set(ticket(self.called.get(), count));
        for Waiting { waker, since } in waiting.drain(..count) {
            (self.waited)(&self.stats).record(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX));
            waker.wake();
        }
        true
    }
}

/// So many tickets after this one. There are never so many in a line that numbers meet: a process has fewer descriptors.
fn ticket(after: u32, count: usize) -> u32 {
    let next = after.wrapping_add(count as u32);
    // 0 is no ticket.
    if next < after || next == 0 { next.wrapping_add(1) } else { next }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("waiting", &self.waiting.borrow().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    fn line() -> Rc<Line> {
        Line::new(Arc::new(WorkerStats::new(1, 0)), |stats| &stats.turns.waits.handshakes)
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, test);
    }

    /// Ready at once, and behind those who are ready already.
    async fn again() {
        let mut woken = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut woken, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[test]
    fn who_is_in_no_line_has_a_turn_between_any_few_of_a_crowd() {
        const CROWD: usize = 1_000;
        run(async {
            let line = line();
            let done = Rc::new(Cell::new(0));
            let crowd: Vec<_> = (0..CROWD)
                .map(|_| {
                    let (line, done) = (Rc::clone(&line), Rc::clone(&done));
                    spawn_local(async move { line.pace(async { done.set(done.get() + 1) }).await })
                })
                .collect();
            let mut most = 0;
            while done.get() < CROWD {
                let before = done.get();
                yield_now().await;
                most = most.max(done.get() - before);
            }
            // Two calls may fall between two turns of one who yields: the line's turn may be before it or behind it.
            assert!((1..=2 * MOST).contains(&most), "{most} of the crowd in one turn");
            for one in crowd {
                one.await.unwrap();
            }
            let (buckets, _) = line.stats.turns.waits.handshakes.read();
            assert_eq!(buckets.iter().sum::<u64>(), CROWD as u64, "each wait is counted");
            yield_now().await;
            assert!(!line.is_calling.get() && line.waiting.borrow().capacity() <= KEPT);
        });
    }

    #[test]
    fn they_are_called_up_in_their_order_and_each_poll_has_its_turn() {
        run(async {
            let line = line();
            // Tickets begin anew on the way.
            line.called.set(u32::MAX - 5);
            let order = Rc::new(RefCell::new(Vec::new()));
            let crowd: Vec<_> = (0..20)
                .map(|number| {
                    let (line, order) = (Rc::clone(&line), Rc::clone(&order));
                    spawn_local(async move {
                        let steps = async {
                            for step in 0..2 {
                                order.borrow_mut().push((step, number));
                                again().await;
                            }
                        };
                        line.pace(steps).await;
                    })
                })
                .collect();
            for one in crowd {
                one.await.unwrap();
            }
            let second: Vec<_> = order.borrow().iter().filter(|(step, _)| *step == 1).copied().collect();
            let first: Vec<_> = order.borrow().iter().filter(|(step, _)| *step == 0).copied().collect();
            assert_eq!(first, (0..20).map(|number| (0, number)).collect::<Vec<_>>());
            assert_eq!(second, (0..20).map(|number| (1, number)).collect::<Vec<_>>());
        });
    }

    #[test]
    fn who_is_woken_by_something_else_keeps_the_place() {
        run(async {
            let line = line();
            let mut place = Place::default();
            poll_fn(|cx| {
                assert_eq!(line.poll_turn(&mut place, cx), Poll::Pending);
                assert_eq!(line.poll_turn(&mut place, cx), Poll::Pending);
                assert_eq!(line.waiting.borrow().len(), 1);
                Poll::Ready(())
            })
            .await;
            poll_fn(|cx| line.poll_turn(&mut place, cx)).await;
            assert_eq!(place, Place::default());
        });
    }
}
