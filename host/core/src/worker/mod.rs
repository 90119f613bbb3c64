//! A worker: its connections, its plugin instances, its share of each group.
//!
//! # How it is driven
//! A worker belongs to one thread. Its caller
//! 1. begins every batch of calls with [`Worker::turn`], which sets the time and takes up a new snapshot;
//! 2. tells what happened: a session opened ([`Worker::open`]), something was [received](Worker::received) ([compressed](Worker::received_compressed) perhaps), the peer ended
//!    ([`Worker::peer_ended`]), broke its protocol ([`Worker::broken`]) or was [lost](Worker::lost);
//! 3. asks each connection's [`Worker::status`] afterwards and does what it says: read or not, write what [`Worker::queue`] holds and
//!    report it with [`Worker::written`], shut down, or let go with [`Worker::release`];
//! 4. at the end of the turn wakes whoever drives the connections in [`Worker::take_dirty`], opens what [`Worker::take_connects`]
//!    asks for, and posts [`Worker::mail`] to the other workers, who hand it to their own [`Worker::deliver`];
//! 5. calls [`Worker::tick`] at [`Worker::next_deadline`] or later.
//!
//! Every connection is driven until its status is `Ended`, and then released, once.

mod chain;
mod compression;
mod drain;
mod effects;
mod effort;
mod ends;
mod foresee;
mod foresight;
mod heartbeat;
mod hold;
mod offload;
mod output;
mod overload;
mod post;
mod rates;
mod receive;
mod resume;
mod route;
mod slow;
mod tap;
#[cfg(test)]
mod tests;
mod timers;

pub use effort::Work;
pub(crate) use foresight::{Answer, Foresight};
pub use overload::{Shed, Shedding};

use crate::attribute::Directory;
use crate::conn::{Conn, End, Parcel};
#[cfg(any(test, debug_assertions))]
use crate::conn::{Pauses, Role, Session};
use crate::group::Groups;
use crate::id::{ClusterId, ConnId, GenerationId, Lane, ListenerId, SessionId, WorkerId};
#[cfg(any(test, debug_assertions))]
use crate::lifecycle::Phase;
use crate::mail::Outbox;
use crate::message::{Direction, Kind};
use crate::origin::Names;
use crate::program::{Call, Seat, TlsInfo};
use crate::pulse::Health;
use crate::queue::Queue;
use crate::resume::Hello;
use crate::roster::{Notice, Roster};
use crate::slab::Slab;
use crate::snapshot::{Link, OnFailure, Progress, Snapshot};
use crate::stats::WorkerStats;
use crate::time::Time;
use crate::together::Together;
use crate::verdict::{Effect, Target, Verdict};
use crate::wheel::Wheel;
use arc_swap::ArcSwap;
use bytes::Bytes;
use drain::Drain;
use hold::Holdings;
use offload::Offloads;
use overload::Shedder;
use std::sync::Arc;
use tap::Tapped;
use weir_codec::Wire;
use weir_codec::websocket::deflate::{Deflater, Inflater};

/// See the module's documentation for the calls and their order.
pub struct Worker {
    source: Arc<ArcSwap<Snapshot>>,
    snapshot: Arc<Snapshot>,
    state: State,
    /// What is inflated is a view of it while the state changes.
    inflater: Inflater,
}

/// Everything but the snapshot, which is read while this changes.
pub(crate) struct State {
    pub(crate) seat: Seat,
    pub(crate) now: Time,
    pub(crate) conns: Slab<Conn>,
    pub(crate) groups: Groups,
    pub(crate) roster: Roster,
    /// What each binding holds here, in bytes.
    pub(crate) holdings: Holdings,
    pub(crate) offloads: Offloads,
    pub(crate) wheel: Wheel,
    pub(crate) dirty: Vec<ConnId>,
    pub(crate) connects: Vec<Connect>,
    pub(crate) outboxes: Vec<Outbox>,
    /// What is to be done before the call from outside returns: a stack, so that what one thing leads to is done before the next,
    /// without recursion.
    pub(crate) tasks: Vec<Task>,
    pub(crate) stats: Arc<WorkerStats>,
    /// Queues, with their buffers, that no connection needs now.
    #[expect(clippy::vec_box, reason = "they move in and out of connections as they are")]
    pub(crate) spare_queues: Vec<Box<Queue>>,
    /// The buffers of the call under way.
    pub(crate) call: Call,
    /// What deliveries led to in the call from outside that is under way; see [`State::bear`].
    pub(crate) offspring: usize,
    pub(crate) names: Names,
    /// See [`Worker::effort`].
    pub(crate) effort: u64,
    /// Nanoseconds that plugins took of this turn's messages.
    pub(crate) in_plugins: u64,
    /// Set when the gateway stops.
    pub(crate) drain: Option<Drain>,
    /// Set while sessions are to go because of overload.
    pub(crate) shedder: Option<Box<Shedder>>,
    /// State of the generator of masking keys.
    pub(crate) seed: u64,
    /// Sessions that ended while nobody drove them.
    pub(crate) lapsed: Vec<ConnId>,
    /// For all sessions that agreed to compression.
    pub(crate) deflater: Deflater,
    /// What plugins have said of messages that came together, and are received now.
    pub(crate) foresight: Foresight,
    /// What they have said of messages that are to go out, among the tasks of the call from outside that is under way.
    pub(crate) fan: Foresight,
    /// See [`Worker::together`].
    pub(crate) together: Together,
    /// See [`Worker::tap`].
    pub(crate) tap: Option<Box<Tapped>>,
}

