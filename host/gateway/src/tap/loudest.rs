//! The sessions with the most messages, while somebody asks: a [`Viewer`] that keeps nothing of what it sees but counts.

use super::{Presence, Viewer, Views, Want};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use weir_core::{Direction, Glimpse, ListenerId, Record, SessionId, WorkerId};

/// Sessions that each worker keeps when it forgets the quieter ones. Those that are as loud as a session can be are then not lost.
const KEPT: usize = 512;
/// How many it may count before it does so.
const MOST: usize = 4 * KEPT;
/// The shortest time over which is counted.
const WINDOW: Duration = Duration::from_secs(1);
/// Who asked last asked so long ago: nobody does any more.
const FORGOTTEN: Duration = Duration::from_secs(15);

/// Messages of one session.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) listener: ListenerId,
    pub(crate) peer: Arc<str>,
    /// Inbound and outbound.
    pub(crate) messages: [u64; 2],
    /// Bytes of their payloads.
    pub(crate) bytes: [u64; 2],
}

impl Count {
    fn all(&self) -> u64 {
        self.messages[0] + self.messages[1]
    }
}

/// What one worker counts; nobody else touches it but who asks.
#[derive(Debug, Default)]
struct Shard(Mutex<HashMap<SessionId, Count>>);

impl Shard {
    fn count(&self, message: &Glimpse<'_>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = message.message.session;
        if counts.len() >= MOST && !counts.contains_key(&session) {
            forget_the_quiet(&mut counts);
        }
        let count = counts.entry(session).or_insert_with(|| Count {
            listener: message.listener,
            peer: message.peer.clone(),
            messages: [0; 2],
            bytes: [0; 2],
        });
        let way = usize::from(message.message.direction == Direction::Outbound);
        count.messages[way] += 1;
        count.bytes[way] += message.message.payload.len() as u64;
    }
}

fn forget_the_quiet(counts: &mut HashMap<SessionId, Count>) {
    let mut all: Vec<u64> = counts.values().map(Count::all).collect();
    let (_, bar, _) = all.select_nth_unstable_by_key(KEPT, |count| Reverse(*count));
    let bar = *bar;
    counts.retain(|_, count| count.all() > bar);
}

#[derive(Debug)]
struct Counter {
    shards: Vec<Shard>,
}

impl Viewer for Counter {
    fn wants(&self, worker: WorkerId, message: &Glimpse<'_>) -> Want {
        if let Some(shard) = self.shards.get(usize::from(worker.0)) {
            shard.count(message);
        }
        Want::Nothing
    }

    fn take(&self, _: &Arc<Record>, _: bool) {}
}

/// Counts while somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Loudest(Mutex<Option<Watch>>);

#[derive(Debug)]
struct Watch {
    counter: Arc<Counter>,
    _presence: Presence,
    asked: Instant,
    /// Since when is counted.
    since: Instant,
    /// What was counted before, and in which time.
    last: (Vec<(SessionId, Count)>, Duration),
}

impl Loudest {
    /// The loudest sessions of the last second or more, the loudest first, and that time. It is zero when nobody asked lately: counting
    /// begins with the first question. `None`: too many look on.
    pub(crate) fn ask(
        &self,
        views: &Arc<Views>,
        workers: usize,
        most: usize,
    ) -> Option<(Vec<(SessionId, Count)>, Duration)> {
        let now = Instant::now();
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watch.is_none() {
            let counter = Arc::new(Counter { shards: (0..workers).map(|_| Shard::default()).collect() });
            let presence = views.add(counter.clone())?;
            let last = (Vec::new(), Duration::ZERO);
            *watch = Some(Watch { counter, _presence: presence, asked: now, since: now, last });
        }
        let watch = watch.as_mut()?;
        watch.asked = now;
        if now - watch.since >= WINDOW {
            let shards = watch.counter.shards.iter();
            let taken = shards
                .map(|shard| std::mem::take(&mut *shard.0.lock().unwrap_or_else(PoisonError::into_inner)));
            let mut counts: Vec<_> = taken.flatten().collect();
            counts.sort_unstable_by_key(|(session, count)| (Reverse(count.all()), *session));
            counts.truncate(KEPT);
            watch.last = (counts, now - watch.since);
            watch.since = now;
        }
        let (counts, time) = &watch.last;
        Some((counts.iter().take(most).cloned().collect(), *time))
    }

    /// Ends the counting if nobody asked for long; to be called now and then.
    pub(crate) fn tidy(&self) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watch.as_ref().is_some_and(|watch| watch.asked.elapsed() >= FORGOTTEN) {
            *watch = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loud_are_kept() {
        let count = |messages: u64| Count {
            listener: ListenerId(0),
            peer: "p".into(),
            messages: [messages, 0],
            bytes: [0; 2],
        };
        let mut counts: HashMap<_, _> =
            (0..MOST as u64).map(|id| (SessionId::from_raw(id), count(id / 2))).collect();
        forget_the_quiet(&mut counts);
        assert!((1..=KEPT).contains(&counts.len()), "{}", counts.len());
        assert!(counts.contains_key(&SessionId::from_raw(MOST as u64 - 1)));
        assert!(!counts.contains_key(&SessionId::from_raw(0)));
        // All alike: none is louder than the others.
        let mut counts: HashMap<_, _> =
            (0..MOST as u64).map(|id| (SessionId::from_raw(id), count(1))).collect();
        forget_the_quiet(&mut counts);
        assert_eq!(counts.len(), 0);
    }
}
