//! What happens because time passes.

use super::{State, Worker};
use crate::conn::{Conn, Pauses, Role};
use crate::id::ConnId;
use crate::lifecycle::Phase;
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
        self.state.plugin_timers(&self.snapshot);
        self.state.run(&self.snapshot);
    }

    /// When [`Worker::tick`] is wanted next.
    pub fn next_deadline(&self) -> Option<Time> {
        let state = &self.state;
        let links = self.snapshot.bindings.iter();
        let own = links.filter(|link| state.timer_owner(link.binding) == state.seat.worker);
        let plugins = own.filter_map(|link| state.roster.next_timer(link.binding));
        plugins.chain(state.wheel.next()).min()
    }
}

impl State {
    fn plugin_timers(&mut self, snapshot: &Snapshot) {
        for link in &snapshot.bindings {
            let own = self.timer_owner(link.binding) == self.seat.worker;
            if !own || !self.roster.timer_due(link.binding, self.now) {
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
        for (at, due) in self.deadlines(snapshot, id, conn) {
            if at > self.now {
                continue;
            }
            match due {
                Due::Phase => self.lose(snapshot, id, CloseReason::Killed),
                Due::Idle => self.close(snapshot, id, CloseReason::IdleTimeout),
                Due::Slow => self.close(snapshot, id, CloseReason::SlowConsumer),
                Due::Beat => self.beat(snapshot, id),
                Due::FirstMessage => self.close(snapshot, id, CloseReason::FirstMessageTimeout),
                Due::Frame => self.close(snapshot, id, CloseReason::FrameTimeout),
                // It does not take what waits for it: so it cannot be told.
                Due::Write => self.lose(snapshot, id, CloseReason::WriteTimeout),
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
            Phase::ExpectMessages | Phase::ExpectAnswers => {}
        }
        let Role::Session(session) = &conn.role else { return all };
        let limits = &snapshot.listeners[session.listener.index()].limits;
        // While it is the gateway that does not read, silence says nothing of the client. One that does not take its own echoes,
        // though, is not read because of itself.
        let ours = conn.pauses.contains(Pauses::HELD)
            || conn.pauses.contains(Pauses::UPSTREAM)
            || conn.pauses.contains(Pauses::MAILBOX)
            || conn.pauses.contains(Pauses::RATE)
            || session.held[Direction::Outbound as usize].is_some();
        if !ours {
            // QUIC has its own way of asking, and of giving up.
            if !session.transport.has_lanes() {
                all[1] = (after(conn.heard, limits.idle_timeout), Due::Idle);
            }
            if !limits.ping_interval.is_zero() && !conn.peer_ended {
                all[2] = (session.pulse.due(limits.pong_floor), Due::Beat);
            }
            if !conn.peer_ended && session.sequences[Direction::Inbound as usize] == 0 {
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
