//! Who looks on messages as they pass: the admin server's part of the core's [`Tap`](weir_core::Tap).
//!
//! Workers are given a tap while somebody looks on, and pay next to nothing otherwise. Each worker's `Onlooker` asks all
//! [viewers](Viewer) how much they want of a message and hands each the records that it wanted.

mod client;
mod filter;
mod line;
mod loudest;
mod onlooker;
mod query;
mod redact;

pub(crate) use client::{Client, Feed};
pub(crate) use filter::Filter;
pub(crate) use line::Lines;
pub(crate) use loudest::Loudest;
pub(crate) use onlooker::attend;
pub(crate) use query::Query;
pub(crate) use redact::Redaction;
#[cfg(test)]
pub(crate) use redact::Shown;

use arc_swap::ArcSwap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use weir_core::{
    Depth, Glimpse, ListenerId, Meeting, Record, Rejection, SessionId, SessionInfo, Time, WorkerId,
};

/// The most viewers at once: each costs every message a look.
pub(crate) const MAX_VIEWERS: usize = 16;

/// One who looks on. Called by all workers, in the midst of their turns: it must be quick, and must not wait.
pub(crate) trait Viewer: fmt::Debug + Send + Sync {
    /// Whether anything is wanted of a message, as far as can be told before its chain.
    fn wants(&self, worker: WorkerId, message: &Glimpse<'_>) -> Want;

    /// A message that was wanted has met its fate. `surely`: it was not wanted only perhaps.
    fn take(&self, record: &Arc<Record>, surely: bool);

    /// There was no room for the record of a message that may have been wanted.
    fn missed(&self) {}

    /// A session opened on a listener with a chain.
    fn opened(&self, _at: Time, _order: u64, _listener: ListenerId, _session: &SessionInfo) {}

    /// A plugin has learnt it, and answered.
    fn told(&self, _listener: ListenerId, _session: SessionId, _meeting: &Meeting) {}

    /// A session ended.
    fn ended(&self, _at: Time, _order: u64, _listener: ListenerId, _session: SessionId, _said: &Rejection) {}
}

/// What a viewer wants of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Nothing,
    /// If what becomes of it makes it so.
    Perhaps(Depth),
    Surely(Depth),
}

/// All who look on now.
#[derive(Debug)]
pub(crate) struct Views {
    viewers: Arc<ArcSwap<Viewers>>,
    changing: Mutex<usize>,
    /// Whether there is anybody, for the workers.
    watched: watch::Sender<bool>,
    /// Workers that have a tap.
    attending: AtomicUsize,
}

/// Each with its place, which the bits of [`Record::mark`] name.
type Viewers = Vec<(usize, Arc<dyn Viewer>)>;

impl Default for Views {
    fn default() -> Self {
        Self {
            viewers: Arc::default(),
            changing: Mutex::default(),
            watched: watch::Sender::new(false),
            attending: AtomicUsize::new(0),
        }
    }
}

impl Views {
    /// Whether all of so many workers show what they do.
    pub(crate) fn are_attended(&self, workers: usize) -> bool {
        self.attending.load(Ordering::Acquire) >= workers
    }

    /// One more looks on, until what this gives is dropped. `None`: there are [`MAX_VIEWERS`] already.
    pub(crate) fn add(self: &Arc<Self>, viewer: Arc<dyn Viewer>) -> Option<Presence> {
        let mut next = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut viewers = (**self.viewers.load()).clone();
        if viewers.len() >= MAX_VIEWERS {
            return None;
        }
        // Not one that somebody just left, if there is another: a record under way may still name it.
        let taken = |place: usize| viewers.iter().any(|(known, _)| *known == place);
        let place = (0..PLACES).map(|step| (*next + step) % PLACES).find(|place| !taken(*place))?;
        *next = (place + 1) % PLACES;
        viewers.push((place, viewer));
        self.viewers.store(Arc::new(viewers));
        self.watched.send_replace(true);
        Some(Presence { views: self.clone(), place })
    }
}

/// More than there can be viewers, and each has two bits.
const PLACES: usize = 32;

/// Somebody looks on for as long as this is there.
#[derive(Debug)]
pub(crate) struct Presence {
    views: Arc<Views>,
    place: usize,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let _changing = self.views.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut viewers = (**self.views.viewers.load()).clone();
        viewers.retain(|(place, _)| *place != self.place);
        let any = !viewers.is_empty();
        self.views.viewers.store(Arc::new(viewers));
        self.views.watched.send_replace(any);
    }
}
