//! Sessions that are told to go because the process is short of something: in order, a few at a time.

use super::{State, Worker};
use crate::conn::{Conn, Role};
use crate::id::ConnId;
use crate::pulse::Health;
use crate::reason::CloseReason;
use crate::snapshot::Snapshot;
use crate::time::Time;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Connections that are looked at in one turn, when the next to go are searched.
const LOOKS: usize = 4096;
/// Sessions that one search finds. It is repeated when they are gone.
const FOUND: usize = 1024;
/// Sessions that are told in one turn.
const TOLD: u64 = 64;
/// From one turn of this to the next, at least.
const STEP: Duration = Duration::from_millis(10);
/// Until the next search after one that found nobody.
const REST: Duration = Duration::from_secs(1);
/// What was not done in time is made up for so long at most: a worker that was late is not to tell all at once.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Which sessions are to go, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shedding {
    /// Which.
    pub whom: Shed,
    /// So much of the worker's connections a second, from 0 to 1; one session a second at least.
    pub share: f64,
    /// How long they are told to wait at most before they connect again, each another time; zero: they are told nothing.
    pub retry: Duration,
}

/// Sessions that overload may cost their connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// Those without a message in either direction for so long, the longest first. Heartbeats are no messages.
    Idle(Duration),
    /// Any: those that are reached badly first, then those without a message for the longest time.
    Any,
}

/// A session's place in the order: whether it is reached well, and the second of its last message.
type Place = (bool, u32, ConnId);

/// The search for sessions that are to go, and the pace.
#[derive(Debug)]
pub(crate) struct Shedder {
    plan: Shedding,
    /// When there is something to do again.
    next: Time,
    /// Until when what should have been told is told.
    paid: Time,
    /// The slot that the search has come to.
    cursor: usize,
    /// The first in the order so far, the last of them at the top.
    found: BinaryHeap<Place>,
    /// Whom a search that is over has found, the first at the end.
    ready: Vec<Place>,
}

impl Worker {
    /// From now on sessions go as `plan` says; `None`: no more do.
    pub fn shed(&mut self, plan: Option<Shedding>) {
        let now = self.state.now;
        self.state.shedder = plan.map(|plan| {
            Box::new(Shedder {
                plan,
                next: now,
                paid: now,
                cursor: 0,
                found: BinaryHeap::new(),
                ready: Vec::new(),
            })
        });
    }
}

impl Shedder {
    pub(crate) const fn due(&self) -> Time {
        self.next
    }

    /// Where the session stands in the order, if it may go at all.
    fn place(&self, now: Time, id: ConnId, conn: &Conn) -> Option<Place> {
        let Role::Session(session) = &conn.role else { return None };
        if !conn.phase.takes_output() {
            return None;
        }
        match self.plan.whom {
            Shed::Idle(silent) => {
                let since = u64::from(now.second().saturating_sub(session.active));
                (since >= silent.as_secs()).then_some((true, session.active, id))
            }
            Shed::Any => Some((session.pulse.health() == Health::Healthy, session.active, id)),
        }
    }

    /// Looks at some more connections. True: it has seen all of them.
    fn search(&mut self, state: &State) -> bool {
        let slots = state.conns.slots();
        let end = slots.min(self.cursor + LOOKS);
        for slot in self.cursor..end {
            let Some((id, conn)) = state.conns.at(slot) else { continue };
            let Some(place) = self.place(state.now, id, conn) else { continue };
            if self.found.len() < FOUND {
                self.found.push(place);
            } else if self.found.peek().is_some_and(|last| place < *last) {
                self.found.pop();
                self.found.push(place);
            }
        }
        self.cursor = end;
        if end < slots {
            return false;
        }
        self.cursor = 0;
        self.ready = std::mem::take(&mut self.found).into_sorted_vec();
        self.ready.reverse();
        true
    }
}

impl State {
    /// Some of those go that are to.
    pub(super) fn shed(&mut self, snapshot: &Snapshot) {
        if self.shedder.as_ref().is_none_or(|shedder| shedder.next > self.now) {
            return;
        }
        let Some(mut shedder) = self.shedder.take() else { return };
        shedder.next = self.now + STEP;
        if shedder.ready.is_empty() {
            if shedder.search(self) && shedder.ready.is_empty() {
                shedder.next = self.now + REST;
            }
        } else {
            self.tell_some(snapshot, &mut shedder);
        }
        self.shedder = Some(shedder);
    }

    fn tell_some(&mut self, snapshot: &Snapshot, shedder: &mut Shedder) {
        let Shedding { whom, share, retry } = shedder.plan;
        let a_second = (self.conns.len() as f64 * share).max(1.0);
        let interval = Duration::from_secs_f64(1.0 / a_second);
        let mut told = 0;
        while shedder.paid + interval <= self.now && told < TOLD {
            let Some(place) = shedder.ready.pop() else { break };
            let (_, active, id) = place;
            let Some((_, is, _)) = self.conns.get(id).and_then(|conn| shedder.place(self.now, id, conn))
            else {
                continue;
            };
            if is != active {
                // It has had messages since; the next search finds its new place.
                continue;
            }
            let end = self.hinted(CloseReason::Overload, retry);
            self.close_with(snapshot, id, end);
            self.run(snapshot);
            match whom {
                Shed::Idle(_) => self.stats.overload.idle.add(1),
                Shed::Any => self.stats.overload.drained.add(1),
            }
            shedder.paid = shedder.paid + interval;
            told += 1;
        }
        if self.now.since(shedder.paid) > CATCH_UP {
            shedder.paid = self.now;
        }
        shedder.next = shedder.next.max(shedder.paid + interval);
    }
}
