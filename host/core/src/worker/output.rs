//! Messages on their way to a peer: the outbound chain, the queue, what is written.

use super::compression::SharedFrame;
use super::heartbeat::listen_anew;
use super::{State, Worker};
use crate::conflate::Key;
use crate::conn::{Conn, Parcel, Pauses, Role};
use crate::id::{ConnId, Lane, SessionId};
use crate::lifecycle::{LifeEvent, Phase};
use crate::message::{Direction, Kind, Message, Payload};
use crate::queue::{Sort, Tally};
use crate::reason::{CloseReason, DropReason};
use crate::snapshot::{SlowConsumer, Snapshot};
use crate::time::Time;
use bytes::{Bytes, BytesMut};
use weir_codec::session::is_control;
use weir_codec::websocket::Role as WebSocketRole;
use weir_codec::{Wire, websocket};

/// So many empty queues are kept for the next connection that has something to write.
const SPARE_QUEUES: usize = 256;

impl Worker {
    /// So many bytes of a connection's queue were handed to the transport.
    pub fn written(&mut self, id: ConnId, lane: Lane, bytes: usize) {
        self.state.written(&self.snapshot, id, lane, bytes);
        self.state.run(&self.snapshot);
    }

    /// So many bytes at the beginning of a lane were taken by the transport, which has not written them yet: nothing is taken out
    /// from there. Said anew after each write that takes no more.
    pub fn in_hand(&mut self, id: ConnId, lane: Lane, bytes: usize) {
        if let Some(queue) = self.state.conns.get_mut(id).and_then(|conn| conn.queue.as_mut()) {
            queue.in_hand(lane, bytes);
        }
    }

    /// The first frame of the lane cannot be sent by this transport.
    pub fn unsendable(&mut self, id: ConnId, lane: Lane, reason: DropReason) {
        let Some(queue) = self.state.conns.get_mut(id).and_then(|conn| conn.queue.as_mut()) else { return };
        let tally = queue.skip_frame(lane);
        self.state.count_dropped(id, tally, reason);
        self.state.drained(&self.snapshot, id);
        self.state.run(&self.snapshot);
    }
}

impl State {
    /// A message for one session, from wherever: it meets the outbound chain and is queued. `pressed`: its source stops when the
    /// queue is full, so it is not refused.
    #[expect(clippy::too_many_arguments, reason = "a message and where it is to go, not yet numbered")]
    pub(crate) fn offer(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        kind: Kind,
        payload: Payload<'_>,
        lane: Option<Lane>,
        hops: u8,
        pressed: bool,
    ) {
        self.effort += 1;
        let conn = self.conns.get_mut(id);
        let takes_output = conn.as_ref().is_some_and(|conn| conn.phase.takes_output());
        let Some(session) = conn.and_then(Conn::session_mut) else {
            let nobody = self.stats.nobody();
            nobody.offered.add(1);
            nobody.dropped.of(DropReason::UnknownSession).add(1);
            return;
        };
        let listener = session.listener.index();
        let stats = &self.stats.listeners[listener].outbound;
        stats.offered.add(1);
        if !takes_output {
            stats.dropped.of(DropReason::SessionEnded).add(1);
            return;
        }
        let direction = Direction::Outbound;
        let sequence = session.next_sequence(direction, self.now);
        let message = Message { session: id, sequence, direction, kind, payload, lane, hops, pressed };
        if let Some(line) = &session.held[direction as usize] {
            let limit = snapshot.listeners[listener].limits.queue;
            if !pressed && !line.has_room(message.payload.len(), limit) {
                self.tap_begin(&message);
                self.drop_message(&message, DropReason::QueueFull);
                return;
            }
            self.wait_in_line(Parcel::pack(message));
            return;
        }
        self.set_out(snapshot, listener, message);
    }

