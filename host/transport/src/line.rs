//! Work that comes in crowds: handshakes, ends, sessions that have much to do. Each kind stands in a line of its own, so that who has
//! little to do never stands behind a crowd.
//!
//! All tasks of a worker take turns in one queue. A thousand handshakes that are ready at once would each have a place in it before
//! the next message; so they have one place together. Who is called up goes to the end of that queue, and who has had the turn calls
//! up the next, until the line's share of the time is used. Then it waits until everything that was ready has had its turn and the
//! sockets were looked at again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use weir_core::{Histogram, WorkerStats};

/// Time after which nobody else is called up before the sockets were looked at. One step of a handshake may take longer by itself.
const SHARE: Duration = Duration::from_micros(250);
/// So many are called up together at most: what a task frees when it has ended is in nobody's share.
const MOST: u32 = 16;
/// A line that others are let in to no more.
const LONG: usize = 4 * MOST as usize;
/// Places that an empty line keeps memory for.
const KEPT: usize = 256;

/// A line of tasks of one thread.
pub(crate) struct Line {
    waiting: RefCell<VecDeque<Waiting>>,
    /// The last ticket that was called up.
    called: Cell<u32>,
    /// Time that was used, and how many were called up, since the sockets were looked at.
    spent: Cell<Duration>,
    count: Cell<u32>,
    /// Somebody was called up and has not had the turn.
    is_under_way: Cell<bool>,
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

/// A turn; when it is dropped, the next one may have the next.
pub(crate) struct LineTurn<'a> {
    line: &'a Line,
    began: Instant,
}

/// See [`Line::pace`]. Boxed, and no async function: a future that is moved from one's locals to another's is there once for each.
pub(crate) struct Paced<F> {
    line: Rc<Line>,
    place: Place,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Paced<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { line, place, future } = self.get_mut();
        let _turn = ready!(line.poll_turn(place, cx));
        future.as_mut().poll(cx)
    }
}

impl Drop for LineTurn<'_> {
    fn drop(&mut self) {
        let line = self.line;
        line.spent.set(line.spent.get() + self.began.elapsed());
        line.is_under_way.set(false);
        if line.spent.get() < SHARE && line.count.get() < MOST {
            line.call_next();
        }
    }
}

impl Line {
    /// Nobody waits yet. `waited` is what counts how long each did.
    pub(crate) fn new(stats: Arc<WorkerStats>, waited: fn(&WorkerStats) -> &Histogram) -> Rc<Self> {
        Rc::new(Self {
            waiting: RefCell::default(),
            called: Cell::new(0),
            spent: Cell::default(),
            count: Cell::new(0),
            is_under_way: Cell::new(false),
            is_calling: Cell::new(false),
            stats,
            waited,
        })
    }

    /// Takes a place, if this has none, and is ready when it is called up; then there is none any more. Whoever is woken by something
    /// else meanwhile keeps the place.
    pub(crate) fn poll_turn<'a>(
        self: &'a Rc<Self>,
        place: &mut Place,
        cx: &Context<'_>,
    ) -> Poll<LineTurn<'a>> {
        if *place == Place::default() {
            let mut waiting = self.waiting.borrow_mut();
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
        Poll::Ready(LineTurn { line: self, began: Instant::now() })
    }

    /// Completes when no more wait than are called up together a few times: who lets in what comes next waits for that, so that it
    /// waits in the kernel and holds nothing here.
    pub(crate) async fn short(&self) {
        // While somebody waits there is a turn in every round, and so this is no idle loop.
        while self.waiting.borrow().len() >= LONG {
            tokio::task::yield_now().await;
        }
    }

    /// A future each of whose polls waits for its turn.
    pub(crate) fn pace<F: Future>(self: &Rc<Self>, future: F) -> Paced<F> {
        Paced { line: Rc::clone(self), place: Place::default(), future: Box::pin(future) }
    }

    /// Calls up until nobody waits.
    async fn call(self: Rc<Self>) {
        loop {
            // Who was called up stands before this in the queue, and has had the turn or given up the place.
            self.is_under_way.set(false);
            self.spent.take();
            self.count.take();
            self.call_next();
            if !self.is_under_way.get() {
                break;
            }
            // Behind who is called up, and behind a look at the sockets.
            tokio::task::yield_now().await;
        }
        self.waiting.borrow_mut().shrink_to(KEPT);
        self.is_calling.set(false);
    }

    fn call_next(&self) {
        let Some(Waiting { waker, since }) = self.waiting.borrow_mut().pop_front() else { return };
        self.is_under_way.set(true);
        self.count.set(self.count.get() + 1);
        self.called.set(ticket(self.called.get(), 1));
        (self.waited)(&self.stats).record(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX));
        waker.wake();
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
    use std::future::poll_fn;
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
            assert!((1..=2 * MOST as usize).contains(&most), "{most} of the crowd in one turn");
            line.short().await;
            assert!(line.waiting.borrow().len() < LONG);
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
                assert!(line.poll_turn(&mut place, cx).is_pending());
                assert!(line.poll_turn(&mut place, cx).is_pending());
                assert_eq!(line.waiting.borrow().len(), 1);
                Poll::Ready(())
            })
            .await;
            poll_fn(|cx| line.poll_turn(&mut place, cx).map(drop)).await;
            assert_eq!(place, Place::default());
        });
    }
}
