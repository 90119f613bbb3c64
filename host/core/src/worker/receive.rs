//! What peers say: sessions that open, messages, control frames, ends.

use super::{Flow, Opening, State, Worker};
use crate::conn::{Conn, End, Parcel, Pauses, Role, Session};
use crate::id::{ConnId, Lane};
use crate::lifecycle::{LifeEvent, Phase};
use crate::message::{Direction, Kind, Message, Payload};
use crate::program::SessionInfo;
use crate::reason::CloseReason;
use crate::roster::Entry;
use crate::snapshot::{OnFailure, Snapshot};
use crate::verdict::Rejection;
use std::ops::ControlFlow;
use weir_codec::{WireError, heartbeat, session};

/// Pings that a peer may send in a second.
const PINGS_A_SECOND: u32 = 20;

impl Worker {
    /// A downstream connection has done its handshakes and is a session: it joins its groups, its upstream is asked for, and the
    /// plugins learn of it. One that a plugin refuses is closed by its own status. `None`: the worker holds as many as it can.
    pub fn open(&mut self, opening: Opening) -> Option<ConnId> {
        let id = self.state.open(&self.snapshot, opening)?;
        self.state.run(&self.snapshot);
        Some(id)
    }

    /// A connection that never became a session is counted.
    pub fn refused(&mut self, listener: crate::ListenerId, reason: CloseReason) {
        self.state.stats.listeners[listener.index()].closed.of(reason).add(1);
        if reason == CloseReason::Overload {
            self.state.stats.overload.refused.add(1);
        }
    }

    /// Bytes came from the peer.
    pub fn heard(&mut self, id: ConnId) {
        if let Some(conn) = self.state.conns.get_mut(id) {
            conn.heard = self.state.now;
        }
    }

    /// A whole message came from the peer of a session or of an upstream connection.
    pub fn received(&mut self, id: ConnId, lane: Lane, kind: Kind, payload: Payload<'_>) -> Flow {
        self.state.received(&self.snapshot, id, lane, kind, payload);
        self.state.run(&self.snapshot);
        self.state.flow(id)
    }

    /// A WebSocket ping: answered, unless the peer floods.
    pub fn ping(&mut self, id: ConnId, payload: &[u8]) -> Flow {
        if self.state.may_ping(&self.snapshot, id) {
            self.state.push_pong(id, payload);
        }
        self.state.run(&self.snapshot);
        self.state.flow(id)
    }

    /// The peer ended in order: with a WebSocket close frame (`close` is what it said), or by ending its stream.
    pub fn peer_ended(&mut self, id: ConnId, close: Option<Option<(u16, Box<str>)>>) -> Flow {
        self.state.peer_ended(&self.snapshot, id, close);
        self.state.run(&self.snapshot);
        Flow::Stop
    }

    /// The peer's bytes break its protocol.
    pub fn broken(&mut self, id: ConnId, error: &WireError) -> Flow {
        let Some(conn) = self.state.conns.get_mut(id) else { return Flow::Stop };
        if conn.phase == Phase::ExpectReturn {
            // Its session waits for another connection.
            return Flow::Stop;
        }
        let truncated = *error == WireError::Truncated;
        if conn.session().is_none() {
            let reason = CloseReason::UpstreamFailed;
            if truncated {
                self.state.lose(&self.snapshot, id, reason);
            } else {
                self.state.close(&self.snapshot, id, reason);
            }
        } else {
            // It has ended its side, of one lane at least. What it is owed for whole messages it may still read.
            conn.peer_ended |= truncated && conn.lanes.is_none();
            self.state.close(&self.snapshot, id, error.into());
        }
        self.state.run(&self.snapshot);
        Flow::Stop
    }

    /// The transport broke without an end.
    pub fn lost(&mut self, id: ConnId) {
        if self.state.conns.get(id).is_some_and(|conn| conn.phase == Phase::ExpectReturn) {
            // Its session waits for another connection.
            return;
        }
        self.state.lose(&self.snapshot, id, CloseReason::ClientReset);
        self.state.run(&self.snapshot);
    }
}

impl State {
    /// Counts a ping, and closes the connection of a peer that floods. False: it is not to be answered.
    pub(crate) fn may_ping(&mut self, snapshot: &Snapshot, id: ConnId) -> bool {
        let second = self.now.second();
        let Some(conn) = self.conns.get_mut(id) else { return false };
        if conn.pings.0 != second {
            conn.pings = (second, 0);
        }
        conn.pings.1 += 1;
        if conn.pings.1 > PINGS_A_SECOND {
            let upstream = conn.session().is_none();
            let reason = if upstream { CloseReason::UpstreamFailed } else { CloseReason::PingFlood };
            self.close(snapshot, id, reason);
            return false;
        }
        conn.phase.takes_output()
    }

