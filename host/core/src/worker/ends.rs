//! How connections end, and what each end leads to.

use super::{Farewell, State, Status, Worker};
use crate::conn::{Conn, End, Role};
use crate::id::{BindingId, ConnId};
use crate::lifecycle::{LifeEvent, Phase};
use crate::message::Direction;
use crate::pulse::Health;
use crate::queue::Sort;
use crate::reason::{CloseReason, DropReason};
use crate::roster::Entry;
use crate::snapshot::Snapshot;
use crate::verdict::Rejection;
use std::time::Duration;
use weir_codec::websocket;

/// How long a peer may take to read what is queued for it when its connection ends.
const FLUSH: Duration = Duration::from_secs(5);
/// How long a peer may take to end its own side.
const LINGER: Duration = Duration::from_secs(2);

impl Worker {
    /// What the driver of a connection does next.
    pub fn status(&self, id: ConnId) -> Status {
        let Some(conn) = self.state.conns.get(id) else {
            return Status::Ended(End::new(CloseReason::SessionEnded));
        };
        match conn.phase {
            Phase::ExpectPeerEnd => Status::Lingering,
            Phase::Ended => Status::Ended(conn.end()),
            Phase::ExpectReturn => Status::Parted(conn.end()),
            phase => {
                let finishing = matches!(&conn.role, Role::Upstream(upstream) if upstream.finishing);
                Status::Active {
                    read: phase.takes_messages() && !conn.pauses.any(),
                    finish: finishing && conn.queue.is_none() && phase == Phase::ExpectMessages,
                }
            }
        }
    }

    /// Ends a connection in order: what is queued is written first.
    pub fn close(&mut self, id: ConnId, reason: CloseReason) {
        self.state.close(&self.snapshot, id, reason);
        self.state.run(&self.snapshot);
    }

    /// An upstream connection is made. False: nobody wants it any more; release it.
    pub fn connected(&mut self, id: ConnId) -> bool {
        let state = &mut self.state;
        state.step(&self.snapshot, id, LifeEvent::Connected, None);
        let Some(conn) = state.conns.get_mut(id).filter(|conn| conn.phase == Phase::ExpectMessages) else {
            return false;
        };
        conn.heard = state.now;
        let Role::Upstream(upstream) = &conn.role else { return true };
        let session = upstream.session;
        if !state.conns.get(session).is_some_and(|conn| conn.phase.takes_output()) {
            state.close(&self.snapshot, id, CloseReason::SessionEnded);
        }
        state.run(&self.snapshot);
        true
    }

    /// An upstream connection cannot be made: its session ends, and says so. Release it afterwards.
    pub fn connect_failed(&mut self, id: ConnId) {
        self.state.lose(&self.snapshot, id, CloseReason::UpstreamUnreachable);
        self.state.run(&self.snapshot);
    }

    /// The transport is gone: forgets the connection. `None`: it was released before.
    pub fn release(&mut self, id: ConnId) -> Option<Farewell> {
        self.state.lose(&self.snapshot, id, CloseReason::Killed);
        self.state.run(&self.snapshot);
        let conn = self.state.conns.remove(id)?;
        self.state.wheel.disarm(id.slot());
        let end = conn.end();
        let stats = &self.state.stats;
        stats.connections.sub(1);
        Some(match conn.role {
            Role::Session(session) => {
                let counters = &stats.listeners[session.listener.index()];
                counters.sessions.sub(1);
                if session.pulse.health() != Health::Healthy {
                    counters.heartbeats.degraded.sub(1);
                }
                counters.closed.of(end.reason).add(1);
                Farewell {
                    listener: Some(session.listener),
                    peer: Some(session.origin.peer),
                    end,
                    messages: session.sequences,
                    bytes: session.bytes,
                    health: (session.pulse.health(), session.pulse.score()),
                    opened_at: session.opened_at,
                }
            }
            Role::Upstream(upstream) => {
                let counters = &stats.clusters[upstream.cluster.index()];
                counters.connections.sub(1);
                counters.closed.of(end.reason).add(1);
                Farewell {
                    listener: None,
                    peer: None,
                    end,
                    messages: [0; 2],
                    bytes: [0; 2],
                    health: (Health::Healthy, 100),
                    opened_at: self.state.now,
                }
            }
        })
    }
}

