//! Messages that plugins keep back, and what becomes of them.
//!
//! While a plugin holds a message of a session, all that follows in that direction stands in line behind it. A line is worked off
//! from its front, one task at a time, and stays until it is empty: what comes meanwhile joins its end, so nothing overtakes.

use super::heartbeat::listen_anew;
use super::{Judge, Judged, State, Task};
use crate::conn::{Conn, Held, Kept, Parcel, Pauses, Waiting};
use crate::id::{BindingId, ConnId, SessionId};
use crate::message::Direction;
use crate::reason::DropReason;
use crate::snapshot::{OnFailure, Progress, Snapshot};
use crate::stats::ListenerStats;
use crate::verdict::{Target, Verdict};
use std::time::Duration;

/// Bytes of the messages that each binding holds, with what keeps them. What waits behind a held message is bounded elsewhere: its
/// sender is not read, or its receiver's queue counts it.
#[derive(Debug, Default)]
pub(crate) struct Holdings(Vec<usize>);

impl Holdings {
    /// Whether a binding may hold a message of so many bytes too.
    pub(crate) fn has_room(&self, binding: BindingId, length: usize, most: usize) -> bool {
        let held = self.0.get(binding.index()).copied().unwrap_or(0);
        held.saturating_add(length).saturating_add(size_of::<Waiting>()) <= most
    }

    fn add(&mut self, waiting: &Waiting) {
        let Some(kept) = &waiting.kept else { return };
        let at = kept.by.binding.index();
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] += waiting.cost();
    }

    fn remove(&mut self, waiting: &Waiting) {
        if let Some(kept) = &waiting.kept
            && let Some(held) = self.0.get_mut(kept.by.binding.index())
        {
            *held -= waiting.cost();
        }
    }

    /// The invariant, for tests.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants<'a>(&self, lines: impl Iterator<Item = &'a Box<Held>>) {
        let mut counted = Self(vec![0; self.0.len()]);
        lines.flat_map(|line| &line.messages).for_each(|waiting| counted.add(waiting));
        assert_eq!(self.0, counted.0, "bytes that bindings hold");
    }
}

