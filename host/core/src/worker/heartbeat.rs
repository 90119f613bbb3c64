//! Asking sessions whether they are there, and what follows from their answers.

use super::{Flow, State, Worker};
use crate::conn::{Conn, End};
use crate::id::{ConnId, Lane};
use crate::message::Kind;
use crate::pulse::{Health, Path};
use crate::queue::Sort;
use crate::reason::CloseReason;
use crate::snapshot::{Degraded, Snapshot};
use crate::time::Time;
use weir_codec::Wire;
use weir_codec::heartbeat::{Heartbeat, Stage};

impl Worker {
    /// A WebSocket pong came.
    pub fn pong(&mut self, id: ConnId, payload: &[u8]) -> Flow {
        self.state.answered_heartbeat(&self.snapshot, id, payload);
        self.state.run(&self.snapshot);
        self.state.flow(id)
    }

    /// Whether the transport is to say how the way to its peer is, with [`Worker::path`]. Asks once for each time.
    pub fn takes_path(&mut self, id: ConnId) -> bool {
        self.state.conns.get_mut(id).is_some_and(|conn| std::mem::take(&mut conn.look))
    }

    /// How the way to the peer of a session is.
    pub fn path(&mut self, id: ConnId, path: Path) {
        if let Some(conn) = self.state.conns.get_mut(id) {
            let asks = conn.can_ping;
            if let Some(session) = conn.session_mut() {
                session.pulse.look(path, asks);
            }
        }
        self.state.judge_health(&self.snapshot, id);
        self.state.run(&self.snapshot);
    }

    /// A frame of the peer is now incomplete (`Some`: whether it began with this read), or none is any more.
    pub fn mid_frame(&mut self, id: ConnId, incomplete: Option<bool>) {
        let now = self.state.now;
        let Some(conn) = self.state.conns.get_mut(id) else { return };
        match incomplete {
            None => conn.frame_since = Time::NEVER,
            Some(began) if began || conn.frame_since == Time::NEVER => {
                conn.frame_since = now;
                self.state.arm(&self.snapshot, id);
            }
            Some(_) => {}
        }
    }

    /// The transport takes nothing of what is queued now.
    pub fn blocked(&mut self, id: ConnId) {
        let now = self.state.now;
        if let Some(conn) = self.state.conns.get_mut(id)
            && conn.blocked_since == Time::NEVER
        {
            conn.blocked_since = now;
            self.state.arm(&self.snapshot, id);
        }
    }
}

impl State {
    /// The next heartbeat is due, or the patience for the last one is at its end.
    pub(crate) fn beat(&mut self, snapshot: &Snapshot, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let (heard, can_ping) = (conn.heard, conn.can_ping);
        let Some(session) = conn.session_mut() else { return };
        let listener = session.listener.index();
        let limits = &snapshot.listeners[listener].limits;
        let stats = &self.stats.listeners[listener].heartbeats;
        if session.pulse.is_out() {
            let asked = session.pulse.asked();
            let missed = session.pulse.miss(heard > asked) > 0;
            stats.missed.add(u64::from(missed));
            self.judge_health(snapshot, id);
            if !missed {
                return;
            }
            // It is asked again at once.
        }
        let Some(session) =
            self.conns.get_mut(id).filter(|conn| conn.phase.takes_output()).and_then(Conn::session_mut)
        else {
            return;
        };
        if can_ping {
            let carried = session.pulse.ask(self.now, limits.ping_interval);
            self.stats.listeners[listener].heartbeats.sent.add(1);
            self.send_heartbeat(id, carried);
        } else {
            session.pulse.skip(self.now, limits.ping_interval);
        }
        if let Some(conn) = self.conns.get_mut(id) {
            conn.look = true;
        }
        self.mark_dirty(id);
    }

    fn send_heartbeat(&mut self, id: ConnId, carried: [u8; 8]) {
        if self.conns.get(id).is_some_and(Conn::is_websocket) {
            self.push_ping(id, &carried);
        } else {
            let milliseconds = u64::from_be_bytes(carried);
            self.queue_heartbeat(id, None, &Heartbeat { stage: Stage::Request, milliseconds, filler: &[] });
        }
    }

    /// A heartbeat message came from a client of a framed transport.
    pub(crate) fn heartbeat(&mut self, snapshot: &Snapshot, id: ConnId, lane: Lane, beat: Heartbeat<'_>) {
        match beat.stage {
            Stage::Request => {
                if self.may_ping(snapshot, id) {
                    self.queue_heartbeat(id, Some(lane), &Heartbeat { stage: Stage::Response, ..beat });
                }
            }
            Stage::Response => self.answered_heartbeat(snapshot, id, &beat.milliseconds.to_be_bytes()),
        }
    }

    /// Queues a heartbeat, which is no message, if the framing can carry it.
    fn queue_heartbeat(&mut self, id: ConnId, lane: Option<Lane>, beat: &Heartbeat<'_>) {
        let payload = beat.payload();
        let sort = if beat.stage == Stage::Request { Sort::Ping } else { Sort::Pong };
        self.push_heartbeat(id, lane, sort, |wire: &Wire, out| {
            // One that is longer than the framing allows is not sent; its answer is then missed, and counted so.
            let _ = wire.encode(Kind::Binary, &payload, [0; 4], out);
        });
    }

    fn answered_heartbeat(&mut self, snapshot: &Snapshot, id: ConnId, carried: &[u8]) {
        let now = self.now;
        let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
        if !session.pulse.answer(now, carried) {
            return;
        }
        self.stats.listeners[session.listener.index()].heartbeats.answered.add(1);
        self.judge_health(snapshot, id);
        // The next one may be due before the wheel would have looked for this answer.
        self.arm(snapshot, id);
    }

    /// What has become known of a session may change its health; what that leads to.
    fn judge_health(&mut self, snapshot: &Snapshot, id: ConnId) {
        let Some(session) =
            self.conns.get_mut(id).filter(|conn| conn.phase.takes_output()).and_then(Conn::session_mut)
        else {
            return;
        };
        let Some((before, after)) = session.pulse.judge() else { return };
        let listener = session.listener.index();
        let stats = &self.stats.listeners[listener].heartbeats;
        match (before, after) {
            (Health::Healthy, _) => {
                stats.degraded.add(1);
                stats.degraded_ever.add(1);
            }
            (_, Health::Healthy) => stats.degraded.sub(1),
            _ => {}
        }
        self.show_health(snapshot, id, after);
        match (after, snapshot.listeners[listener].limits.degraded) {
            (Health::Dead, _) => self.close(snapshot, id, CloseReason::HeartbeatTimeout),
            (Health::Degraded, Degraded::Reconnect) => {
                self.close_with(snapshot, id, End::new(CloseReason::Degraded));
            }
            _ => {}
        }
    }
}

/// The gateway did not listen to this peer for a while: its silence, and what it did not answer, do not count.
pub(super) fn listen_anew(conn: &mut Conn, snapshot: &Snapshot, now: Time) {
    conn.heard = now;
    if conn.frame_since != Time::NEVER {
        conn.frame_since = now;
    }
    if let Some(session) = conn.session_mut() {
        let interval = snapshot.listeners[session.listener.index()].limits.ping_interval;
        session.pulse.restart(now, interval);
    }
}
