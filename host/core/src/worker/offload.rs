//! What plugins decide that are not called here: messages and sessions wait for the answers, the worker does not.
//!
//! A message that is asked about elsewhere stands in its session's line like one that a plugin holds, so nothing overtakes it; and as
//! with that, a client is not read meanwhile. A session whose opening is asked about has a gate before both of its lines: what comes
//! waits until it is accepted.

use super::{Judge, Judged, State, Task, Worker};
use crate::attribute::Attributes;
use crate::conn::{Conn, Gate, Held, Kept, Parcel, Pauses, Waiting};
use crate::id::{ConnId, GenerationId, SessionId};
use crate::message::Direction;
use crate::offload::{Answer, Answers, Asked, Job, Said, Ticket};
use crate::program::{Failure, FailureCause, SessionInfo};
use crate::reason::{CloseReason, DropReason};
use crate::snapshot::{Link, OnFailure, Progress, Route, Snapshot};
use crate::time::Time;
use crate::verdict::{Rejection, Target, Verdict};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a worker remembers of calls that are made elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Offloads {
    /// The way back; `None`: nobody said, and nothing can be asked.
    back: Option<Arc<dyn Answers>>,
    /// Generations whose instances were asked for.
    prepared: BTreeSet<GenerationId>,
    /// Generations whose `on-timer` is asked for and has not answered: a slow one is not asked for twice.
    ticking: BTreeSet<GenerationId>,
    /// Sessions that are to be drained when they are answered.
    pub(crate) draining: BTreeSet<ConnId>,
}

impl Worker {
    /// Says how answers of plugins that are called elsewhere come back here. Without it such plugins give none.
    pub fn answers_by(&mut self, back: Arc<dyn Answers>) {
        self.state.offloads.back = Some(back);
    }
}

impl State {
    /// Generations that are called elsewhere have their instances made there, before the first message. One worker asks.
    pub(crate) fn prepare_offloads(&mut self, snapshot: &Snapshot) {
        let all = || snapshot.bindings.iter().flat_map(Link::all);
        self.offloads.prepared.retain(|known| all().any(|link| link.id() == *known));
        self.offloads.ticking.retain(|known| all().any(|link| link.id() == *known));
        for link in all() {
            let Some(offload) = &link.offload else { continue };
            let own = self.timer_owner(link.binding) == self.seat.worker;
            if own && self.offloads.back.is_some() && self.offloads.prepared.insert(link.id()) {
                self.roster.keep_time(link.id());
                for thread in 0..offload.threads() {
                    // Where that is not done, the first call does it.
                    let _ = self.submit(link, Asked::Ready(thread), None, Ticket::default());
                }
            }
        }
    }

    /// A message meets a link that is called elsewhere. What it gives goes on at once: it could not be asked about, and fails open.
    pub(crate) fn ask_elsewhere(
        &mut self,
        snapshot: &Snapshot,
        link: &Link,
        attributes: Attributes,
        parcel: Parcel,
        progress: Progress,
        route: Option<Target>,
    ) -> Option<(Parcel, Option<Target>)> {
        let id = parcel.session;
        if !self.conns.get(id).is_some_and(|conn| conn.phase.takes_output()) {
            self.drop_message(&parcel.open(), DropReason::SessionEnded);
            return None;
        }
        let ticket = Ticket::default();
        let session = Some((id, attributes.clone()));
        if let Err(failure) = self.submit(link, Asked::Message(parcel.clone()), session, ticket.clone()) {
            let message = parcel.clone().open();
            self.call.session = Some((id, attributes));
            self.call.nanoseconds = 0;
            self.tap_meet(&message, link, &Err(failure));
            if link.on_failure == OnFailure::Open {
                return Some((parcel, route));
            }
            self.fail(snapshot, &message, link.on_failure, DropReason::PluginFailed);
            return None;
        }
        let wait = link.offload.as_ref().map(|offload| offload.longest_wait()).unwrap_or_default();
        let kept = Kept {
            chain: snapshot.listeners[self.listener_of(id)].chain.bindings().clone(),
            progress,
            route,
            by: link.id(),
            anew: false,
            on_failure: link.on_failure,
            until: self.now + wait,
            verdict: None,
            ticket: Some(ticket),
        };
        self.keep_back(snapshot, parcel, kept);
        None
    }

