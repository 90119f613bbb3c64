//! What happens because time passes.

use super::{State, Worker};
use crate::conn::{Conn, Pauses, Role};
use crate::id::ConnId;
use crate::lifecycle::{LifeEvent, Phase};
use crate::message::Direction;
use crate::reason::CloseReason;
use crate::roster::Entry;
use crate::snapshot::{SlowConsumer, Snapshot};
use crate::time::Time;
use crate::wheel::{Step, tick_of};
use std::time::Duration;

/// So many connections are looked at in one turn: at a microsecond each, the others wait for half a millisecond.
const CONNECTIONS: usize = 512;
/// So many that only come nearer to their tick cost as much as one that is looked at.
const MOVES: usize = 16;

impl Worker {
    /// Does what is due, or as much of it as fits a turn: then [`Worker::next_deadline`] is not in the future. Call after
    /// [`Worker::turn`].
    pub fn tick(&mut self) {
        let now = self.state.now;
        if let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            self.state.stats.turns.delay.record(now.since(due).as_nanos() as u64);
        }
        let mut budget = CONNECTIONS * MOVES;
        while budget > 0 {
            let slot = match self.state.wheel.due(now) {
                Step::Due(slot) => slot,
                Step::Moved => {
                    budget -= 1;
                    continue;
                }
                Step::Done => break,
            };
            budget = budget.saturating_sub(MOVES);
            // Whoever is released is taken out.
            let Some(id) = self.state.conns.id_at(slot) else { continue };
            self.state.look_at(&self.snapshot, id);
            self.state.run(&self.snapshot);
            self.state.arm(&self.snapshot, id);
        }
        self.state.shed(&self.snapshot);
        self.state.plugin_timers(&self.snapshot);
        self.state.run(&self.snapshot);
    }

    /// When [`Worker::tick`] is wanted next.
    pub fn next_deadline(&self) -> Option<Time> {
        let state = &self.state;
        let links = self.snapshot.bindings.iter();
        let own = links.filter(|link| state.timer_owner(link.binding) == state.seat.worker);
        let plugins = own.filter_map(|link| state.roster.next_timer(link.id()));
        let shedder = state.shedder.as_ref().map(|shedder| shedder.due());
        plugins.chain(state.wheel.next()).chain(shedder).min()
    }
}

impl State {
    fn plugin_timers(&mut self, snapshot: &Snapshot) {
        for link in &snapshot.bindings {
            let own = self.timer_owner(link.binding) == self.seat.worker;
            if !own || !self.roster.timer_due(link.id(), self.now) {
                continue;
            }
            self.call.session = None;
            let answer = self.roster.call(
                link,
                Entry::Timer,
                &self.seat,
                self.now,
                &mut self.call,
                |instance, call| instance.timer(call),
            );
            if answer.is_ok() {
                self.apply_effects(link, None, 1);
                self.run(snapshot);
            }
        }
    }

    /// Makes sure that the wheel looks at the connection in time.
    pub(crate) fn arm(&mut self, snapshot: &Snapshot, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let deadline = self.deadlines(snapshot, id, conn).into_iter().map(|(at, _)| at).min();
        let Some(deadline) = deadline.filter(|at| *at != Time::NEVER) else { return };
        let tick = tick_of(deadline);
        if tick < self.wheel.armed(id.slot()) {
            self.wheel.arm(id.slot(), tick);
        }
    }

