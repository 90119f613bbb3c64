//! Messages as somebody sees them who looks on: what came, what each plugin of the chain decided, where it went.
//!
//! A worker has at most one [`Tap`], given with [`Worker::tap`](crate::Worker::tap) and taken back in the same way: whoever has several
//! listeners to serve divides what it takes among them. Without a tap a message pays for a look at a field that is empty.
//!
//! # The life of a record
//! 1. A message is about to meet its chain (or is dropped before it does): the tap is [asked](Tap::wants) how much of it is wanted.
//!    Nothing is kept of one that is not, and the tap does not hear of it again.
//! 2. Each link that is called leaves a [`Meeting`], in the order of the calls. A message that a plugin holds keeps its record; its
//!    release is one more meeting.
//! 3. It meets its fate, and the tap [takes](Tap::take) the record. Inbound that is where it was sent, outbound that it was queued for
//!    its client, or the reason for which it went no further.
//!
//! So records come in the order of the fates, which for one session and direction is the order of the messages. A message that was under
//! way when the tap came has none. A worker keeps at most [`MAX_OPEN`] records open (of messages in hand and of held ones);
//! messages beyond that are told to the tap as [missed](Tap::missed).
//!
//! Nothing here waits: a tap must not block, and what it cannot take it must drop and count itself.

use crate::attribute::Attributes;
use crate::id::{BindingId, Lane, ListenerId, SessionId, WorkerId};
use crate::message::{Direction, Kind, Message, Payload};
use crate::program::{FailureCause, SessionInfo};
use crate::reason::DropReason;
use crate::snapshot::Link;
use crate::time::Time;
use crate::verdict::{Effect, Forwarding, Rejection, Target, Verdict};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// The most records of one worker that wait for the fates of their messages.
pub const MAX_OPEN: usize = 4096;

/// Somebody who looks on. Called on the worker's thread, in the midst of a turn: it must be quick and must not block.
pub trait Tap: fmt::Debug {
    /// How much is wanted of a message; `None`: nothing.
    fn wants(&mut self, message: &Glimpse<'_>) -> Option<Depth>;

    /// A message that was wanted has met its fate.
    fn take(&mut self, record: Record);

    /// A message was wanted, and there was no room for its record.
    fn missed(&mut self) {}

    /// A session opened: what its plugins are about to learn of it, if there are any.
    fn opened(&mut self, _at: Time, _order: u64, _listener: ListenerId, _session: &SessionInfo) {}

    /// One of them has learnt it, and answered: to forward is to welcome, to close is to refuse.
    fn told(&mut self, _listener: ListenerId, _session: SessionId, _meeting: Meeting) {}

    /// A session ended: what the plugins of its chain are about to learn of it. Messages that were held have met their fates.
    fn ended(
        &mut self,
        _at: Time,
        _order: u64,
        _listener: ListenerId,
        _session: SessionId,
        _said: &Rejection,
    ) {
    }
}

/// How much of a message is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// The most bytes of the payload, and of each payload that a plugin puts in its place; `usize::MAX`: all.
    pub payload: usize,
    /// Effects, and the attributes that the plugins saw.
    pub effects: bool,
    /// Whatever the tap wants to find again in the record: for whom it is.
    pub mark: u64,
}

impl Depth {
    /// What satisfies both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            payload: self.payload.max(other.payload),
            effects: self.effects || other.effects,
            mark: self.mark | other.mark,
        }
    }
}

/// A message before anything is kept of it.
#[derive(Debug)]
pub struct Glimpse<'a> {
    /// Where its session is connected.
    pub listener: ListenerId,
    /// The message itself.
    pub message: &'a Message<'a>,
    /// The address of its session's client.
    pub peer: &'a Arc<str>,
    pub(crate) groups: &'a [(Arc<str>, usize)],
}

impl Glimpse<'_> {
    /// Whether its session is in this group now.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|(name, _)| **name == *group)
    }
}