    /// A frame that all receivers of its wire format share, of a message of so many bytes.
    pub(crate) fn offer_frame(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        frame: &Result<SharedFrame, DropReason>,
        length: usize,
        key: Option<Key>,
        message: (Kind, &Bytes),
    ) {
        self.effort += 1;
        let Some(conn) = self.conns.get_mut(id) else { return };
        let (lane, away) = (conn.lane(None), conn.phase == Phase::ExpectReturn);
        let Some(session) = conn.session_mut() else { return };
        let sequence = session.next_sequence(Direction::Outbound, self.now);
        let listener = session.listener.index();
        let resumable = session.resume.is_some();
        self.stats.listeners[listener].outbound.offered.add(1);
        let placed = 'placed: {
            if resumable && is_control(message.1) {
                break 'placed Err(DropReason::Reserved);
            }
            if away {
                self.keep(snapshot, id, message.0, &Payload::Owned(message.1.clone()));
                break 'placed Ok(());
            }
            let SharedFrame { bytes: frame, compressed } = match frame {
                Ok(frame) => frame,
                Err(reason) => break 'placed Err(*reason),
            };
            if let Some(compressed) = compressed {
                self.stats.listeners[listener].deflated.add(*compressed, length);
            }
            let limit = snapshot.listeners[listener].limits.queue;
            if let Some(key) = key.filter(|_| !resumable) {
                let taken = self.enqueue_keyed(snapshot, id, lane, frame, key, false);
                break 'placed if taken { Ok(()) } else { Err(DropReason::QueueFull) };
            }
            if conn.has_room(frame.len(), limit) {
                let queue = conn.queue.get_or_insert_with(|| self.spare_queues.pop().unwrap_or_default());
                queue.push_shared(lane, frame);
                if queue.weight() > limit / 2 {
                    self.overfull(snapshot, id);
                }
                self.mark_dirty(id);
                if resumable {
                    self.keep(snapshot, id, message.0, &Payload::Owned(message.1.clone()));
                }
            } else if self.make_room(snapshot, id, lane, frame.len()) {
                self.push_frame(id, lane, frame);
            } else {
                self.overfull(snapshot, id);
                break 'placed Err(DropReason::QueueFull);
            }
            Ok(())
        };
        if let Err(reason) = placed {
            self.stats.listeners[listener].outbound.dropped.of(reason).add(1);
        }
        self.tap_frame(id, sequence, message, placed);
    }

    /// Queues a frame.
    pub(crate) fn push_frame(&mut self, id: SessionId, lane: Option<Lane>, frame: &Bytes) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let queue = conn.queue.get_or_insert_with(|| self.spare_queues.pop().unwrap_or_default());
        queue.push_shared(lane, frame);
        self.mark_dirty(id);
    }

    /// An outbound message has passed its chain.
    pub(crate) fn enqueue(&mut self, snapshot: &Snapshot, message: &Message<'_>) {
        let id = message.session;
        let Some(conn) = self.conns.get(id).filter(|conn| conn.phase.takes_output()) else {
            self.drop_message(message, DropReason::SessionEnded);
            return;
        };
        let policy = &snapshot.listeners[self.listener_of(id)];
        let limit = policy.limits.queue;
        let resumable = conn.is_resumable();
        if resumable && is_control(&message.payload) {
            self.drop_message(message, DropReason::Reserved);
            return;
        }
        if conn.phase == Phase::ExpectReturn {
            self.keep(snapshot, id, message.kind, &message.payload);
            return;
        }
        if let Some(key) = policy.key(&message.payload).filter(|_| !resumable) {
            self.conflate(snapshot, message, key);
            return;
        }
        let (lane, length) = (conn.lane(message.lane), message.payload.len());
        let room = message.pressed || conn.has_room(length, limit);
        if !room && !self.make_room(snapshot, id, lane, length) {
            self.drop_message(message, DropReason::QueueFull);
            self.overfull(snapshot, id);
            return;
        }
        if let Err(reason) = self.push(id, message.lane, message.kind, &message.payload) {
            self.drop_message(message, reason);
            return;
        }
        if resumable {
            self.keep(snapshot, id, message.kind, &message.payload);
        }
        if self.conns.get(id).is_some_and(|conn| conn.queued() > limit / 2) {
            self.overfull(snapshot, id);
        }
    }

    /// Frames a message and queues it.
    pub(crate) fn push(
        &mut self,
        id: ConnId,
        lane: Option<Lane>,
        kind: Kind,
        payload: &Payload<'_>,
    ) -> Result<(), DropReason> {
        let mask = self.mask();
        let Some(conn) = self.conns.get_mut(id) else { return Err(DropReason::SessionEnded) };
        let lane = conn.lane(lane);
        let datagram = Wire::Datagram;
        let wire = if lane == Some(Lane::DATAGRAMS) { &datagram } else { &conn.wire };
        let owned = match payload {
            Payload::Owned(bytes) => Some(bytes),
            Payload::Borrowed(_) => None,
        };
        let deflated = match wire {
            Wire::DeflateWebSocket { window } => self.deflater.deflate(*window, payload),
            _ => None,
        };
        let queue = conn.queue.get_or_insert_with(|| self.spare_queues.pop().unwrap_or_default());
        let pushed = if let Some(deflated) = deflated {
            queue.push_compressed(lane, kind, &deflated);
            if let Role::Session(session) = &conn.role {
                let stats = &self.stats.listeners[session.listener.index()];
                stats.deflated.add(deflated.len(), payload.len());
            }
            Ok(())
        } else {
            queue.push(lane, wire, kind, payload, owned, mask)
        };
        if queue.is_empty() {
            self.keep_spare(id);
        }
        pushed.map_err(|error| DropReason::from(&error))?;
        self.mark_dirty(id);
        Ok(())
    }

    /// Queues a ping, if the wire has such, and none waits: a peer that has not read the last one is not asked again.
    pub(crate) fn push_ping(&mut self, id: ConnId, carried: &[u8]) {
        let queue = self.conns.get(id).and_then(|conn| conn.queue.as_ref());
        if queue.is_none_or(|queue| queue.waiting(Sort::Ping) == 0) {
            self.push_control(id, Sort::Ping, |mask, out| websocket::encode_ping(carried, mask, out));
        }
    }

    /// Queues a pong, if the wire has such.
    pub(crate) fn push_pong(&mut self, id: ConnId, payload: &[u8]) {
        self.push_control(id, Sort::Pong, |mask, out| websocket::encode_pong(payload, mask, out));
    }

    /// Queues a heartbeat that is a message of its wire, as a ping or as the answer to one.
    pub(crate) fn push_heartbeat(
        &mut self,
        id: ConnId,
        lane: Option<Lane>,
        sort: Sort,
        write: impl FnOnce(&Wire, &mut BytesMut),
    ) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(id) else { return };
        let lane = conn.lane(lane);
        let queue = conn.queue.get_or_insert_with(|| self.spare_queues.pop().unwrap_or_default());
        match sort {
            Sort::Pong => queue.push_pong(lane, now, |out| write(&conn.wire, out)),
            _ => queue.push_control(lane, sort, |out| write(&conn.wire, out)),
        }
        if queue.is_empty() {
            self.keep_spare(id);
        }
        self.mark_dirty(id);
    }

    /// Queues a control frame, if the wire has such.
    pub(crate) fn push_control(
        &mut self,
        id: ConnId,
        sort: Sort,
        write: impl FnOnce(Option<[u8; 4]>, &mut BytesMut),
    ) {
        let (mask, now) = (self.mask(), self.now);
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(role) = conn.wire.websocket() else { return };
        let mask = (role == WebSocketRole::Client).then_some(mask);
        let queue = conn.queue.get_or_insert_with(|| self.spare_queues.pop().unwrap_or_default());
        match sort {
            Sort::Pong => queue.push_pong(Some(Lane::ONLY), now, |out| write(mask, out)),
            _ => queue.push_control(Some(Lane::ONLY), sort, |out| write(mask, out)),
        }
        self.mark_dirty(id);
    }

    /// Whether those that fill the session's queue and can be held back should be.
    pub(crate) fn is_pressed(&self, snapshot: &Snapshot, id: SessionId) -> bool {
        let Some(conn) = self.conns.get(id) else { return false };
        let Some(session) = conn.session() else { return false };
        let limit = snapshot.listeners[session.listener.index()].limits.queue;
        let held = session.held[Direction::Outbound as usize].is_some();
        conn.queued() > limit / 2 || held || Self::is_full_away(snapshot, conn)
    }

    /// The queue is over half full: from now on the grace runs.
    pub(crate) fn overfull(&mut self, snapshot: &Snapshot, id: SessionId) {
        let policy = snapshot.listeners[self.listener_of(id)].limits.slow_consumer;
        let now = self.now;
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.slow_since == Time::NEVER && policy == SlowConsumer::Close {
            conn.slow_since = now;
            self.arm(snapshot, id);
        }
    }

    fn written(&mut self, snapshot: &Snapshot, id: ConnId, lane: Lane, bytes: usize) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(queue) = conn.queue.as_mut() else { return };
        let tally = queue.written(lane, bytes);
        conn.blocked_since = Time::NEVER;
        if !conn.can_ping {
            // Nothing asks such a client whether it is there: that it takes what is sent is the sign that it is.
            conn.heard = now;
        }
        let mut delivered = tally.messages as u64;
        let stats = match &mut conn.role {
            Role::Session(session) => {
                session.bytes[Direction::Outbound as usize] += tally.bytes as u64;
                if let Some(resume) = &mut session.resume {
                    delivered = resume.wrote(delivered);
                }
                &self.stats.listeners[session.listener.index()].outbound
            }
            Role::Upstream(upstream) => &self.stats.clusters[upstream.cluster.index()].delivery,
        };
        stats.delivered.add(delivered);
        stats.delivered_bytes.add(tally.bytes as u64);
        self.drained(snapshot, id);
    }

    /// Something left the queue: who was held back by it may go on, and who waited for its end has it.
    pub(crate) fn drained(&mut self, snapshot: &Snapshot, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let left = conn.queued();
        if conn.queue.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.keep_spare(id);
        }
        let Some(conn) = self.conns.get(id) else { return };
        match &conn.role {
            Role::Session(session) => {
                let limit = snapshot.listeners[session.listener.index()].limits.queue;
                let holds = session.held[Direction::Outbound as usize].is_some();
                let relieves = left <= limit / 4 && !holds;
                // While somebody stands still for this client the grace runs on: one that stops reading between the two marks would
                // otherwise be neither read nor timed.
                let recovered = left <= limit / 2 && (relieves || !self.holds_back(id));
                let held_back = conn.pauses.contains(Pauses::DOWNSTREAM) || !session.upstreams.is_empty();
                if let Some(conn) = self.conns.get_mut(id).filter(|_| recovered) {
                    conn.slow_since = Time::NEVER;
                }
                if relieves && held_back {
                    self.relieve(snapshot, id);
                }
            }
            Role::Upstream(upstream) => {
                let limit = snapshot.clusters[upstream.cluster.index()].queue;
                let session = upstream.session;
                if left <= limit / 2 {
                    self.relieve_sender(snapshot, session);
                }
            }
        }
        let Some(conn) = self.conns.get(id) else { return };
        if left == 0 && conn.phase == Phase::ExpectFlushed {
            let event = if conn.peer_ended { LifeEvent::FlushedLast } else { LifeEvent::Flushed };
            self.step(snapshot, id, event, None);
        }
    }

    /// Whether somebody stands still until the session's queue is shorter: itself, for its echoes, or one of its upstreams.
    fn holds_back(&self, id: SessionId) -> bool {
        let paused = |conn: &Conn| conn.pauses.contains(Pauses::DOWNSTREAM);
        let Some(conn) = self.conns.get(id) else { return false };
        let mut upstreams = conn.session().into_iter().flat_map(|session| &session.upstreams);
        paused(conn) || upstreams.any(|(_, upstream)| self.conns.get(*upstream).is_some_and(paused))
    }

    /// Those that fill the session's queue may read on: its upstreams, and its own echoes.
    pub(crate) fn relieve(&mut self, snapshot: &Snapshot, id: SessionId) {
        self.unpause(snapshot, id, Pauses::DOWNSTREAM);
        let upstreams =
            self.conns.get(id).and_then(Conn::session).map_or(0, |session| session.upstreams.len());
        for at in 0..upstreams {
            let Some(session) = self.conns.get(id).and_then(Conn::session) else { return };
            let (_, upstream) = session.upstreams[at];
            self.unpause(snapshot, upstream, Pauses::DOWNSTREAM);
        }
    }

    /// One of the reasons why reading from a peer stands still is gone. If it was the last, its silence counts again from now on.
    pub(crate) fn unpause(&mut self, snapshot: &Snapshot, id: ConnId, pause: Pauses) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.pauses.clear(pause) {
            listen_anew(conn, snapshot, now);
            self.mark_dirty(id);
            self.arm(snapshot, id);
        }
    }

    /// The session may read on if none of its upstreams is full any more.
    fn relieve_sender(&mut self, snapshot: &Snapshot, id: SessionId) {
        let Some(conn) = self.conns.get(id) else { return };
        let Some(session) = conn.session().filter(|_| conn.pauses.contains(Pauses::UPSTREAM)) else { return };
        let full = session.upstreams.iter().any(|(cluster, upstream)| {
            let limit = snapshot.clusters[cluster.index()].queue;
            self.conns.get(*upstream).is_some_and(|conn| conn.queued() > limit / 2)
        });
        if !full {
            self.unpause(snapshot, id, Pauses::UPSTREAM);
        }
    }

    /// Gives the empty queue of a connection back.
    pub(crate) fn keep_spare(&mut self, id: ConnId) {
        if let Some(queue) = self.conns.get_mut(id).and_then(|conn| conn.queue.take())
            && self.spare_queues.len() < SPARE_QUEUES
        {
            self.spare_queues.push(queue);
        }
    }

    /// Counts messages of a connection's queue that were not delivered.
    pub(crate) fn count_dropped(&mut self, id: ConnId, tally: Tally, reason: DropReason) {
        let Some(conn) = self.conns.get(id) else { return };
        let stats = match &conn.role {
            Role::Session(session) => &self.stats.listeners[session.listener.index()].outbound,
            Role::Upstream(upstream) => &self.stats.clusters[upstream.cluster.index()].delivery,
        };
        stats.dropped.of(reason).add(tally.messages as u64);
    }

    pub(crate) fn lane_opened(&mut self, id: ConnId, lane: Lane) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if lane == Lane::DATAGRAMS {
            // They are there without being opened, and take nothing but datagrams.
            return;
        }
        if let Some(lanes) = &mut conn.lanes {
            lanes.push(lane);
        }
        if let Some(queue) = &mut conn.queue {
            queue.lane_opened(lane);
            self.mark_dirty(id);
        }
    }

    pub(crate) fn lane_ended(&mut self, snapshot: &Snapshot, id: ConnId, lane: Lane) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let only = conn.is_resumable() && conn.lane(None) == Some(lane);
        if only && conn.phase.takes_messages() {
            // All that the session says goes out there.
            self.lose(snapshot, id, CloseReason::ClientReset);
            return;
        }
        if let Some(lanes) = &mut conn.lanes {
            lanes.retain(|open| *open != lane);
        }
        if let Some(queue) = &mut conn.queue {
            let tally = queue.discard(Some(lane));
            self.count_dropped(id, tally, DropReason::LaneEnded);
            self.drained(snapshot, id);
        }
    }
}
