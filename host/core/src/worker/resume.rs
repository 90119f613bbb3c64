//! Sessions whose clients lose their connections and come back: what they say, what is kept for them, how they go on.

use super::{Opening, State, Worker};
use crate::conn::{Conn, End, Pauses, Session};
use crate::id::{BindingId, ConnId, ListenerId, SessionId};
use crate::lifecycle::{LifeEvent, Phase};
use crate::message::{Direction, Kind, Payload};
use crate::program::SessionInfo;
use crate::pulse::{Health, Pulse};
use crate::queue::Sort;
use crate::reason::{CloseReason, DropReason};
use crate::resume::{Hello, Resumption};
use crate::snapshot::Snapshot;
use crate::time::Time;
use std::sync::Arc;
use weir_codec::session::{self, Outcome, Said, Welcome};

impl Worker {
    /// The client of a session is back on another connection, and has had the messages up to `received`. The session goes on where it
    /// was: welcome, then what it has not had. A transport that it still has is let go; see [`Worker::transport_of`].
    ///
    /// # Errors
    /// There is no such session (any more), or it is not this client's: the opening, to be [opened](Worker::open).
    pub fn resume(&mut self, id: SessionId, received: u64, opening: Opening) -> Result<(), Box<Opening>> {
        if !self.state.is_theirs(&self.snapshot, id, &opening) {
            return Err(Box::new(opening));
        }
        let resumed = self.state.resume(&self.snapshot, id, received, opening);
        self.state.run(&self.snapshot);
        resumed
    }

    /// Which of its transports a connection has: a driver that began with another number has been replaced, and lets its own go
    /// without a word to the worker. `None`: the connection is gone.
    pub fn transport_of(&self, id: ConnId) -> Option<u8> {
        self.state.conns.get(id).map(|conn| conn.transports)
    }

    /// Whether a transport that was replaced stopped in the middle of a frame.
    pub fn was_torn(&self, id: ConnId) -> bool {
        self.state.conns.get(id).is_some_and(|conn| conn.torn)
    }

    /// Whether [`Worker::take_lapsed`] has any.
    pub fn has_lapsed(&self) -> bool {
        !self.state.lapsed.is_empty()
    }

    /// Sessions that ended while nobody drove them: to be [released](Worker::release).
    pub fn take_lapsed(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.state.lapsed)
    }
}

impl State {
    /// A client that said hello has a session that it can take up again.
    pub(crate) fn greet(&mut self, snapshot: &Snapshot, id: SessionId, hello: Hello) {
        let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
        let listener = session.listener.index();
        if snapshot.listeners[listener].resume.is_none() {
            return;
        }
        session.resume = Some(Box::default());
        let stats = &self.stats.listeners[listener].resume;
        let outcome = match hello {
            Hello::New => Outcome::New,
            Hello::Expired => {
                stats.expired.add(1);
                Outcome::Expired
            }
            Hello::Unknown => {
                stats.unknown.add(1);
                Outcome::Unknown
            }
        };
        self.welcome(snapshot, id, 0, outcome);
    }

    fn welcome(&mut self, snapshot: &Snapshot, id: SessionId, sent: u64, outcome: Outcome) {
        let Some(session) = self.conns.get(id).and_then(Conn::session) else { return };
        let policy = &snapshot.listeners[session.listener.index()];
        let Some(resumption) = &policy.resume else { return };
        let token = resumption.tokens.issue(id, self.now + resumption.lifetime);
        let welcome = Welcome {
            session: id.raw(),
            token: &token,
            expires: resumption.lifetime,
            window: resumption.window,
            buffer: resumption.buffer,
            idle: policy.limits.idle_timeout,
            received: session.sequences[Direction::Inbound as usize],
            sent,
            outcome,
        };
        let payload = welcome.payload();
        self.push_word(id, Sort::Word, &payload);
    }

    /// A word of the gateway's own, which is no message of the application.
    fn push_word(&mut self, id: SessionId, sort: Sort, payload: &str) {
        self.push_heartbeat(id, None, sort, |wire, out| {
            // A framing that cannot carry it has no such sessions; the configuration sees to that.
            let _ = wire.encode(Kind::Text, payload.as_bytes(), [0; 4], out);
        });
    }