/// Something to be done before the call from outside returns.
pub(crate) enum Task {
    /// The messages of a session that waited behind a held one go on.
    WorkOff { session: SessionId, direction: Direction },
    /// A message whose verdict is known, after the effects that came with it.
    Conclude { parcel: Parcel, judged: Judged, route: Option<Target> },
    /// The same, of a link that was called elsewhere: it may have left the chain since.
    ConcludeElsewhere { parcel: Parcel, judged: Judged, route: Option<Target>, link: Box<Link> },
    /// A message is held by a generation that the session may not meet any more.
    OfferAnew { session: SessionId },
    /// A plugin sends.
    Send { to: Target, in_hand: Option<SessionId>, kind: Kind, payload: Bytes, hops: u8 },
    /// A message for one session.
    Offer { session: SessionId, kind: Kind, payload: Bytes, hops: u8 },
    /// What else a plugin asks for.
    Wish { by: GenerationId, effect: Effect },
}

/// A verdict, and whose it is.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) by: Judge,
}

/// A link that a message has met.
#[derive(Clone)]
pub(crate) struct Judge {
    /// How far the message has come, the judging link among those that it has passed.
    pub(crate) progress: Progress,
    pub(crate) id: GenerationId,
    pub(crate) on_failure: OnFailure,
}

/// A downstream connection whose handshakes are done.
#[derive(Debug)]
pub struct Opening {
    /// Which listener accepted it.
    pub listener: ListenerId,
    /// The client's address.
    pub peer: Arc<str>,
    /// Where it is encrypted.
    pub tls: Option<TlsInfo>,
    /// See [`SessionInfo::request`](crate::SessionInfo::request).
    pub request: Vec<(Box<str>, Box<str>)>,
    /// How messages to it become frames.
    pub wire: Wire,
    /// What a client said that wants a session which can be resumed; `None`: it said no such thing.
    pub hello: Option<Hello>,
}

/// An upstream connection that the caller shall make.
#[derive(Clone, Copy, Debug)]
pub struct Connect {
    /// What to say [`Worker::connected`] or [`Worker::connect_failed`] of.
    pub conn: ConnId,
    /// Where to.
    pub cluster: ClusterId,
    /// For whom.
    pub session: SessionId,
}

/// What the reader of a connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Decodes on.
    Continue,
    /// Keeps what it has not decoded and reads no more until the status says `read` again; its task is woken then.
    Pause,
    /// Nothing more is taken from this peer.
    Stop,
}

/// What the driver of a connection does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Reads if `read`; writes what is queued; with `finish`, shuts its writing side down once nothing is.
    Active {
        /// Whether to read.
        read: bool,
        /// Whether the peer is to be told that no more is coming, while it may still answer.
        finish: bool,
    },
    /// The session waits for its client to come back: lets the transport go, and nothing else.
    Parted(End),
    /// Everything is written: shuts its writing side down and waits for the peer's end, discarding what still comes.
    Lingering,
    /// Lets the transport go, with this to say where the transport has a way, then calls [`Worker::release`].
    Ended(End),
}

/// What a connection was, for the log, when it is released.
#[derive(Clone, Debug)]
pub struct Farewell {
    /// The listener, or `None` for an upstream connection.
    pub listener: Option<ListenerId>,
    /// The client's address, or `None` for an upstream connection.
    pub peer: Option<Arc<str>>,
    /// Why it ended.
    pub end: End,
    /// Messages accepted from it and for it; not counted for an upstream connection.
    pub messages: [u64; 2],
    /// Bytes of the payloads that were accepted from it, and of the frames that were written to it.
    pub bytes: [u64; 2],
    /// How well it was reached at the end, and its score of 100.
    pub health: (Health, u8),
    /// When it was opened; for an upstream connection, when it was released.
    pub opened_at: Time,
}