    /// A session opens, and a link learns of it that is called elsewhere. `Continue`: it cannot be asked and fails open.
    pub(crate) fn open_elsewhere(
        &mut self,
        snapshot: &Snapshot,
        link: &Link,
        attributes: Attributes,
        info: &SessionInfo,
    ) -> ControlFlow<()> {
        let (id, info) = (info.id, Arc::new(info.clone()));
        let ticket = Ticket::default();
        let session = Some((id, attributes.clone()));
        if let Err(failure) = self.submit(link, Asked::Open(info.clone()), session, ticket.clone()) {
            self.call.session = Some((id, attributes));
            self.call.nanoseconds = 0;
            self.tap_told(id, link, &Err(failure));
            if link.on_failure == OnFailure::Open {
                return ControlFlow::Continue(());
            }
            self.close(snapshot, id, CloseReason::PluginFailed);
            return ControlFlow::Break(());
        }
        let wait = link.offload.as_ref().map(|offload| offload.longest_wait()).unwrap_or_default();
        let (link, until) = (link.clone(), self.now + wait);
        let Some(conn) = self.conns.get_mut(id) else { return ControlFlow::Break(()) };
        conn.pauses.set(Pauses::HELD);
        if let Some(session) = conn.session_mut() {
            let [inbound, outbound] = &mut session.held;
            outbound.get_or_insert_default();
            inbound.get_or_insert_default().gate = Some(Box::new(Gate { info, link, ticket, until }));
        }
        self.arm(snapshot, id);
        ControlFlow::Break(())
    }

    /// A link learns that a session ended which is called elsewhere.
    pub(crate) fn close_elsewhere(
        &mut self,
        link: &Link,
        id: SessionId,
        attributes: Attributes,
        said: &Rejection,
    ) {
        // What cannot be told is counted; there is nobody left whom on_failure could be about.
        let _ = self.submit(link, Asked::Close(id, said.clone()), Some((id, attributes)), Ticket::default());
    }

    /// `on-timer` of a link that is called elsewhere is due.
    pub(crate) fn time_elsewhere(&mut self, link: &Link) {
        if self.offloads.ticking.contains(&link.id()) {
            return;
        }
        if self.submit(link, Asked::Timer, None, Ticket::default()).is_ok() {
            self.offloads.ticking.insert(link.id());
        }
    }

    fn submit(
        &self,
        link: &Link,
        asked: Asked,
        session: Option<(SessionId, Attributes)>,
        ticket: Ticket,
    ) -> Result<(), Failure> {
        let stats = &link.stats[usize::from(self.seat.worker.0)];
        if link.quarantine.is_on() {
            stats.failure(FailureCause::Quarantined).add(1);
            return Err(Failure {
                cause: FailureCause::Quarantined,
                detail: "it failed too often in a row; another file or config ends this".into(),
            });
        }
        if let (Some(offload), Some(back)) = (&link.offload, &self.offloads.back) {
            let (from, back) = (self.seat.clone(), back.clone());
            // Not what it would be kept alive by.
            let link = Link { offload: None, terms: Arc::default(), ..link.clone() };
            if offload.submit(Box::new(Job { asked, link, session, ticket, from, back })).is_ok() {
                stats.offloaded.add(1);
                return Ok(());
            }
        }
        stats.failure(FailureCause::QueueFull).add(1);
        Err(Failure { cause: FailureCause::QueueFull, detail: "the queue of its threads is full".into() })
    }

    /// Something that was asked elsewhere is answered.
    pub(crate) fn answered_elsewhere(&mut self, snapshot: &Snapshot, answer: Answer) {
        let Answer { link, said, session, effects, nanoseconds, fuel, every, notices } = answer;
        self.roster.note(notices);
        let by = link.id();
        if let Some(milliseconds) = every {
            self.wish(snapshot, by, crate::Effect::Every { milliseconds });
        }
        self.call.effects = effects;
        (self.call.session, self.call.nanoseconds, self.call.fuel) = (session, nanoseconds, fuel);
        match said {
            Said::Ready | Said::Close(_, Err(_)) => {}
            Said::Open(id, said) => self.opened_elsewhere(snapshot, id, by, said),
            Said::Message { session, direction, sequence, hops, said } => {
                self.judged_elsewhere(snapshot, (session, direction, sequence), link, hops, said);
            }
            Said::Close(id, Ok(())) => self.apply_effects_of(by, Some(id), 1),
            Said::Timer(said) => {
                self.offloads.ticking.remove(&by);
                if said.is_ok() {
                    self.apply_effects_of(by, None, 1);
                }
            }
        }
        self.call.effects.clear();
    }