impl End {
    /// An end whose reason brings its own code and sentence.
    pub fn new(reason: CloseReason) -> Self {
        let (code, text) = reason.close();
        Self { reason, said: Rejection { code, reason: text.into() } }
    }
}

impl Conn {
    fn end(&self) -> End {
        self.end.as_deref().cloned().unwrap_or_else(|| End::new(CloseReason::Killed))
    }
}

impl State {
    /// Ends a connection in order, with the code that the reason brings.
    pub(crate) fn close(&mut self, snapshot: &Snapshot, id: ConnId, reason: CloseReason) {
        self.close_with(snapshot, id, End::new(reason));
    }

    pub(crate) fn close_with(&mut self, snapshot: &Snapshot, id: ConnId, end: End) {
        // A client that does not read cannot be told, and what waits for it would wait for ever.
        let event = if end.reason == CloseReason::SlowConsumer { LifeEvent::Lost } else { LifeEvent::Closed };
        self.step(snapshot, id, event, Some(end));
    }

    /// A plugin ends a session. Its code and reason are made such that every transport can say them.
    pub(crate) fn reject(&mut self, snapshot: &Snapshot, id: ConnId, said: &Rejection) {
        let said = Rejection::new(said.code, &said.reason);
        self.close_with(snapshot, id, End { reason: CloseReason::Plugin, said });
    }

    /// A connection is gone, or let go at once.
    pub(crate) fn lose(&mut self, snapshot: &Snapshot, id: ConnId, reason: CloseReason) {
        let upstream = self.conns.get(id).is_some_and(|conn| conn.session().is_none());
        let reason = match reason {
            CloseReason::ClientReset | CloseReason::Truncated if upstream => CloseReason::UpstreamFailed,
            reason => reason,
        };
        self.step(snapshot, id, LifeEvent::Lost, Some(End::new(reason)));
    }