    /// A control message came from a client that said hello.
    pub(crate) fn control(&mut self, snapshot: &Snapshot, id: SessionId, payload: &[u8]) {
        match session::parse(payload) {
            Some(Said::Ack(number)) => {
                let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
                match session.resume.as_mut().and_then(|resume| resume.confirm(number)) {
                    Some(delivered) => {
                        self.stats.listeners[session.listener.index()].outbound.delivered.add(delivered);
                    }
                    None => self.close(snapshot, id, CloseReason::Protocol),
                }
            }
            Some(Said::Ping(carried)) => {
                if self.may_ping(snapshot, id) {
                    self.push_word(id, Sort::Pong, &session::pong(carried));
                }
            }
            Some(Said::Bye) => {
                let session = self.conns.get_mut(id).and_then(Conn::session_mut);
                if let Some(resume) = session.and_then(|session| session.resume.as_mut()) {
                    resume.leaving = true;
                }
            }
            // It has said hello.
            Some(Said::Hello { .. }) | None => self.close(snapshot, id, CloseReason::Protocol),
        }
    }

    /// A message for a client that may come back is kept until the client confirms it.
    pub(crate) fn keep(&mut self, snapshot: &Snapshot, id: SessionId, kind: Kind, payload: &Payload<'_>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let away = conn.phase == Phase::ExpectReturn;
        let Some(session) = conn.session_mut() else { return };
        let Some(resume) = &mut session.resume else { return };
        let listener = session.listener.index();
        let limit = snapshot.listeners[listener].resume.as_ref().map_or(0, |resumption| resumption.buffer);
        let bytes = match payload {
            Payload::Owned(bytes) => bytes.clone(),
            Payload::Borrowed(bytes) => bytes::Bytes::copy_from_slice(bytes),
        };
        resume.keep(kind, bytes, limit);
        if away {
            let gone = resume.give_up();
            let stats = &self.stats.listeners[listener];
            stats.outbound.dropped.of(DropReason::AwayFull).add(gone);
            stats.resume.waiting.add(1);
            stats.resume.waiting.sub(gone);
        }
    }

    /// Whether as much waits for a client that is away as may before those that can be held back are.
    pub(crate) fn is_full_away(snapshot: &Snapshot, conn: &Conn) -> bool {
        let Some(session) = conn.session().filter(|_| conn.phase == Phase::ExpectReturn) else {
            return false;
        };
        let resumption = snapshot.listeners[session.listener.index()].resume.as_ref();
        let kept = session.resume.as_ref().map_or(0, |resume| resume.bytes());
        resumption.is_some_and(|resumption| kept > resumption.buffer / 2)
    }

    /// Whether a session that is about to end like this waits for its client instead.
    pub(crate) fn may_return(&self, snapshot: &Snapshot, id: ConnId, reason: CloseReason) -> bool {
        let lost = matches!(
            reason,
            CloseReason::ClientReset
                | CloseReason::Truncated
                | CloseReason::IdleTimeout
                | CloseReason::HeartbeatTimeout
                | CloseReason::FrameTimeout
                | CloseReason::WriteTimeout
                | CloseReason::SlowConsumer
        );
        let Some(conn) = self.conns.get(id).filter(|conn| conn.phase == Phase::ExpectMessages) else {
            return false;
        };
        let Some(session) = conn.session() else { return false };
        if !lost || self.drain.is_some() || session.resume.as_ref().is_none_or(|resume| resume.leaving) {
            return false;
        }
        let listener = session.listener.index();
        let stats = &self.stats.listeners[listener].resume;
        let room = snapshot.listeners[listener].resume.as_ref();
        let room = room.is_some_and(|resumption| stats.away.value() < resumption.away as u64);
        if !room {
            stats.crowded.add(1);
        }
        room
    }

    /// A session has lost its connection: it waits for its client.
    pub(crate) fn part(&mut self, snapshot: &Snapshot, id: SessionId, end: End) {
        let now = self.now;
        self.let_go(id);
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.phase = conn.phase.on(LifeEvent::Parted);
        conn.end = Some(Box::new(end));
        let Some(session) = conn.session() else { return };
        let listener = session.listener.index();
        let waiting = session.resume.as_ref().map_or(0, |resume| resume.unsettled());
        let window = snapshot.listeners[listener]
            .resume
            .as_ref()
            .map_or_else(Default::default, |resumption| resumption.window);
        conn.phase_deadline = now + window;
        let stats = &self.stats.listeners[listener].resume;
        stats.away.add(1);
        stats.parted.add(1);
        stats.waiting.add(waiting);
        self.mark_dirty(id);
        if !self.is_pressed(snapshot, id) {
            self.relieve(snapshot, id);
        }
        self.arm(snapshot, id);
    }