    fn judged_elsewhere(
        &mut self,
        snapshot: &Snapshot,
        (id, direction, sequence): (SessionId, Direction, u64),
        link: Link,
        hops: u8,
        said: Result<Verdict, Failure>,
    ) {
        let by = link.id();
        let front = self.line(id, direction).and_then(|line| line.messages.front());
        let waits = front.is_some_and(|front| {
            let kept = front.kept.as_deref().filter(|kept| kept.ticket.is_some() && kept.by == by);
            kept.is_some() && front.parcel.sequence == sequence
        });
        let waiting = if waits { self.step_forward(id, direction) } else { None };
        let Some(Waiting { parcel, kept: Some(kept) }) = waiting else {
            // Its session ended meanwhile, and the message has its fate. The call was made all the same.
            if let Ok(verdict) = &said {
                link.stats[usize::from(self.seat.worker.0)].verdict(verdict);
                self.apply_effects_of(by, Some(id), hops + 1);
            }
            return;
        };
        // Below what the message leads to: the next one goes on when this one has arrived.
        self.tasks.push(Task::WorkOff { session: id, direction });
        let chain = &snapshot.listeners[self.listener_of(id)].chain;
        let progress = chain.resume(direction, &kept.chain, kept.progress);
        let message = parcel.open();
        self.tap_meet(&message, &link, &said);
        let on_failure = kept.on_failure;
        match said {
            Ok(verdict) => {
                let holds = matches!(verdict, Verdict::Hold(_));
                let judged = Judged { verdict, by: Judge { progress, id: by, on_failure } };
                if holds {
                    // Another generation may serve by now, and be the one to say what becomes of it.
                    self.tasks.push(Task::OfferAnew { session: id });
                }
                // The effects come first, then the message goes on.
                let (parcel, link) = (Parcel::pack(message), Box::new(link));
                self.tasks.push(Task::ConcludeElsewhere { parcel, judged, route: kept.route, link });
                self.apply_effects_of(by, Some(id), hops + 1);
            }
            Err(_) if on_failure == OnFailure::Open => {
                self.walk_on(snapshot, message, progress, kept.route);
            }
            Err(_) => self.fail(snapshot, &message, on_failure, DropReason::PluginFailed),
        }
    }

    /// The longest time is over for which a message waits for its call to begin.
    pub(crate) fn overdue(&mut self, snapshot: &Snapshot, id: SessionId, direction: Direction) {
        let Some(kept) =
            self.line(id, direction).and_then(|line| line.messages.front_mut()?.kept.as_deref_mut())
        else {
            return;
        };
        if !kept.ticket.as_ref().is_some_and(Ticket::call_off) {
            // It is asked about at this moment: the call's own deadline ends that.
            kept.until = Time::NEVER;
            return;
        }
        let Some(Waiting { parcel, kept: Some(kept) }) = self.step_forward(id, direction) else { return };
        self.tasks.push(Task::WorkOff { session: id, direction });
        let message = parcel.open();
        self.call.session = None;
        self.call.nanoseconds = 0;
        let failure = self.waited_too_long(snapshot, kept.by);
        if let Some(link) = snapshot.link_of(kept.by) {
            self.tap_meet(&message, link, &Err(failure));
        }
        let chain = &snapshot.listeners[self.listener_of(id)].chain;
        match kept.on_failure {
            OnFailure::Open => {
                let progress = chain.resume(direction, &kept.chain, kept.progress);
                self.walk_on(snapshot, message, progress, kept.route);
            }
            on_failure => self.fail(snapshot, &message, on_failure, DropReason::PluginFailed),
        }
    }

    fn waited_too_long(&self, snapshot: &Snapshot, by: GenerationId) -> Failure {
        let cause = FailureCause::QueueWait;
        if let Some(link) = snapshot.link_of(by) {
            link.stats[usize::from(self.seat.worker.0)].failure(cause).add(1);
        }
        Failure { cause, detail: "its threads did not come to it in time".into() }
    }

    /// Whether the session waits to be accepted.
    pub(crate) fn is_gated(&self, id: ConnId) -> bool {
        self.conns.get(id).and_then(Conn::session).is_some_and(|session| session.gate().is_some())
    }

    fn opened_elsewhere(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        by: GenerationId,
        said: Result<Result<(), Rejection>, Failure>,
    ) {
        let Some(gate) = self.take_gate(id, by) else {
            // Its session ended meanwhile. The call was made all the same.
            if said.is_ok() {
                self.apply_effects_of(by, Some(id), 1);
            }
            return;
        };
        self.tap_told(id, &gate.link, &said);
        match said {
            Ok(Ok(())) => {
                self.apply_effects_of(by, Some(id), 1);
                self.run(snapshot);
            }
            Ok(Err(rejection)) => {
                gate.link.stats[usize::from(self.seat.worker.0)].refused.add(1);
                // What came meanwhile is for nobody; what it says to the client it refuses has to go out before the end.
                self.drop_held(id);
                self.apply_effects_of(by, Some(id), 1);
                self.run(snapshot);
                self.reject(snapshot, id, &rejection);
                return;
            }
            Err(_) if gate.link.on_failure == OnFailure::Open => {}
            Err(_) => {
                self.close(snapshot, id, CloseReason::PluginFailed);
                return;
            }
        }
        self.follow_chain(snapshot, id);
        self.tell_open(snapshot, id, &gate.info);
        self.lift_gate(snapshot, id);
    }