    /// The one place where a phase changes, and where what a change leads to begins.
    pub(crate) fn step(&mut self, snapshot: &Snapshot, id: ConnId, event: LifeEvent, end: Option<End>) {
        let now = self.now;
        if let Some(end) = end.as_ref().filter(|end| self.may_return(snapshot, id, end.reason)) {
            self.part(snapshot, id, end.clone());
            return;
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        let before = conn.phase;
        let after = before.on(event);
        if after == before {
            return;
        }
        conn.phase = after;
        // The first reason is the true one: what follows it are consequences.
        if let (None, Some(end)) = (&conn.end, end) {
            conn.end = Some(Box::new(end));
        }
        self.mark_dirty(id);
        match after {
            Phase::ExpectConnected | Phase::ExpectMessages | Phase::ExpectAnswers | Phase::ExpectReturn => {}
            Phase::ExpectFlushed => {
                self.left(snapshot, id, before);
                self.say_close(id);
                if let Some(conn) = self.conns.get_mut(id) {
                    conn.phase_deadline = now + FLUSH;
                    if conn.queue.is_none() {
                        // Where there is no close frame to answer, a client of which nothing was heard for so long has nothing on its
                        // way that could be lost.
                        let silent = conn.end().reason == CloseReason::IdleTimeout && !conn.is_websocket();
                        let last = conn.peer_ended || silent;
                        let flushed = if last { LifeEvent::FlushedLast } else { LifeEvent::Flushed };
                        self.step(snapshot, id, flushed, None);
                    }
                }
            }
            Phase::ExpectPeerEnd => {
                if let Some(conn) = self.conns.get_mut(id) {
                    conn.phase_deadline = now + LINGER;
                }
            }
            Phase::Ended => {
                self.left(snapshot, id, before);
                self.drop_queue(id, before);
                if before == Phase::ExpectReturn {
                    self.lapse(id);
                }
            }
        }
        self.arm(snapshot, id);
    }

    /// A connection no longer takes messages: who has to do with it learns that.
    fn left(&mut self, snapshot: &Snapshot, id: ConnId, before: Phase) {
        if !before.takes_output() {
            return;
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        let end = conn.end();
        match &mut conn.role {
            Role::Session(_) => self.session_left(snapshot, id, &end),
            Role::Upstream(upstream) => {
                let (session, cluster) = (upstream.session, upstream.cluster);
                self.upstream_left(snapshot, id, session, cluster, &end);
            }
        }
    }

    fn session_left(&mut self, snapshot: &Snapshot, id: ConnId, end: &End) {
        self.drop_held(id);
        while let Some((group, _)) =
            self.conns.get(id).and_then(Conn::session).and_then(|session| session.groups.last().cloned())
        {
            if !self.groups.leave(&mut self.conns, &self.seat.directory, id, &group) {
                break;
            }
        }
        let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
        // It is nobody that the others of its pools have to share with.
        session.meter = None;
        let upstreams = std::mem::take(&mut session.upstreams);
        let told = usize::from(std::mem::take(&mut session.told));
        let (listener, chain) = (session.listener, session.chain.clone());
        for (_, upstream) in upstreams {
            self.close(snapshot, upstream, CloseReason::SessionEnded);
            // One that is still being made and has nothing to say is not needed.
            let idle = self.conns.get(upstream).is_some_and(|conn| conn.queue.is_none());
            if idle && self.conns.get(upstream).is_some_and(|conn| conn.phase == Phase::ExpectConnected) {
                self.lose(snapshot, upstream, CloseReason::SessionEnded);
            }
        }
        self.tap_ended(listener, id, &end.said);
        self.tell_close(snapshot, id, &chain[..told], &end.said);
        let session = self.conns.get(id).and_then(Conn::session);
        if session.is_some_and(|session| session.attributes.is_some()) {
            self.seat.directory.forget(id);
        }
    }

    /// Plugins learn that a session is no longer theirs.
    pub(crate) fn tell_close(
        &mut self,
        snapshot: &Snapshot,
        id: ConnId,
        told: &[BindingId],
        said: &Rejection,
    ) {
        let floor = self.tasks.len();
        for binding in told {
            // The chain may have changed since; a binding that no chain has any more has no instance that could be told.
            let Some(link) = snapshot.link(*binding) else { continue };
            let Some(attributes) = self.attributes(snapshot, id) else { continue };
            let link = link.met_by(|| self.who(id));
            self.call.session = Some((id, attributes));
            let answer = self.roster.call(
                link,
                Entry::Close,
                &self.seat,
                self.now,
                &mut self.call,
                |instance, call| instance.close(id, said, call),
            );
            if answer.is_ok() {
                // What the first one asked for is done first.
                let before = self.tasks.len();
                self.apply_effects(link, Some(id), 1);
                let new = self.tasks.len() - before;
                self.tasks[floor..].rotate_right(new);
            }
        }
    }

    /// A session that waited for its client has ended: nobody drives it who could say so.
    fn lapse(&mut self, id: ConnId) {
        self.lapsed.push(id);
        let session = self.conns.get(id).and_then(Conn::session);
        if let Some(listener) = session.map(|session| session.listener) {
            self.stats.listeners[listener.index()].resume.away.sub(1);
        }
    }

    fn upstream_left(
        &mut self,
        snapshot: &Snapshot,
        id: ConnId,
        session: ConnId,
        cluster: crate::ClusterId,
        end: &End,
    ) {
        let Some(conn) = self.conns.get_mut(session) else { return };
        let waits_for_answers = conn.phase == Phase::ExpectAnswers;
        let Some(state) = conn.session_mut() else { return };
        let before = state.upstreams.len();
        state.upstreams.retain(|(to, upstream)| !(*to == cluster && *upstream == id));
        if state.upstreams.len() == before {
            // The session let it go first.
            return;
        }
        match end.reason {
            CloseReason::UpstreamClosed if waits_for_answers => self.settle_owed(snapshot, session),
            CloseReason::UpstreamClosed => {
                // What the upstream said goes to the client, where it may be sent at all.
                let said = Rejection::new(
                    if websocket::may_be_sent(end.said.code) { end.said.code } else { 1000 },
                    if end.said.reason.is_empty() { "upstream closed" } else { &end.said.reason },
                );
                self.close_with(snapshot, session, End { reason: CloseReason::UpstreamClosed, said });
            }
            reason => self.close(snapshot, session, reason),
        }
    }

    /// Whether something that the session's client sent before its end is still on its way.
    pub(crate) fn owes(&self, id: ConnId) -> bool {
        self.conns
            .get(id)
            .and_then(Conn::session)
            .is_some_and(|session| !session.upstreams.is_empty() || session.held.iter().any(Option::is_some))
    }

    /// A client that has ended its side gets what it is owed: when its held message is gone on, its upstreams are told that no more
    /// comes; when they have ended too, so does it.
    pub(crate) fn settle_owed(&mut self, snapshot: &Snapshot, id: ConnId) {
        let Some(conn) = self.conns.get(id).filter(|conn| conn.phase == Phase::ExpectAnswers) else { return };
        let Some(session) = conn.session() else { return };
        if session.held[Direction::Inbound as usize].is_some() {
            return;
        }
        if session.upstreams.is_empty() {
            if session.held[Direction::Outbound as usize].is_some() {
                return;
            }
            self.step(snapshot, id, LifeEvent::PeerEnded, None);
            return;
        }
        for (_, upstream) in session.upstreams.clone() {
            if let Some(Role::Upstream(upstream)) = self.conns.get_mut(upstream).map(|conn| &mut conn.role) {
                upstream.finishing = true;
            }
            self.mark_dirty(upstream);
        }
    }

    /// Queues the close frame, where the wire has one.
    fn say_close(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.said_close) else { return };
        conn.said_close = true;
        let End { reason, said } = conn.end();
        if reason == CloseReason::Truncated {
            // A peer that broke off gets what it is owed, and no goodbye: it has not ended in order.
            return;
        }
        // RFC 6455, section 7.4.1: 1005 and 1006 stand for frames that were not there.
        let close = websocket::may_be_sent(said.code).then_some((said.code, &*said.reason));
        self.push_control(id, Sort::Close, |mask, out| websocket::encode_close(close, mask, out));
    }

    /// What waits for a connection that is gone is dropped and counted.
    fn drop_queue(&mut self, id: ConnId, before: Phase) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let reason = match (&conn.role, before) {
            (Role::Session(_), _) => DropReason::SessionEnded,
            (Role::Upstream(_), Phase::ExpectConnected) => DropReason::UpstreamUnreachable,
            (Role::Upstream(_), _) => DropReason::UpstreamEnded,
        };
        let mut tally = conn.queue.as_mut().map(|queue| queue.discard(None)).unwrap_or_default();
        if let Some(resume) = conn.session_mut().and_then(|session| session.resume.as_mut()) {
            // Of what is in the queue some may have been delivered before; and what is kept is in no queue while the client is away.
            tally.messages = resume.settle_all() as usize;
        }
        if before == Phase::ExpectReturn
            && let Some(session) = conn.session()
        {
            self.stats.listeners[session.listener.index()].resume.waiting.sub(tally.messages as u64);
        }
        self.count_dropped(id, tally, reason);
        if self.conns.get(id).is_some_and(|conn| conn.queue.is_some()) {
            self.keep_spare(id);
        }
    }
}