    /// Whether the wheel looks at the connection in time.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn is_armed(&self, snapshot: &Snapshot, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else { return true };
        let deadline = self.deadlines(snapshot, id, conn).into_iter().map(|(at, _)| at).min();
        deadline.is_none_or(|at| at == Time::NEVER || self.wheel.armed(id.slot()) <= tick_of(at))
    }

    fn look_at(&mut self, snapshot: &Snapshot, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let phase = conn.phase;
        for (at, due) in self.deadlines(snapshot, id, conn) {
            if at > self.now {
                continue;
            }
            if self.conns.get(id).is_none_or(|conn| conn.phase != phase) {
                // The others were this phase's too. A session that waits for its client now is not to end for a second reason.
                return;
            }
            match due {
                Due::Phase => self.lose(snapshot, id, CloseReason::Killed),
                Due::Return => self.step(snapshot, id, LifeEvent::Lost, None),
                Due::Idle => self.close(snapshot, id, CloseReason::IdleTimeout),
                Due::Slow => self.close(snapshot, id, CloseReason::SlowConsumer),
                Due::Beat => self.beat(snapshot, id),
                Due::FirstMessage => self.close(snapshot, id, CloseReason::FirstMessageTimeout),
                Due::Frame => self.close(snapshot, id, CloseReason::FrameTimeout),
                // It does not take what waits for it: so it cannot be told.
                Due::Write => {
                    let upstream = self.conns.get(id).is_some_and(|conn| conn.session().is_none());
                    let reason =
                        if upstream { CloseReason::UpstreamTimeout } else { CloseReason::WriteTimeout };
                    self.lose(snapshot, id, reason);
                }
                Due::Drain => self.drain_one(snapshot, id),
                Due::Hold(direction) => self.expire(snapshot, id, direction),
                Due::Rate => self.rate_over(snapshot, id),
            }
        }
    }

    fn deadlines(&self, snapshot: &Snapshot, id: ConnId, conn: &Conn) -> [(Time, Due); 10] {
        let mut all = [(Time::NEVER, Due::Phase); 10];
        match conn.phase {
            Phase::Ended | Phase::ExpectConnected => return all,
            Phase::ExpectFlushed | Phase::ExpectPeerEnd => {
                all[0] = (conn.phase_deadline, Due::Phase);
                return all;
            }
            Phase::ExpectMessages | Phase::ExpectAnswers | Phase::ExpectReturn => {}
        }
        let session = match &conn.role {
            Role::Session(session) => session,
            Role::Upstream(upstream) => {
                let limit = snapshot.clusters[upstream.cluster.index()].write_timeout;
                all[5] = (after(conn.blocked_since, limit), Due::Write);
                return all;
            }
        };
        let limits = &snapshot.listeners[session.listener.index()].limits;
        // While it is the gateway that does not read, silence says nothing of the client. One that does not take its own echoes,
        // though, is not read because of itself.
        let ours = conn.pauses.contains(Pauses::HELD)
            || conn.pauses.contains(Pauses::UPSTREAM)
            || conn.pauses.contains(Pauses::MAILBOX)
            || conn.pauses.contains(Pauses::RATE)
            || session.held[Direction::Outbound as usize].is_some();
        let away = conn.phase == Phase::ExpectReturn;
        if !ours && !away {
            // QUIC has its own way of asking, and of giving up.
            if !session.transport.has_lanes() {
                all[1] = (after(conn.heard, limits.idle_timeout), Due::Idle);
            }
            if !limits.ping_interval.is_zero() && !conn.peer_ended {
                all[2] = (session.pulse.due(limits.pong_floor), Due::Beat);
            }
            // A hello is a first message.
            let silent = session.sequences[Direction::Inbound as usize] == 0 && session.resume.is_none();
            if !conn.peer_ended && silent {
                all[3] = (after(session.opened_at, limits.first_message_timeout), Due::FirstMessage);
            }
            if !conn.pauses.any() {
                all[4] = (after(conn.frame_since, limits.frame_timeout), Due::Frame);
            }
        }
        all[5] = (after(conn.blocked_since, limits.write_timeout), Due::Write);
        if limits.slow_consumer == SlowConsumer::Close {
            all[6] = (after(conn.slow_since, limits.slow_grace), Due::Slow);
        }
        for (place, direction) in [(7, Direction::Inbound), (8, Direction::Outbound)] {
            if let Some(until) = session.held[direction as usize].as_ref().and_then(|line| line.until()) {
                all[place] = (until, Due::Hold(direction));
            }
        }
        if let Some(meter) = &session.meter {
            all[9] = (meter.until, Due::Rate);
        }
        if away {
            all[0] = (conn.phase_deadline, Due::Return);
        }
        if let Some(drain) = &self.drain {
            all[0] = (drain.tells(id), Due::Drain);
        }
        all
    }
}

/// A time after another; a duration of zero is no limit.
fn after(since: Time, limit: Duration) -> Time {
    if since == Time::NEVER || limit.is_zero() { Time::NEVER } else { since + limit }
}

#[derive(Clone, Copy, Debug)]
enum Due {
    Phase,
    Return,
    Idle,
    Slow,
    Beat,
    FirstMessage,
    Frame,
    Write,
    Drain,
    Rate,
    Hold(Direction),
}