    fn open(&mut self, snapshot: &Snapshot, opening: Opening) -> Option<ConnId> {
        let policy = &snapshot.listeners[opening.listener.index()];
        let origin = self.names.origin(opening.peer.clone(), &opening.request, opening.tls.as_ref());
        let now = self.now;
        let chain = policy.chain.bindings().clone();
        let interval = policy.limits.ping_interval;
        let session =
            Session::new(opening.listener, policy.transport, origin, chain, snapshot.era, now, interval);
        let role = Role::Session(Box::new(session));
        let id = self.conns.insert(Conn::new(now, opening.wire, role))?;
        let stats = &self.stats.listeners[opening.listener.index()];
        stats.opened.add(1);
        if policy.limits.heartbeat
            && let Some(conn) = self.conns.get_mut(id)
        {
            conn.can_ping = true;
        }
        stats.sessions.add(1);
        self.stats.connections.add(1);
        if policy.transport.has_lanes()
            && let Some(conn) = self.conns.get_mut(id)
        {
            conn.lanes = Some(Box::default());
        }
        if let Some(hello) = opening.hello {
            self.greet(snapshot, id, hello);
        }
        for group in &policy.join {
            self.groups.join(&mut self.conns, &self.seat.directory, id, group);
        }
        if !policy.chain.links().is_empty() || self.tap.is_some() {
            let info = SessionInfo {
                id,
                listener: policy.name.clone(),
                transport: policy.transport,
                peer: opening.peer,
                tls: opening.tls,
                request: opening.request,
            };
            self.tap_opened(opening.listener, &info);
            self.tell_open(snapshot, id, &info);
        }
        self.begin_upstream(snapshot, id);
        self.arm(snapshot, id);
        Some(id)
    }

    /// The plugins of the chain that were not told yet learn of the session, in order, until one refuses it.
    pub(crate) fn tell_open(&mut self, snapshot: &Snapshot, id: ConnId, info: &SessionInfo) {
        let policy = &snapshot.listeners[self.listener_of(id)];
        let told = self.conns.get(id).and_then(Conn::session).map_or(0, |session| usize::from(session.told));
        let known: Vec<_> = self
            .conns
            .get(id)
            .and_then(Conn::session)
            .map_or_else(Vec::new, |session| session.chain[..told].to_vec());
        for link in policy.chain.links().iter().filter(|link| !known.contains(&link.binding)) {
            let open = self.conns.get_mut(id).filter(|conn| conn.phase.takes_output());
            // What the plugin before asked for may have ended it.
            let Some(session) = open.and_then(Conn::session_mut) else { return };
            session.told += 1;
            let Some(attributes) = self.attributes(snapshot, id) else { return };
            let link = link.met_by(|| self.who(id));
            if link.offload.is_some() {
                match self.open_elsewhere(snapshot, link, attributes, info) {
                    ControlFlow::Continue(()) => continue,
                    ControlFlow::Break(()) => return,
                }
            }
            self.call.session = Some((id, attributes));
            let answer = self.roster.call(
                link,
                Entry::Open,
                &self.seat,
                self.now,
                &mut self.call,
                |instance, call| instance.open(info, call),
            );
            self.tap_told(id, link, &answer);
            let worker = usize::from(self.seat.worker.0);
            match answer {
                Ok(Ok(())) => {
                    // What the plugin asked for is done before the next one learns of the session.
                    self.apply_effects(link, Some(id), 1);
                    self.run(snapshot);
                }
                Ok(Err(rejection)) => {
                    link.stats[worker].refused.add(1);
                    // What it says to the client it refuses has to go out before the end.
                    self.apply_effects(link, Some(id), 1);
                    self.run(snapshot);
                    self.reject(snapshot, id, &rejection);
                    return;
                }
                Err(failure) => {
                    debug_assert!(self.call.effects.is_empty(), "{failure:?} left effects");
                    // A plugin that keeps clients out keeps them out while it is broken, unless it is to fail open.
                    if link.on_failure != OnFailure::Open {
                        self.close(snapshot, id, CloseReason::PluginFailed);
                        return;
                    }
                }
            }
        }
    }