/// A message, what was decided about it, and what became of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// [`Depth::mark`] of what the tap answered.
    pub mark: u64,
    /// When it came to its chain: the time of the worker's turn.
    pub time: Time,
    /// When that was among all that the tap of the worker saw: each opening, message, meeting and end has its number, in the order in
    /// which they happened.
    pub order: u64,
    /// The worker of its session.
    pub worker: WorkerId,
    /// Where its session was connected when it met its fate.
    pub listener: ListenerId,
    /// The session whose client sent it (inbound) or will receive it (outbound).
    pub session: SessionId,
    /// Inbound or outbound.
    pub direction: Direction,
    /// See [`Message::sequence`].
    pub sequence: u64,
    /// Text or binary.
    pub kind: Kind,
    /// See [`Message::lane`].
    pub lane: Option<Lane>,
    /// How many plugin sends led to it.
    pub hops: u8,
    /// As it came, before any plugin.
    pub payload: Excerpt,
    /// The plugins that were called, in order.
    pub meetings: Vec<Meeting>,
    /// What became of it.
    pub fate: Fate,
}

/// The beginning of a payload, as much as was wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// At most [`Depth::payload`]; of text it may end within a character.
    pub bytes: Bytes,
    /// Bytes of the whole.
    pub size: usize,
}

impl Excerpt {
    /// Whether it is the whole payload.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() == self.size
    }

    fn of_payload(payload: &Payload<'_>, most: usize) -> Self {
        match payload {
            Payload::Owned(bytes) => Self::of(bytes, most),
            Payload::Borrowed(bytes) => {
                Self { bytes: Bytes::copy_from_slice(&bytes[..bytes.len().min(most)]), size: bytes.len() }
            }
        }
    }

    fn of(bytes: &Bytes, most: usize) -> Self {
        // A part is copied, so that it does not keep the whole alive.
        let kept = if bytes.len() <= most { bytes.clone() } else { Bytes::copy_from_slice(&bytes[..most]) };
        Self { bytes: kept, size: bytes.len() }
    }
}

/// One call of a plugin about the message, or the release of one that it held.
#[derive(Clone, Debug)]
pub struct Meeting {
    /// Whose.
    pub binding: BindingId,
    /// Its name.
    pub name: Arc<str>,
    /// Which version of it answered.
    pub generation: u64,
    /// When: the time of the worker's turn.
    pub time: Time,
    /// See [`Record::order`].
    pub order: u64,
    /// What it decided, its new payload left out; or why there is no answer. What becomes of the message then is the binding's `on_failure`.
    pub answer: Result<Verdict, FailureCause>,
    /// The payload that it put in the place of the one before.
    pub changed: Option<Excerpt>,
    /// How long the call took; 0 for a release.
    pub nanoseconds: u64,
    /// It held the message before, and this is what it said later.
    pub released: bool,
    /// What else it asked for, in order; only where [`Depth::effects`] was wanted.
    pub effects: Vec<Effect>,
    /// The session's attributes as the plugin saw them; likewise.
    pub attributes: Option<Attributes>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Inbound: sent on to there.
    Routed(Target),
    /// Outbound: queued for its client, or kept for one that is to come back.
    Queued,
    /// It went no further.
    Dropped(DropReason),
}

impl Meeting {
    /// What is known of every one.
    pub(crate) fn new(
        link: &Link,
        (time, order): (Time, u64),
        answer: Result<Verdict, FailureCause>,
    ) -> Self {
        Self {
            binding: link.binding,
            name: link.name.clone(),
            generation: link.generation,
            time,
            order,
            answer,
            changed: None,
            nanoseconds: 0,
            released: false,
            effects: Vec::new(),
            attributes: None,
        }
    }
}

impl Record {
    pub(crate) fn begin(
        (now, order): (Time, u64),
        worker: WorkerId,
        listener: ListenerId,
        message: &Message<'_>,
        depth: Depth,
    ) -> Self {
        Self {
            mark: depth.mark,
            time: now,
            order,
            worker,
            listener,
            session: message.session,
            direction: message.direction,
            sequence: message.sequence,
            kind: message.kind,
            lane: message.lane,
            hops: message.hops,
            payload: Excerpt::of_payload(&message.payload, depth.payload),
            meetings: Vec::new(),
            // Until it has one.
            fate: Fate::Queued,
        }
    }
}

/// A verdict without its payload, and the beginning of that.
pub(crate) fn apart(verdict: &Verdict, depth: Depth) -> (Verdict, Option<Excerpt>) {
    match verdict {
        Verdict::Forward(Forwarding { payload, route }) => {
            let changed = payload.as_ref().map(|payload| Excerpt::of(payload, depth.payload));
            (Verdict::Forward(Forwarding { payload: None, route: route.clone() }), changed)
        }
        verdict => (verdict.clone(), None),
    }
}
