//! What a worker keeps of one connection. Everything that an idle one does not need is behind an `Option<Box>`.

use crate::attribute::Attributes;
use crate::id::{BindingId, ClusterId, ConnId, GenerationId, Lane, ListenerId, SessionId};
use crate::lifecycle::Phase;
use crate::lineup::Era;
use crate::message::{Direction, Kind, Message, Payload, Transport};
use crate::origin::Origin;
use crate::pulse::Pulse;
use crate::queue::Queue;
use crate::rate::Meter;
use crate::reason::CloseReason;
use crate::resume::Resume;
use crate::snapshot::{OnFailure, Progress};
use crate::time::Time;
use crate::verdict::{Rejection, Target, Verdict};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use weir_codec::Wire;

/// A downstream or upstream connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) phase: Phase,
    /// Why reading stands still, if it does; see [`Pauses`].
    pub(crate) pauses: Pauses,
    /// Set once the peer has ended its side in order.
    pub(crate) peer_ended: bool,
    /// Set once a close frame is queued: there is only one.
    pub(crate) said_close: bool,
    /// The gateway can ask the peer whether it is there.
    pub(crate) can_ping: bool,
    /// The transport is to say how the way to its peer is; see [`Pulse::look`].
    pub(crate) look: bool,
    /// In the dirty list of this turn.
    pub(crate) dirty: bool,
    /// How many transports it has had before this one: a client came back so often. Wraps.
    pub(crate) transports: u8,
    /// What the former transport wrote last was a part of a frame.
    pub(crate) torn: bool,
    pub(crate) wire: Wire,
    /// `None`: nothing waits.
    pub(crate) queue: Option<Box<Queue>>,
    /// Only of transports with several.
    #[expect(clippy::box_collection, reason = "most connections have none, and pay eight bytes for that")]
    pub(crate) lanes: Option<Box<Vec<Lane>>>,
    /// Set when the end begins.
    pub(crate) end: Option<Box<End>>,
    /// When bytes last came, or went where the transport cannot ask whether the peer is there.
    pub(crate) heard: Time,
    /// Since when the queue has been over half full; [`Time::NEVER`]: it is not.
    pub(crate) slow_since: Time,
    /// Since when a frame from the peer has been incomplete; [`Time::NEVER`]: none is.
    pub(crate) frame_since: Time,
    /// Since when the transport has taken nothing of what is queued; [`Time::NEVER`]: it takes it.
    pub(crate) blocked_since: Time,
    /// By when the phase must be over.
    pub(crate) phase_deadline: Time,
    /// The second of the last ping from the peer, and how many came in it.
    pub(crate) pings: (u32, u32),
    pub(crate) role: Role,
}

#[derive(Debug)]
pub(crate) enum Role {
    Session(Box<Session>),
    Upstream(Upstream),
}

/// The downstream side.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) listener: ListenerId,
    pub(crate) transport: Transport,
    /// Messages accepted so far, inbound and outbound.
    pub(crate) sequences: [u64; 2],
    /// Bytes of accepted payloads, and of frames that were written.
    pub(crate) bytes: [u64; 2],
    pub(crate) pulse: Pulse,
    pub(crate) origin: Origin,
    /// `None`: nobody has asked for them yet. They are in the directory if and only if they are here and the session is open.
    pub(crate) attributes: Option<Attributes>,
    /// Which it is in, and its place among the members of each.
    pub(crate) groups: Vec<(Arc<str>, usize)>,
    pub(crate) upstreams: Vec<(ClusterId, ConnId)>,
    /// The lines of inbound and of outbound messages behind one that a plugin holds.
    pub(crate) held: [Option<Box<Held>>; 2],
    /// The bindings of the chain when it opened, and how many of them were told: those are told that it ended.
    pub(crate) chain: Arc<Vec<BindingId>>,
    pub(crate) told: u16,
    /// Of the bindings' generations when it opened.
    pub(crate) era: Era,
    /// Only where there are rates, and from the first message on.
    pub(crate) meter: Option<Box<Meter>>,
    pub(crate) opened_at: Time,
    /// Only where the client said hello.
    pub(crate) resume: Option<Box<Resume>>,
    /// The second of the last message from it or for it, or of its opening.
    pub(crate) active: u32,
}