impl Worker {
    /// A worker with nothing to do, one of `workers`. `seed` is for masking keys: any number that a peer cannot guess.
    pub fn new(
        id: WorkerId,
        source: Arc<ArcSwap<Snapshot>>,
        directory: Arc<Directory>,
        stats: Arc<WorkerStats>,
        workers: usize,
        seed: u64,
    ) -> Self {
        let snapshot = Arc::new(Snapshot::default());
        Self {
            source,
            snapshot,
            state: State {
                seat: Seat { worker: id, directory },
                now: Time::default(),
                conns: Slab::new(id),
                groups: Groups::default(),
                roster: Roster::default(),
                holdings: Holdings::default(),
                offloads: Offloads::default(),
                wheel: Wheel::default(),
                dirty: Vec::new(),
                connects: Vec::new(),
                outboxes: (0..workers).map(|_| Outbox::default()).collect(),
                tasks: Vec::new(),
                stats,
                spare_queues: Vec::new(),
                call: Call::default(),
                offspring: 0,
                names: Names::default(),
                effort: 0,
                in_plugins: 0,
                drain: None,
                shedder: None,
                seed: seed | 1,
                lapsed: Vec::new(),
                deflater: Deflater::default(),
                foresight: Foresight::default(),
                fan: Foresight::default(),
                together: Together::default(),
                tap: None,
            },
            inflater: Inflater::default(),
        }
    }

    /// Begins a batch of calls: sets the time and takes up a snapshot that is newer, with the instances of its plugins.
    pub fn turn(&mut self, now: Time) {
        self.state.now = self.state.now.max(now);
        self.begin_effort();
        let source = self.source.load();
        if !Arc::ptr_eq(&source, &self.snapshot) {
            debug_assert!(source.names_all_bindings(), "a chain has a link that `bindings` does not have");
            let same_times = self.snapshot.has_times_of(&source);
            let same_keys = self.snapshot.has_keys_of(&source);
            self.snapshot = Arc::clone(&source);
            self.state.roster.adopt(&self.snapshot, &self.state.seat, self.state.now);
            self.state.prepare_offloads(&self.snapshot);
            if !same_times {
                // Whoever was never to be looked at may be now.
                for id in self.state.conns.ids() {
                    self.state.arm(&self.snapshot, id);
                }
            }
            if !same_keys {
                self.state.forget_keys();
            }
            self.state.offer_anew(&self.snapshot);
        }
    }

    /// Its number.
    pub fn id(&self) -> WorkerId {
        self.state.seat.worker
    }

    /// A number that a peer cannot guess: for jitter.
    pub fn random(&mut self) -> u32 {
        u32::from_ne_bytes(self.state.mask())
    }

    /// Connections that it holds, downstream and upstream.
    pub fn connections(&self) -> usize {
        self.state.conns.len()
    }

    /// The time of the turn.
    pub fn now(&self) -> Time {
        self.state.now
    }

    /// The snapshot of the turn.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Connections with something to do, each once: whoever drives them is to be woken.
    pub fn take_dirty(&mut self, into: &mut Vec<ConnId>) {
        for id in &self.state.dirty {
            if let Some(conn) = self.state.conns.get_mut(*id) {
                conn.dirty = false;
            }
        }
        into.append(&mut self.state.dirty);
    }

    /// Upstream connections to be made.
    pub fn take_connects(&mut self) -> Vec<Connect> {
        std::mem::take(&mut self.state.connects)
    }

    /// Whether [`Worker::take_connects`] has any.
    pub fn has_connects(&self) -> bool {
        !self.state.connects.is_empty()
    }

    /// Whether [`Worker::mail`] has any for somebody.
    pub fn has_mail(&self) -> bool {
        self.state.outboxes.iter().any(|outbox| !outbox.letters.is_empty())
    }

    /// Whether something that the session's client sent may still be answered: a held message, an upstream connection.
    pub fn owes(&self, id: ConnId) -> bool {
        self.state.owes(id)
    }

    /// Whether [`Worker::take_notices`] has any.
    pub fn has_notices(&self) -> bool {
        !self.state.roster.notices.is_empty()
    }

    /// Plugin failures since the last look, for the log. The counters have them all.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.state.roster.notices)
    }

    /// What a connection has to write.
    pub fn queue(&self, id: ConnId) -> Option<&Queue> {
        self.state.conns.get(id)?.queue.as_deref()
    }

    /// A stream of a connection with several is there to be written.
    pub fn lane_opened(&mut self, id: ConnId, lane: Lane) {
        self.state.lane_opened(id, lane);
    }

    /// A stream is no longer there to be written: what waits for it is dropped and counted.
    pub fn lane_ended(&mut self, id: ConnId, lane: Lane) {
        self.state.lane_ended(&self.snapshot, id, lane);
    }

    /// The invariants, for tests: the ledger adds up, indices point where they should.
    #[cfg(any(test, debug_assertions))]
    pub fn check_invariants(&self) {
        self.state.check_invariants(&self.snapshot);
    }
}

