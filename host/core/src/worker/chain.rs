//! A message meets its chain.

use super::{Answer, Judge, Judged, State, Task};
use crate::conn::Parcel;
use crate::id::ConnId;
use crate::message::{Direction, Kind, Message, Payload};
use crate::program::FailureCause;
use crate::reason::{CloseReason, DropReason};
use crate::roster::Entry;
use crate::snapshot::{Link, OnFailure, Progress, Snapshot};
use crate::verdict::{Forwarding, Target, Verdict};
use crate::when::When;

/// What is left of a message after a verdict.
enum After<'a> {
    GoesOn(Message<'a>, Option<Target>),
    Gone,
}

impl State {
    /// Takes a message through what is left of its chain, and on to where it goes.
    pub(crate) fn walk(
        &mut self,
        snapshot: &Snapshot,
        mut message: Message<'_>,
        mut progress: Progress,
        mut route: Option<Target>,
    ) {
        let listener = self.listener_of(message.session);
        let chain = &snapshot.listeners[listener].chain;
        while let Some((at, link)) = chain.next(message.direction, progress.passed) {
            if !progress.meet(at, link) {
                continue;
            }
            let known = self.foreseen(link, &message).filter(|_| self.roster.stands_by(link, self.now));
            let answer = match known {
                Some(Answer::Skipped) => {
                    link.stats[usize::from(self.seat.worker.0)].skipped.add(1);
                    continue;
                }
                Some(Answer::Known(verdict, nanoseconds)) => {
                    self.call.nanoseconds = nanoseconds;
                    self.roster.used(link, &self.seat, self.now, &verdict);
                    Ok(verdict)
                }
                None => {
                    if link.program.when().is_some_and(|when| !self.is_for(snapshot, when, &message)) {
                        link.stats[usize::from(self.seat.worker.0)].skipped.add(1);
                        continue;
                    }
                    let Some(attributes) = self.attributes(snapshot, message.session) else { break };
                    self.call.session = Some((message.session, attributes));
                    let answer = self.roster.call(
                        link,
                        Entry::Message,
                        &self.seat,
                        self.now,
                        &mut self.call,
                        |instance, call| instance.message(&message, call),
                    );
                    self.in_plugins += self.call.nanoseconds;
                    answer
                }
            };
            let verdict = match answer {
                Ok(verdict) => {
                    let stats = &link.stats[usize::from(self.seat.worker.0)];
                    stats.latency.record(self.call.nanoseconds);
                    verdict
                }
                Err(_) => match link.on_failure {
                    OnFailure::Open => continue,
                    on_failure => {
                        self.fail(snapshot, &message, on_failure, DropReason::PluginFailed);
                        return;
                    }
                },
            };
            let by = Judge { progress: progress.clone(), binding: link.binding, on_failure: link.on_failure };
            let judged = Judged { verdict, by };
            if !self.call.effects.is_empty() {
                // The effects come first, then the message goes on.
                let (session, hops) = (message.session, message.hops);
                self.tasks.push(Task::Conclude { parcel: Parcel::pack(message), judged, route });
                self.apply_effects(link, Some(session), hops + 1);
                return;
            }
            match self.judge(snapshot, Some(link), message, judged, route) {
                After::GoesOn(on, to) => (message, route) = (on, to),
                After::Gone => return,
            }
        }
        match message.direction {
            Direction::Inbound => self.route(snapshot, message, route),
            Direction::Outbound => self.enqueue(snapshot, &message),
        }
    }

    /// Whether a link with this filter is called for a message.
    pub(crate) fn is_for(&mut self, snapshot: &Snapshot, when: &When, message: &Message<'_>) -> bool {
        let listener = &snapshot.listeners[self.listener_of(message.session)].name;
        when.matches(message, listener, || self.attributes(snapshot, message.session))
    }