/// One upstream connection of one session.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) session: SessionId,
    pub(crate) cluster: ClusterId,
    /// No more is coming from the session: what is queued is written, then the connection is closed.
    pub(crate) finishing: bool,
}

/// Why and how a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// For the counters.
    pub reason: CloseReason,
    /// For the peer and the logs: what was sent, or received when the peer began.
    pub said: Rejection,
}

/// Messages in line: one that a plugin keeps back, and those behind it. The line stays until its last message has arrived, so that
/// what comes meanwhile joins its end. Inbound there is rarely more than the one, for reading stands still.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) messages: VecDeque<Waiting>,
    /// What they cost.
    bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) parcel: Parcel,
    /// `None`: no plugin has seen it yet.
    pub(crate) kept: Option<Box<Kept>>,
}

/// What a held message needs to go on.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The chain that it met.
    pub(crate) chain: Arc<Vec<BindingId>>,
    /// How far it has come in it, the holding link among those that it has passed.
    pub(crate) progress: Progress,
    pub(crate) route: Option<Target>,
    /// Who holds it.
    pub(crate) by: GenerationId,
    /// Its session meets another generation now, which is to be asked.
    pub(crate) anew: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) until: Time,
    /// Set when it is released.
    pub(crate) verdict: Option<Verdict>,
}

/// A message that outlives the read it came with.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) session: SessionId,
    pub(crate) sequence: u64,
    pub(crate) direction: Direction,
    pub(crate) kind: Kind,
    pub(crate) payload: Bytes,
    pub(crate) lane: Option<Lane>,
    pub(crate) hops: u8,
    pub(crate) pressed: bool,
}

/// Why reading from a peer stands still: something that it fills is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pauses(u8);

impl Pauses {
    /// A plugin holds a message.
    pub(crate) const HELD: Self = Self(1);
    /// A connection to a cluster has its queue full.
    pub(crate) const UPSTREAM: Self = Self(2);
    /// Another worker's mailbox is full.
    pub(crate) const MAILBOX: Self = Self(4);
    /// The client's own queue is full: of its echoes, or (upstream) of what its upstream sends.
    pub(crate) const DOWNSTREAM: Self = Self(8);
    /// The client has sent as fast as it may.
    pub(crate) const RATE: Self = Self(16);

    pub(crate) fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether that was the last reason.
    pub(crate) fn clear(&mut self, other: Self) -> bool {
        let was = self.0;
        self.0 &= !other.0;
        was != 0 && self.0 == 0
    }

    pub(crate) const fn any(self) -> bool {
        self.0 != 0
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Conn {
    pub(crate) fn new(now: Time, wire: Wire, role: Role) -> Self {
        let phase = match role {
            Role::Session(_) => Phase::ExpectMessages,
            Role::Upstream(_) => Phase::ExpectConnected,
        };
        Self {
            phase,
            pauses: Pauses::default(),
            peer_ended: false,
            said_close: false,
            can_ping: wire.websocket().is_some(),
            look: false,
            dirty: false,
            transports: 0,
            torn: false,
            wire,
            queue: None,
            lanes: None,
            end: None,
            heard: now,
            slow_since: Time::NEVER,
            frame_since: Time::NEVER,
            blocked_since: Time::NEVER,
            phase_deadline: Time::NEVER,
            pings: (0, 0),
            role,
        }
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.wire.websocket().is_some()
    }

    /// The lane that a message goes out on: its own if that is still open, else the first one that is; `None`: none is yet.
    pub(crate) fn lane(&self, wanted: Option<Lane>) -> Option<Lane> {
        // The messages of a session that can be resumed are in one order, so they go out on one lane.
        let wanted = wanted.filter(|_| !self.is_resumable());
        match (&self.lanes, wanted) {
            (None, _) => Some(Lane::ONLY),
            (Some(_), Some(Lane::DATAGRAMS)) => wanted,
            (Some(open), Some(lane)) if open.contains(&lane) => wanted,
            (Some(open), _) => open.first().copied(),
        }
    }

    /// Whether its client may come back on another connection.
    pub(crate) fn is_resumable(&self) -> bool {
        self.session().is_some_and(|session| session.resume.is_some())
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.role {
            Role::Session(session) => Some(session),
            Role::Upstream(_) => None,
        }
    }

    pub(crate) fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.role {
            Role::Session(session) => Some(session),
            Role::Upstream(_) => None,
        }
    }

    /// What its queue holds, to be compared with a limit; 0 if and only if nothing waits.
    pub(crate) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.weight())
    }

    /// Whether a message of `length` bytes may be queued under `limit`. An empty queue takes any message, so that a message
    /// longer than the queue is not undeliverable.
    pub(crate) fn has_room(&self, length: usize, limit: usize) -> bool {
        let queued = self.queued();
        queued == 0 || queued + length <= limit
    }
}

