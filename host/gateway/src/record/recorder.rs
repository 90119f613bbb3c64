//! One who looks on and keeps everything of one listener, as far as it fits.

use super::options::Wanted;
use crate::tap::{Presence, Viewer, Views, Want};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use weir_core::{
    Depth, Glimpse, ListenerId, Meeting, Record, Rejection, SessionId, SessionInfo, Time, WorkerId,
};

/// What a record, an opening or an end costs beside its payloads, in bytes.
const EVENT: u64 = 512;
/// The same for each meeting.
const MEETING: u64 = 256;

/// The workers' side.
#[derive(Debug)]
pub(crate) struct Recorder {
    listener: ListenerId,
    buffer: Arc<Buffer>,
    events: mpsc::UnboundedSender<(u64, Event)>,
}

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Event {
    Opened { at: Time, order: u64, info: SessionInfo },
    Told { session: SessionId, meeting: Box<Meeting> },
    Message(Arc<Record>),
    Ended { at: Time, order: u64, session: SessionId, said: Rejection },
}

/// The reader's side. Nobody records any more when it is dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    events: mpsc::UnboundedReceiver<(u64, Event)>,
    buffer: Arc<Buffer>,
    _presence: Presence,
}

/// What waits, and what did not fit.
#[derive(Debug)]
struct Buffer {
    most: u64,
    used: AtomicU64,
    /// The reader was too slow.
    lost: AtomicU64,
    /// More messages were held, or under way, than a worker keeps records of.
    crowded: AtomicU64,
}

impl Buffer {
    fn take(&self, bytes: u64) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.most;
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

impl Recorder {
    /// Records from now on. `None`: too many look on already.
    pub(crate) fn attach(views: &Arc<Views>, listener: ListenerId, wanted: &Wanted) -> Option<Recording> {
        #[expect(clippy::disallowed_methods, reason = "what waits in it is bounded in bytes, by the buffer")]
        let (sender, events) = mpsc::unbounded_channel();
        let buffer = Arc::new(Buffer {
            most: wanted.buffer,
            used: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            crowded: AtomicU64::new(0),
        });
        let recorder = Self { listener, buffer: buffer.clone(), events: sender };
        let presence = views.add(Arc::new(recorder))?;
        Some(Recording { events, buffer, _presence: presence })
    }

    fn push(&self, weight: u64, event: Event) {
        if self.buffer.take(weight) {
            // The channel itself has no bound; the buffer is its bound. One that nobody reads any more is about to be gone.
            let _ = self.events.send((weight, event));
        } else {
            self.buffer.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Viewer for Recorder {
    fn wants(&self, _: WorkerId, message: &Glimpse<'_>) -> Want {
        if message.listener == self.listener {
            Want::Surely(Depth { payload: usize::MAX, effects: true, ..Depth::default() })
        } else {
            Want::Nothing
        }
    }

    fn take(&self, record: &Arc<Record>, _surely: bool) {
        let changed = record.meetings.iter().filter_map(|meeting| meeting.changed.as_ref());
        let changed: usize = changed.map(|changed| changed.bytes.len()).sum();
        let payloads = (record.payload.bytes.len() + changed) as u64;
        let sent: u64 = record.meetings.iter().map(effects).sum();
        let weight = EVENT + MEETING * record.meetings.len() as u64 + payloads + sent;
        self.push(weight, Event::Message(record.clone()));
    }

    fn missed(&self) {
        self.buffer.crowded.fetch_add(1, Ordering::Relaxed);
    }

    fn opened(&self, at: Time, order: u64, listener: ListenerId, session: &SessionInfo) {
        if listener == self.listener {
            let request: usize = session.request.iter().map(|(name, value)| name.len() + value.len()).sum();
            self.push(EVENT + request as u64, Event::Opened { at, order, info: session.clone() });
        }
    }

    fn told(&self, listener: ListenerId, session: SessionId, meeting: &Meeting) {
        if listener == self.listener {
            let weight = EVENT + effects(meeting);
            self.push(weight, Event::Told { session, meeting: Box::new(meeting.clone()) });
        }
    }

    fn ended(&self, at: Time, order: u64, listener: ListenerId, session: SessionId, said: &Rejection) {
        if listener == self.listener {
            self.push(EVENT, Event::Ended { at, order, session, said: said.clone() });
        }
    }
}

/// What the effects of a meeting carry, in bytes.
fn effects(meeting: &Meeting) -> u64 {
    let bytes = |effect: &weir_core::Effect| match effect {
        weir_core::Effect::Send { payload, .. } => payload.len(),
        weir_core::Effect::SetAttribute { name, value, .. } => {
            name.len() + value.as_ref().map_or(0, |value| value.len())
        }
        _ => 64,
    };
    meeting.effects.iter().map(bytes).sum::<usize>() as u64
}

impl Recording {
    /// The next event, when there is one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(cx).map(|next| {
            let (weight, event) = next?;
            self.buffer.used.fetch_sub(weight, Ordering::Relaxed);
            Some(event)
        })
    }

    /// What did not fit until now: because the reader was slow, and because too much was under way.
    pub(crate) fn lost(&self) -> (u64, u64) {
        (self.buffer.lost.load(Ordering::Relaxed), self.buffer.crowded.load(Ordering::Relaxed))
    }
}