    /// A message whose verdict waited for the effects that came with it, or for a release.
    pub(crate) fn conclude(
        &mut self,
        snapshot: &Snapshot,
        parcel: Parcel,
        judged: Judged,
        route: Option<Target>,
    ) {
        let open = self.conns.get(parcel.session).is_some_and(|conn| conn.phase.takes_output());
        if !open {
            // The effects ended its own session; a verdict of its own to do so comes to the same.
            self.drop_message(&parcel.open(), DropReason::SessionEnded);
            return;
        }
        let Judge { progress, binding, .. } = judged.by.clone();
        let chain = &snapshot.listeners[self.listener_of(parcel.session)].chain;
        let link = chain.links().iter().find(|link| link.binding == binding);
        if let After::GoesOn(message, route) = self.judge(snapshot, link, parcel.open(), judged, route) {
            self.walk(snapshot, message, progress, route);
        }
    }

    fn judge<'a>(
        &mut self,
        snapshot: &Snapshot,
        link: Option<&Link>,
        mut message: Message<'a>,
        judged: Judged,
        mut route: Option<Target>,
    ) -> After<'a> {
        let by = judged.by;
        let stats = link.map(|link| &link.stats[usize::from(self.seat.worker.0)]);
        match judged.verdict {
            Verdict::Forward(Forwarding { payload: Some(payload), .. })
                if message.kind == Kind::Text && std::str::from_utf8(&payload).is_err() =>
            {
                // Text stays UTF-8. Whoever releases a held message need not know its kind, so it is checked where it is known.
                if let Some(stats) = stats {
                    stats.failure(FailureCause::Answer).add(1);
                }
                if by.on_failure == OnFailure::Open {
                    return After::GoesOn(message, route);
                }
                self.fail(snapshot, &message, by.on_failure, DropReason::PluginFailed);
            }
            Verdict::Forward(forwarding) => {
                if let Some(stats) = stats {
                    let changed = forwarding.payload.is_some() || forwarding.route.is_some();
                    if changed { &stats.changed } else { &stats.forwarded }.add(1);
                }
                if let Some(payload) = forwarding.payload {
                    message.payload = Payload::Owned(payload);
                }
                match (forwarding.route, message.direction) {
                    (Some(to), Direction::Inbound) => route = Some(to),
                    // It is at its receiver already.
                    (Some(_), Direction::Outbound) => {
                        if let Some(stats) = stats {
                            stats.refused_effects.add(1);
                        }
                    }
                    (None, _) => {}
                }
                return After::GoesOn(message, route);
            }
            Verdict::Drop(_) => {
                if let Some(stats) = stats {
                    stats.dropped.add(1);
                }
                self.drop_message(&message, DropReason::Plugin);
            }
            Verdict::Close(said) => {
                if let Some(stats) = stats {
                    stats.closed.add(1);
                }
                self.drop_message(&message, DropReason::SessionRejected);
                self.reject(snapshot, message.session, &said);
            }
            Verdict::Hold(milliseconds) => {
                if let Some(stats) = stats {
                    stats.held.add(1);
                }
                self.hold(snapshot, Parcel::pack(message), by, route, milliseconds);
            }
        }
        After::Gone
    }

    /// A plugin gave no answer about a message, and it does not fail open.
    pub(crate) fn fail(
        &mut self,
        snapshot: &Snapshot,
        message: &Message<'_>,
        on_failure: OnFailure,
        reason: DropReason,
    ) {
        if on_failure == OnFailure::Close {
            self.drop_message(message, DropReason::SessionRejected);
            self.close(snapshot, message.session, CloseReason::PluginFailed);
        } else {
            self.drop_message(message, reason);
        }
    }

    /// Counts the fate of a message that goes no further.
    pub(crate) fn drop_message(&mut self, message: &Message<'_>, reason: DropReason) {
        let stats = &self.stats.listeners[self.listener_of(message.session)];
        match message.direction {
            Direction::Inbound => stats.inbound.dropped.of(reason).add(1),
            Direction::Outbound => stats.outbound.dropped.of(reason).add(1),
        }
    }

    /// The listener of a session that is there; else the place of those that are not.
    pub(crate) fn listener_of(&self, session: ConnId) -> usize {
        let session = self.conns.get(session).and_then(|conn| conn.session());
        session.map_or(self.stats.listeners.len() - 1, |session| session.listener.index())
    }
}