impl Parcel {
    pub(crate) fn open(self) -> Message<'static> {
        Message {
            session: self.session,
            sequence: self.sequence,
            direction: self.direction,
            kind: self.kind,
            payload: Payload::Owned(self.payload),
            lane: self.lane,
            hops: self.hops,
            pressed: self.pressed,
        }
    }

    pub(crate) fn pack(message: Message<'_>) -> Self {
        Self {
            session: message.session,
            sequence: message.sequence,
            direction: message.direction,
            kind: message.kind,
            payload: message.payload.into_bytes(),
            lane: message.lane,
            hops: message.hops,
            pressed: message.pressed,
        }
    }
}

impl Held {
    /// Whether a message of `length` bytes may join the line under `limit`.
    pub(crate) fn has_room(&self, length: usize, limit: usize) -> bool {
        self.bytes + length + size_of::<Waiting>() <= limit
    }

    pub(crate) fn push_front(&mut self, waiting: Waiting) {
        self.bytes += waiting.cost();
        self.messages.push_front(waiting);
    }

    pub(crate) fn push_back(&mut self, waiting: Waiting) {
        self.bytes += waiting.cost();
        self.messages.push_back(waiting);
    }

    pub(crate) fn pop_front(&mut self) -> Option<Waiting> {
        let front = self.messages.pop_front()?;
        self.bytes -= front.cost();
        Some(front)
    }

    /// When the message at the front has waited long enough.
    pub(crate) fn until(&self) -> Option<Time> {
        self.messages.front()?.kept.as_ref().map(|kept| kept.until)
    }

    /// The invariants, for tests.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.bytes, self.messages.iter().map(Waiting::cost).sum::<usize>(), "bytes in line");
        let front = self.messages.front().and_then(|front| front.kept.as_deref());
        assert!(front.is_some_and(|kept| kept.verdict.is_none()), "a line is there for one that is kept");
    }
}

impl Waiting {
    pub(crate) fn cost(&self) -> usize {
        self.parcel.payload.len() + size_of::<Self>()
    }
}

impl Session {
    pub(crate) fn new(
        listener: ListenerId,
        transport: Transport,
        origin: Origin,
        chain: Arc<Vec<BindingId>>,
        era: Era,
        now: Time,
        interval: Duration,
    ) -> Self {
        Self {
            listener,
            transport,
            sequences: [0; 2],
            bytes: [0; 2],
            pulse: Pulse::new(now, interval),
            origin,
            attributes: None,
            groups: Vec::new(),
            upstreams: Vec::new(),
            held: [None, None],
            chain,
            told: 0,
            era,
            meter: None,
            opened_at: now,
            resume: None,
            active: now.second(),
        }
    }

    /// The number of a message that is accepted now.
    pub(crate) fn next_sequence(&mut self, direction: Direction, now: Time) -> u64 {
        self.active = now.second();
        let sequence = &mut self.sequences[direction as usize];
        *sequence += 1;
        *sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle connection costs, beside the transport: these, the address of the client, and an entry in the wheel. The bar is
    /// 1.25 KiB for everything, TLS apart.
    #[test]
    fn an_idle_session_is_small() {
        let (conn, session) = (size_of::<Conn>(), size_of::<Session>());
        println!("connection {conn} bytes, session {session} bytes more");
        assert!(conn <= 120, "{conn}");
        assert!(session <= 224, "{session}");
    }
}