    /// The transport that a session has is no longer used: what waited for it is kept elsewhere, or dropped and counted.
    fn let_go(&mut self, id: SessionId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.torn = false;
        if let Some(queue) = &mut conn.queue {
            conn.torn = queue.is_torn();
            queue.discard(None);
            self.keep_spare(id);
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.lanes = conn.lanes.is_some().then(Box::default);
        conn.look = false;
        conn.slow_since = Time::NEVER;
        conn.frame_since = Time::NEVER;
        conn.blocked_since = Time::NEVER;
        let Some(session) = conn.session_mut() else { return };
        let gone = session.resume.as_mut().map_or(0, |resume| resume.give_up());
        self.stats.listeners[session.listener.index()].outbound.dropped.of(DropReason::AwayFull).add(gone);
    }

    /// Whether the client of this opening may have that session.
    fn is_theirs(&self, snapshot: &Snapshot, id: SessionId, opening: &Opening) -> bool {
        let scope = |listener: ListenerId| {
            let resumption = snapshot.listeners[listener.index()].resume.as_deref();
            resumption.map(|Resumption { scope, .. }| scope.clone())
        };
        let Some(conn) = self.conns.get(id) else { return false };
        let Some(session) = conn.session() else { return false };
        let waits = matches!(conn.phase, Phase::ExpectReturn | Phase::ExpectMessages);
        waits
            && session.resume.as_ref().is_some_and(|resume| !resume.leaving)
            && scope(opening.listener).is_some_and(|theirs| scope(session.listener) == Some(theirs))
            // A token that somebody else has found is worth nothing where clients show certificates.
            && session.origin.has_subject(opening.tls.as_ref())
    }

    fn resume(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        received: u64,
        opening: Opening,
    ) -> Result<(), Box<Opening>> {
        let now = self.now;
        let session = self.conns.get_mut(id).and_then(Conn::session_mut);
        let Some(resume) = session.and_then(|session| session.resume.as_mut()) else {
            return Err(Box::new(opening));
        };
        let waited = resume.unsettled();
        let Some(returned) = resume.come_back(received) else { return Err(Box::new(opening)) };
        let away = self.conns.get(id).is_some_and(|conn| conn.phase == Phase::ExpectReturn);
        if !away {
            self.let_go(id);
        }
        let policy = &snapshot.listeners[opening.listener.index()];
        let origin = self.names.origin(opening.peer.clone(), &opening.request, opening.tls.as_ref());
        let Some(conn) = self.conns.get_mut(id) else { return Ok(()) };
        conn.phase = conn.phase.on(LifeEvent::Returned);
        conn.transports = conn.transports.wrapping_add(1);
        conn.end = None;
        conn.phase_deadline = Time::NEVER;
        conn.heard = now;
        conn.wire = opening.wire;
        conn.can_ping = conn.is_websocket() || policy.limits.heartbeat;
        conn.lanes = policy.transport.has_lanes().then(Box::default);
        let Some(session) = conn.session_mut() else { return Ok(()) };
        let before = session.listener;
        let stats = &self.stats.listeners[before.index()];
        stats.outbound.delivered.add(returned.delivered);
        if away {
            stats.resume.away.sub(1);
            stats.resume.waiting.sub(waited);
        }
        session.origin = origin;
        // Of another way to the client nothing is known.
        let health = session.pulse.health();
        session.pulse = Pulse::new(now, policy.limits.ping_interval);
        if health != Health::Healthy {
            stats.heartbeats.degraded.sub(1);
            self.show_health(snapshot, id, Health::Healthy);
        }
        if before != opening.listener {
            self.move_to(snapshot, id, opening.listener);
        }
        self.renew_attributes(snapshot, id);

        let stats = &self.stats.listeners[opening.listener.index()].resume;
        let outcome = if returned.missed == 0 {
            stats.resumed.add(1);
            Outcome::Resumed
        } else {
            stats.missed.add(1);
            Outcome::Missed(returned.missed)
        };
        self.welcome(snapshot, id, returned.sent, outcome);
        self.write_again(id);
        if before != opening.listener {
            let info = SessionInfo {
                id,
                listener: policy.name.clone(),
                transport: policy.transport,
                peer: opening.peer,
                tls: opening.tls,
                request: opening.request,
            };
            self.change_chain(snapshot, id, &info);
        }
        if !self.is_pressed(snapshot, id) {
            self.relieve(snapshot, id);
        }
        self.mark_dirty(id);
        self.arm(snapshot, id);
        Ok(())
    }

    /// Queues what the client has not had.
    fn write_again(&mut self, id: SessionId) {
        let session = self.conns.get(id).and_then(Conn::session);
        let Some(kept) = session.and_then(|session| session.resume.as_ref()).map(|resume| resume.kept())
        else {
            return;
        };
        let mut place = 0;
        for (kind, payload) in kept {
            let pushed = self.push(id, None, kind, &Payload::Owned(payload));
            let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
            let stats = &self.stats.listeners[session.listener.index()];
            match pushed {
                Ok(()) => {
                    place += 1;
                    stats.resume.again.add(1);
                }
                Err(reason) => {
                    let was_waiting = session.resume.as_mut().is_some_and(|resume| resume.strike(place));
                    stats.outbound.dropped.of(reason).add(u64::from(was_waiting));
                }
            }
        }
    }

    /// The client came back to another listener: the session is that listener's from now on.
    fn move_to(&mut self, snapshot: &Snapshot, id: SessionId, listener: ListenerId) {
        let policy = &snapshot.listeners[listener.index()];
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.pauses.contains(Pauses::RATE) {
            // It was too fast for a listener that it is no longer at.
            conn.pauses.clear(Pauses::RATE);
        }
        let Some(session) = conn.session_mut() else { return };
        let old = &self.stats.listeners[session.listener.index()];
        let new = &self.stats.listeners[listener.index()];
        old.sessions.sub(1);
        old.closed.of(CloseReason::Moved).add(1);
        new.sessions.add(1);
        new.opened.add(1);
        // What has no fate yet is the new listener's to count.
        let [inbound, outbound] =
            session.held.each_ref().map(|line| line.as_ref().map_or(0, |line| line.messages.len() as u64));
        let waiting = session.resume.as_ref().map_or(0, |resume| resume.unsettled());
        old.inbound.held.sub(inbound);
        old.inbound.dropped.of(DropReason::Moved).add(inbound);
        new.inbound.received.add(inbound);
        new.inbound.held.add(inbound);
        old.outbound_held.sub(outbound);
        old.outbound.dropped.of(DropReason::Moved).add(outbound + waiting);
        new.outbound.offered.add(outbound + waiting);
        new.outbound_held.add(outbound);
        session.listener = listener;
        session.transport = policy.transport;
        session.meter = None;
        for group in &policy.join {
            self.groups.join(&mut self.conns, &self.seat.directory, id, group);
        }
    }

    /// The attributes that say where a session comes from say it anew.
    fn renew_attributes(&mut self, snapshot: &Snapshot, id: SessionId) {
        let Some(Session { attributes: Some(before), listener, transport, origin, .. }) =
            self.conns.get(id).and_then(Conn::session)
        else {
            return;
        };
        let listener = &snapshot.listeners[listener.index()].name;
        let renewed = self.names.renewed(before, listener, *transport, origin);
        self.publish_attributes(id, renewed);
    }

    /// The plugins of the new listener's chain learn of the session, and those that are not in it that they have lost it.
    fn change_chain(&mut self, snapshot: &Snapshot, id: SessionId, info: &SessionInfo) {
        let Some(session) = self.conns.get(id).and_then(Conn::session) else { return };
        let chain = snapshot.listeners[session.listener.index()].chain.bindings();
        let told = &session.chain[..usize::from(session.told)];
        let in_both = |binding: &BindingId| told.contains(binding) && chain.contains(binding);
        let lost: Vec<BindingId> = told.iter().filter(|binding| !in_both(binding)).copied().collect();
        let (kept, new): (Vec<_>, Vec<_>) = chain.iter().copied().partition(in_both);
        let known = kept.len();
        let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
        session.told = known as u16;
        session.chain = Arc::new(kept.into_iter().chain(new).collect());
        self.tell_close(snapshot, id, &lost, &End::new(CloseReason::Moved).said);
        self.run(snapshot);
        if self.may_be_told(id, info) {
            self.tell_open(snapshot, id, info);
        }
    }
}
