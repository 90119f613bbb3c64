//! One who reads `/v1/tap`: what waits for it, and what did not fit.

use super::filter::Filter;
use super::{Presence, Query, Viewer, Views, Want};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::mpsc;
use weir_core::{Depth, Glimpse, Record, WorkerId};

/// What a record costs beside its payloads, in bytes.
const RECORD: usize = 256;
/// The same for each meeting.
const MEETING: usize = 160;

/// The workers' side.
#[derive(Debug)]
pub(crate) struct Client {
    filter: Filter,
    depth: Depth,
    budget: Budget,
    rate: Rate,
    lost: Arc<Lost>,
    records: mpsc::UnboundedSender<(usize, Arc<Record>)>,
}

/// The reader's side. Nobody looks on any more when it is dropped.
#[derive(Debug)]
pub(crate) struct Feed {
    records: mpsc::UnboundedReceiver<(usize, Arc<Record>)>,
    budget: Budget,
    pub(crate) lost: Arc<Lost>,
    _presence: Presence,
}

/// Messages that fitted the filter and are not in the stream, by why.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// More a second than were asked for.
    pub(crate) rate: AtomicU64,
    /// The reader was too slow.
    pub(crate) buffer: AtomicU64,
    /// More were held, or under way, than a worker keeps records of; they may have fitted.
    pub(crate) crowded: AtomicU64,
}

/// Bytes that wait, of both sides.
#[derive(Clone, Debug)]
struct Budget {
    used: Arc<AtomicUsize>,
    most: usize,
}

impl Budget {
    fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.most;
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// So many a second, over all workers.
#[derive(Debug)]
struct Rate {
    began: Instant,
    most: u32,
    /// The second in the upper half, what was taken in it in the lower.
    taken: AtomicU64,
}

impl Rate {
    fn take(&self) -> bool {
        self.take_in(self.began.elapsed().as_secs())
    }

    fn take_in(&self, second: u64) -> bool {
        let step = |taken: u64| {
            let (of, count) = (taken >> 32, taken & u64::from(u32::MAX));
            if of != second & u64::from(u32::MAX) {
                return Some(second << 32 | 1);
            }
            (count < u64::from(self.most)).then_some(taken + 1)
        };
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).is_ok()
    }
}

impl Client {
    /// Looks on from now on. `depth`: how much of each message. `None`: too many do already.
    pub(crate) fn attach(views: &Arc<Views>, filter: Filter, query: &Query, depth: Depth) -> Option<Feed> {
        #[expect(clippy::disallowed_methods, reason = "the budget bounds what is in it, by bytes")]
        let (sender, records) = mpsc::unbounded_channel();
        let budget = Budget { used: Arc::default(), most: query.buffer };
        let lost = Arc::<Lost>::default();
        let client = Self {
            filter,
            depth,
            budget: budget.clone(),
            rate: Rate { began: Instant::now(), most: query.rate, taken: AtomicU64::new(0) },
            lost: lost.clone(),
            records: sender,
        };
        let presence = views.add(Arc::new(client))?;
        Some(Feed { records, budget, lost, _presence: presence })
    }
}

impl Viewer for Client {
    fn wants(&self, _: WorkerId, message: &Glimpse<'_>) -> Want {
        self.filter.wants(message, self.depth)
    }

    fn take(&self, record: &Arc<Record>, surely: bool) {
        if !self.filter.fits(record, surely) {
            return;
        }
        if !self.rate.take() {
            self.lost.rate.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let weight = weight(record);
        if !self.budget.take(weight) {
            self.lost.buffer.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // The channel itself has no bound; the budget is its bound. One that nobody reads any more is about to be gone.
        let _ = self.records.send((weight, record.clone()));
    }

    fn missed(&self) {
        self.lost.crowded.fetch_add(1, Ordering::Relaxed);
    }
}

impl Feed {
    /// The next record, when there is one.
    pub(crate) fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Arc<Record>>> {
        self.records.poll_recv(cx).map(|next| {
            let (weight, record) = next?;
            self.budget.give_back(weight);
            Some(record)
        })
    }
}

/// What a record takes while it waits.
fn weight(record: &Record) -> usize {
    let changed = record.meetings.iter().filter_map(|meeting| meeting.changed.as_ref());
    let payloads: usize = changed.map(|changed| changed.bytes.len()).sum();
    RECORD + record.meetings.len() * MEETING + record.payload.bytes.len() + payloads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many() {
        let rate = Rate { began: Instant::now(), most: 2, taken: AtomicU64::new(0) };
        let taken: Vec<_> = [0, 0, 0, 1, 1, 1, 7].map(|second| rate.take_in(second)).to_vec();
        assert_eq!(taken, [true, true, false, true, true, false, true]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let budget = Budget { used: Arc::default(), most: 10 };
        assert!(budget.take(6) && !budget.take(5) && budget.take(4));
        budget.give_back(6);
        assert!(budget.take(6) && !budget.take(usize::MAX));
    }
}