impl State {
    /// Keeps a message. Inbound, the session's reading stands still; outbound, what follows waits behind it.
    pub(crate) fn hold(
        &mut self,
        snapshot: &Snapshot,
        message: Parcel,
        by: Judge,
        route: Option<Target>,
        milliseconds: u32,
    ) {
        let (id, direction) = (message.session, message.direction);
        let listener = self.listener_of(id);
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.phase.takes_output()) else {
            self.drop_message(&message.open(), DropReason::SessionEnded);
            return;
        };
        if direction == Direction::Inbound {
            conn.pauses.set(Pauses::HELD);
        }
        let Some(session) = conn.session_mut() else { return };
        let kept = Kept {
            chain: snapshot.listeners[listener].chain.bindings().clone(),
            progress: by.progress,
            route,
            by: by.id,
            anew: false,
            on_failure: by.on_failure,
            until: self.now + Duration::from_millis(milliseconds.into()),
            verdict: None,
        };
        let waiting = Waiting { parcel: message, kept: Some(Box::new(kept)) };
        self.holdings.add(&waiting);
        // It was in hand when those in line were not yet: it stands before them.
        session.held[direction as usize].get_or_insert_default().push_front(waiting);
        self.held_gauge(listener, direction).add(1);
        self.arm(snapshot, id);
    }

    /// A message joins the line of those that wait behind a held one.
    pub(crate) fn wait_in_line(&mut self, parcel: Parcel) {
        let (id, direction) = (parcel.session, parcel.direction);
        let listener = self.listener_of(id);
        if let Some(line) = self.line(id, direction) {
            line.push_back(Waiting { parcel, kept: None });
            self.held_gauge(listener, direction).add(1);
        }
    }

    /// A plugin releases a message of a session of this worker. False: it holds no such message.
    pub(crate) fn release(
        &mut self,
        snapshot: &Snapshot,
        binding: BindingId,
        id: SessionId,
        direction: Direction,
        sequence: u64,
        verdict: Verdict,
    ) -> bool {
        let Some(line) = self.line(id, direction) else { return false };
        let kept = line.messages.iter_mut().find(|waiting| waiting.parcel.sequence == sequence);
        let Some(kept) = kept.and_then(|waiting| waiting.kept.as_deref_mut()) else { return false };
        if kept.by.binding != binding || kept.verdict.is_some() {
            return false;
        }
        kept.verdict = Some(verdict);
        self.work_off(snapshot, id, direction);
        true
    }

    /// The time of the held message at the front is over, or there is another generation to ask.
    pub(crate) fn expire(&mut self, snapshot: &Snapshot, id: SessionId, direction: Direction) {
        let now = self.now;
        let Some(line) = self.line(id, direction) else { return };
        let Some(kept) = line.messages.front().and_then(|front| front.kept.as_deref()) else { return };
        if kept.until > now || kept.verdict.is_some() {
            return;
        }
        let Some(Waiting { parcel, kept: Some(kept) }) = self.step_forward(id, direction) else { return };
        self.tasks.push(Task::WorkOff { session: id, direction });
        let chain = &snapshot.listeners[self.listener_of(id)].chain;
        if kept.anew && chain.bindings().contains(&kept.by.binding) {
            let progress = chain.resume_at(direction, &kept.chain, kept.progress, kept.by.binding);
            self.walk_on(snapshot, parcel.open(), progress, kept.route);
            return;
        }
        match kept.on_failure {
            OnFailure::Open => {
                let progress = chain.resume(direction, &kept.chain, kept.progress);
                self.walk(snapshot, parcel.open(), progress, kept.route);
            }
            on_failure => self.fail(snapshot, &parcel.open(), on_failure, DropReason::HoldExpired),
        }
    }

    /// Held messages whose sessions meet another generation now than the one that holds them: that one is to say what becomes of them.
    /// They are due at once, so that the wheel takes as many a turn as there is time for.
    pub(crate) fn offer_anew(&mut self, snapshot: &Snapshot) {
        let holds = |stats: &ListenerStats| stats.inbound.held.value() + stats.outbound_held.value() > 0;
        if !self.stats.listeners.iter().any(holds) {
            return;
        }
        for id in self.conns.ids() {
            let (who, now) = (self.who(id), self.now);
            let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { continue };
            let chain = &snapshot.listeners[session.listener.index()].chain;
            let mut found = false;
            let lines = session.held.iter_mut().flatten();
            for kept in lines.flat_map(|line| &mut line.messages).filter_map(|one| one.kept.as_deref_mut()) {
                let mut links = chain.links().iter();
                // Whose binding is in no chain any more waits for its time to be over.
                let Some(link) = links.find(|link| link.binding == kept.by.binding) else { continue };
                if kept.verdict.is_none() && link.met_by(|| who).generation != kept.by.generation {
                    kept.anew = true;
                    kept.until = now;
                    found = true;
                }
            }
            if found {
                self.arm(snapshot, id);
            }
        }
    }

    /// The message at the front of a line goes on, if nobody keeps it any more; if there is none, the line is dissolved.
    pub(crate) fn work_off(&mut self, snapshot: &Snapshot, id: SessionId, direction: Direction) {
        let Some(line) = self.line(id, direction) else { return };
        match line.messages.front() {
            None => {
                self.dissolve(snapshot, id, direction);
                return;
            }
            Some(Waiting { kept: Some(kept), .. }) if kept.verdict.is_none() => {
                self.arm(snapshot, id);
                return;
            }
            Some(_) => {}
        }
        let Some(Waiting { parcel, kept }) = self.step_forward(id, direction) else { return };
        // Below what the message leads to: the next one goes on when this one has arrived.
        self.tasks.push(Task::WorkOff { session: id, direction });
        match kept.map(|kept| *kept) {
            Some(Kept { chain, progress, route, by, on_failure, verdict: Some(verdict), .. }) => {
                let now = &snapshot.listeners[self.listener_of(id)].chain;
                let progress = now.resume(direction, &chain, progress);
                self.tap_release(snapshot, &parcel, by, &verdict);
                if let Some(link) = now.links().iter().find(|link| link.binding == by.binding) {
                    link.at(by.generation).stats[usize::from(self.seat.worker.0)].released.add(1);
                }
                self.conclude(
                    snapshot,
                    parcel,
                    Judged { verdict, by: Judge { progress, id: by, on_failure } },
                    route,
                );
            }
            _ => self.walk(snapshot, parcel.open(), Progress::default(), None),
        }
    }

    /// Nobody waits any more: who was held back by the line goes on.
    fn dissolve(&mut self, snapshot: &Snapshot, id: SessionId, direction: Direction) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(id) else { return };
        // Its silence did not count.
        listen_anew(conn, snapshot, now);
        if let Some(session) = conn.session_mut() {
            session.held[direction as usize] = None;
        }
        match direction {
            Direction::Inbound => self.unpause(snapshot, id, Pauses::HELD),
            Direction::Outbound if self.is_pressed(snapshot, id) => {}
            Direction::Outbound => self.relieve(snapshot, id),
        }
        self.arm(snapshot, id);
        self.settle_owed(snapshot, id);
    }

    /// Held messages of a session that ends are dropped and counted, and those behind them.
    pub(crate) fn drop_held(&mut self, id: ConnId) {
        let listener = self.listener_of(id);
        for direction in [Direction::Inbound, Direction::Outbound] {
            let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
            let Some(line) = session.held[direction as usize].take() else { continue };
            for waiting in line.messages {
                self.holdings.remove(&waiting);
                self.held_gauge(listener, direction).sub(1);
                let message = waiting.parcel.open();
                if waiting.kept.is_none() {
                    self.tap_begin(&message);
                }
                self.drop_message(&message, DropReason::SessionEnded);
            }
        }
    }

    fn line(&mut self, id: ConnId, direction: Direction) -> Option<&mut Held> {
        self.conns.get_mut(id)?.session_mut()?.held[direction as usize].as_deref_mut()
    }

    fn step_forward(&mut self, id: ConnId, direction: Direction) -> Option<Waiting> {
        let front = self.line(id, direction)?.pop_front()?;
        self.holdings.remove(&front);
        self.held_gauge(self.listener_of(id), direction).sub(1);
        Some(front)
    }

    fn held_gauge(&self, listener: usize, direction: Direction) -> &crate::Counter {
        let stats = &self.stats.listeners[listener];
        match direction {
            Direction::Inbound => &stats.inbound.held,
            Direction::Outbound => &stats.outbound_held,
        }
    }
}