impl State {
    pub(crate) fn mark_dirty(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && !conn.dirty
        {
            conn.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Does what is to be done before the call from outside returns: mostly nothing.
    #[inline]
    pub(crate) fn run(&mut self, snapshot: &Snapshot) {
        if !self.tasks.is_empty() {
            self.work_tasks_off(snapshot);
        }
        self.offspring = 0;
    }

    fn work_tasks_off(&mut self, snapshot: &Snapshot) {
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::WorkOff { session, direction } => self.work_off(snapshot, session, direction),
                Task::Conclude { parcel, judged, route } => self.conclude(snapshot, parcel, judged, route),
                Task::ConcludeElsewhere { parcel, judged, route, link } => {
                    self.conclude_by(snapshot, Some(&link), parcel, judged, route);
                }
                Task::OfferAnew { session } => self.offer_anew_of(snapshot, session),
                Task::Send { to, in_hand, kind, payload, hops } => {
                    self.send(snapshot, &to, in_hand, kind, &payload, hops);
                }
                Task::Offer { session, kind, payload, hops } => {
                    self.foresee_offers(snapshot, session, kind, &payload);
                    self.offer(snapshot, session, kind, crate::Payload::Owned(payload), None, hops, false);
                }
                Task::Wish { by, effect } => self.wish(snapshot, by, effect),
            }
        }
        self.fan.clear();
    }

    /// A masking key (RFC 6455, section 5.3): from `SplitMix64`, seeded with what a peer cannot guess.
    pub(crate) fn mask(&mut self) -> [u8; 4] {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) as u32).to_ne_bytes()
    }

    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants(&self, snapshot: &Snapshot) {
        assert!(self.tasks.is_empty(), "a call returned with work undone");
        self.groups.check_invariants(&self.conns, self.seat.worker);
        for id in self.conns.ids() {
            self.check_pauses(id);
            assert!(self.is_armed(snapshot, id), "{id} has a deadline, and nobody looks at it then");
        }
        for conn in self.conns.iter() {
            let gated = conn.session().is_some_and(|session| session.gate().is_some());
            for line in conn.session().into_iter().flat_map(|session| session.held.iter().flatten()) {
                line.check_invariants(gated);
            }
            if let Some(queue) = &conn.queue {
                queue.check_invariants();
                assert!(!queue.is_empty(), "an empty queue goes back to the worker");
            }
        }
        let lines = self.conns.iter().filter_map(Conn::session);
        self.holdings.check_invariants(lines.flat_map(|session| session.held.iter().flatten()));
        self.check_ledger();
    }

    /// Whoever is not read is not for a reason that is there, or it would not be read for ever.
    #[cfg(any(test, debug_assertions))]
    fn check_pauses(&self, id: ConnId) {
        let Some(conn) = self.conns.get(id).filter(|conn| conn.phase.takes_messages()) else { return };
        let held = |session: &Session, direction: Direction| session.held[direction as usize].is_some();
        let mailbox = self.outboxes.iter().any(|outbox| outbox.waiting.contains(&id));
        assert!(mailbox || !conn.pauses.contains(Pauses::MAILBOX), "{id} waits for a mailbox");
        let receiver = match &conn.role {
            Role::Session(session) => {
                assert_eq!(
                    held(session, Direction::Inbound),
                    conn.pauses.contains(Pauses::HELD),
                    "{id} is held"
                );
                let metered = session.meter.as_ref().is_some_and(|meter| meter.until != Time::NEVER);
                assert_eq!(metered, conn.pauses.contains(Pauses::RATE), "{id} waits for its rate");
                let queued = |upstream| self.conns.get(upstream).is_some_and(|conn| conn.queue.is_some());
                let upstream = session.upstreams.iter().any(|(_, upstream)| queued(*upstream));
                assert!(upstream || !conn.pauses.contains(Pauses::UPSTREAM), "{id} waits for an upstream");
                Some(conn)
            }
            Role::Upstream(upstream) => self.conns.get(upstream.session),
        };
        let full = receiver.is_some_and(|receiver| {
            let session = receiver.session();
            let away = receiver.phase == Phase::ExpectReturn;
            away || receiver.queue.is_some()
                || session.is_some_and(|session| held(session, Direction::Outbound))
        });
        assert!(full || !conn.pauses.contains(Pauses::DOWNSTREAM), "{id} waits for its receiver");
    }
}