    pub(crate) fn received(
        &mut self,
        snapshot: &Snapshot,
        id: ConnId,
        lane: Lane,
        kind: Kind,
        payload: Payload<'_>,
    ) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.phase.takes_messages()) else { return };
        match &mut conn.role {
            Role::Session(session) => {
                let listener = session.listener.index();
                let limits = &snapshot.listeners[listener].limits;
                if limits.heartbeat
                    && let Some(beat) = heartbeat::parse(&payload)
                {
                    self.heartbeat(snapshot, id, lane, beat);
                    return;
                }
                if session.resume.is_some() && session::is_control(&payload) {
                    self.control(snapshot, id, &payload);
                    return;
                }
                let sequence = session.next_sequence(Direction::Inbound, self.now);
                let waits = session.held[Direction::Inbound as usize].is_some();
                let rated = limits.is_rated();
                session.bytes[Direction::Inbound as usize] += payload.len() as u64;
                let stats = &self.stats.listeners[listener].inbound;
                stats.received.add(1);
                stats.received_bytes.add(payload.len() as u64);
                let message = Message {
                    session: id,
                    sequence,
                    direction: Direction::Inbound,
                    kind,
                    payload,
                    lane: Some(lane),
                    hops: 0,
                    pressed: false,
                };
                if rated && !self.meter(snapshot, &message) {
                    return;
                }
                if waits {
                    // Its driver was told to pause; what comes all the same must not overtake.
                    self.wait_in_line(Parcel::pack(message));
                } else {
                    self.set_out(snapshot, listener, message);
                }
            }
            Role::Upstream(upstream) => {
                let stats = &self.stats.clusters[upstream.cluster.index()];
                stats.received.add(1);
                stats.received_bytes.add(payload.len() as u64);
                let session = upstream.session;
                self.answered(snapshot, id, session, kind, payload);
            }
        }
    }

    /// An upstream sent a message for its session.
    fn answered(
        &mut self,
        snapshot: &Snapshot,
        from: ConnId,
        session: ConnId,
        kind: Kind,
        payload: Payload<'_>,
    ) {
        let open = self.conns.get(session).is_some_and(|conn| conn.phase.takes_output());
        if !open {
            if let Some(Role::Upstream(upstream)) = self.conns.get(from).map(|conn| &conn.role) {
                self.stats.clusters[upstream.cluster.index()].orphaned.add(1);
            }
            return;
        }
        self.offer(snapshot, session, kind, payload, None, 0, true);
        if self.is_pressed(snapshot, session)
            && let Some(conn) = self.conns.get_mut(from)
        {
            conn.pauses.set(Pauses::DOWNSTREAM);
        }
    }

    #[expect(clippy::option_option, reason = "a close frame, and what may be in it")]
    fn peer_ended(&mut self, snapshot: &Snapshot, id: ConnId, close: Option<Option<(u16, Box<str>)>>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.phase == Phase::ExpectReturn {
            // Its session waits for another connection.
            return;
        }
        let with_frame = close.is_some();
        let cut_off =
            conn.session().and_then(|session| session.resume.as_ref()).is_some_and(|resume| !resume.leaving);
        // RFC 6455, section 7.4.1: 1001 is a page that is left, or loaded anew; then its session is wanted again.
        let left = matches!(close, Some(Some((1001, _)))) && cut_off;
        if left || (conn.is_websocket() || cut_off) && !with_frame && !conn.said_close {
            // RFC 6455, section 7.1.5: a stream that ends without a close frame is an abnormal closure. So is one without a goodbye
            // of a client that would have said it.
            self.lose(snapshot, id, CloseReason::ClientReset);
            return;
        }
        conn.peer_ended = true;
        let upstream = conn.session().is_none();
        let reason = if upstream { CloseReason::UpstreamClosed } else { CloseReason::Client };
        let said = match close {
            Some(Some((code, text))) => Rejection { code, reason: text },
            // RFC 6455, section 7.1.5: no code in the frame; plain streams have none to say.
            Some(None) | None => Rejection { code: 1000, reason: "".into() },
        };
        let owed = !with_frame && !upstream && conn.phase == Phase::ExpectMessages && self.owes(id);
        let event = if owed { LifeEvent::PeerEndedOwed } else { LifeEvent::PeerEnded };
        self.step(snapshot, id, event, Some(End { reason, said }));
        if owed {
            self.settle_owed(snapshot, id);
        }
    }

    /// What the reader of the connection does next.
    pub(crate) fn flow(&self, id: ConnId) -> Flow {
        match self.conns.get(id) {
            Some(conn) if conn.phase.takes_messages() => {
                if conn.pauses.any() {
                    Flow::Pause
                } else {
                    Flow::Continue
                }
            }
            _ => Flow::Stop,
        }
    }
}