    fn take_gate(&mut self, id: SessionId, by: GenerationId) -> Option<Box<Gate>> {
        let line = self.line(id, Direction::Inbound)?;
        if line.gate.as_ref().is_some_and(|gate| gate.link.id() == by) { line.gate.take() } else { None }
    }

    /// The chain may have changed while the session waited: those that were told are remembered, and behind them those that are to be.
    fn follow_chain(&mut self, snapshot: &Snapshot, id: SessionId) {
        let chain = snapshot.listeners[self.listener_of(id)].chain.bindings().clone();
        let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) else { return };
        let told = &session.chain[..usize::from(session.told)];
        let new = chain.iter().filter(|binding| !told.contains(binding));
        session.chain = Arc::new(told.iter().chain(new).copied().collect());
    }

    /// A session that waits to be accepted has come back to another listener, whose plugins learn of it when it is: false. True: it
    /// does not wait.
    pub(crate) fn may_be_told(&mut self, id: SessionId, info: &SessionInfo) -> bool {
        let Some(gate) = self.line(id, Direction::Inbound).and_then(|line| line.gate.as_mut()) else {
            return true;
        };
        gate.info = Arc::new(info.clone());
        false
    }

    /// A session ends that perhaps waits to be accepted. Gives whom that was asked, and whether that has begun: then it is to learn of the
    /// end, behind the opening; else it never learns of the session.
    pub(crate) fn leave_gate(&mut self, id: SessionId) -> Option<(Link, bool)> {
        let gate = self.line(id, Direction::Inbound)?.gate.take()?;
        let begun = !gate.ticket.call_off();
        Some((gate.link, begun))
    }

    /// Everybody has accepted the session, unless there is another gate: what waited goes on.
    fn lift_gate(&mut self, snapshot: &Snapshot, id: SessionId) {
        if self.is_gated(id) {
            return;
        }
        self.begin_upstream(snapshot, id);
        for direction in [Direction::Inbound, Direction::Outbound] {
            self.work_off(snapshot, id, direction);
            self.run(snapshot);
        }
        self.arm(snapshot, id);
    }

    /// A session that is accepted has its connection to its listener's cluster.
    pub(crate) fn begin_upstream(&mut self, snapshot: &Snapshot, id: SessionId) {
        let policy = snapshot.listeners.get(self.listener_of(id));
        if let Some(Route::Cluster(cluster)) = policy.map(|policy| &policy.route)
            && self.conns.get(id).is_some_and(|conn| conn.phase.takes_messages())
            && !self.is_gated(id)
        {
            self.upstream(snapshot, id, *cluster);
        }
    }

    /// The longest time is over for which a session waits for the call that may refuse it.
    pub(crate) fn gate_overdue(&mut self, snapshot: &Snapshot, id: SessionId) {
        let Some(gate) = self.line(id, Direction::Inbound).and_then(|line| line.gate.as_mut()) else {
            return;
        };
        if !gate.ticket.call_off() {
            gate.until = Time::NEVER;
            return;
        }
        let by = gate.link.id();
        let failure = self.waited_too_long(snapshot, by);
        self.call.session = None;
        self.call.nanoseconds = 0;
        self.opened_elsewhere(snapshot, id, by, Err(failure));
    }

    /// Whether a session that is to end in order waits for an answer that comes by itself: then it ends after that.
    pub(crate) fn drains_later(&mut self, id: ConnId) -> bool {
        let Some(session) = self.conns.get(id).and_then(Conn::session) else { return false };
        let asked = |line: &Held| {
            let front = line.messages.front().and_then(|front| front.kept.as_deref());
            line.gate.is_some() || front.is_some_and(|kept| kept.ticket.is_some())
        };
        let waits = session.held.iter().flatten().any(|line| asked(line));
        if waits {
            self.offloads.draining.insert(id);
        }
        waits
    }

    /// A session's line is worked off: it ends now if it is to be drained.
    pub(crate) fn drain_answered(&mut self, snapshot: &Snapshot, id: ConnId) {
        if !self.offloads.draining.is_empty() && self.offloads.draining.remove(&id) {
            self.drain_one(snapshot, id);
        }
    }
}
