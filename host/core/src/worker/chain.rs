//! A message meets its chain.

use super::{Answer, Judge, Judged, State, Task};
use crate::conn::{Conn, Parcel};
use crate::id::ConnId;
use crate::lineup::{Era, Who};
use crate::message::{Direction, Kind, Message, Payload};
use crate::program::FailureCause;
use crate::reason::{CloseReason, DropReason};
use crate::roster::Entry;
use crate::snapshot::{Link, OnFailure, Progress, Snapshot};
use crate::verdict::{Target, Verdict};
use crate::when::When;

/// What is left of a message after a verdict.
enum After<'a> {
    GoesOn(Message<'a>, Option<Target>),
    Gone,
}

impl State {
    /// A message that has met nobody yet goes through its chain, and on to where it goes.
    #[inline]
    pub(crate) fn set_out(&mut self, snapshot: &Snapshot, listener: usize, message: Message<'_>) {
        self.tap_begin(&message);
        if snapshot.listeners[listener].chain.wants(message.direction) {
            self.walk_on(snapshot, message, Progress::default(), None);
        } else {
            self.arrive(snapshot, message, None);
        }
    }

    /// Takes a message through what is left of its chain, and on to where it goes.
    pub(crate) fn walk(
        &mut self,
        snapshot: &Snapshot,
        message: Message<'_>,
        progress: Progress,
        route: Option<Target>,
    ) {
        if progress.is_fresh() {
            self.tap_begin(&message);
        }
        self.walk_on(snapshot, message, progress, route);
    }

    /// The same of a message that has met a plugin before, though perhaps that is to be asked again.
    pub(crate) fn walk_on(
        &mut self,
        snapshot: &Snapshot,
        mut message: Message<'_>,
        mut progress: Progress,
        mut route: Option<Target>,
    ) {
        let listener = self.listener_of(message.session);
        let chain = &snapshot.listeners[listener].chain;
        while let Some((at, link)) =
            chain.next(message.direction, progress.passed, || self.who(message.session))
        {
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
                    if self.tap.is_some() {
                        let attributes = self.attributes(snapshot, message.session);
                        self.call.session = attributes.map(|attributes| (message.session, attributes));
                    }
                    self.roster.used(link, &self.seat, self.now, &verdict);
                    Ok(verdict)
                }
                None => {
                    if link.program.when().is_some_and(|when| !self.is_for(snapshot, when, &message)) {
                        link.stats[usize::from(self.seat.worker.0)].skipped.add(1);
                        continue;
                    }
                    let Some(attributes) = self.attributes(snapshot, message.session) else { break };
                    if link.offload.is_some() {
                        let (parcel, progress) = (Parcel::pack(message), progress.clone());
                        match self.ask_elsewhere(snapshot, link, attributes, parcel, progress, route) {
                            Some((on, to)) => (message, route) = (on.open(), to),
                            None => return,
                        }
                        continue;
                    }
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
            self.tap_meet(&message, link, &answer);
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
            if verdict.is_plain() && self.call.effects.is_empty() {
                link.stats[usize::from(self.seat.worker.0)].forwarded.add(1);
                continue;
            }
            let by = Judge { progress: progress.clone(), id: link.id(), on_failure: link.on_failure };
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
        self.arrive(snapshot, message, route);
    }

    /// A message has passed its chain.
    #[inline]
    fn arrive(&mut self, snapshot: &Snapshot, message: Message<'_>, route: Option<Target>) {
        match message.direction {
            Direction::Inbound => self.route(snapshot, message, route),
            Direction::Outbound => {
                self.enqueue(snapshot, &message);
                self.tap_queued(message.session, message.sequence);
            }
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
        let id = judged.by.id;
        let policy = snapshot.listeners.get(self.listener_of(parcel.session));
        let mut links = policy.into_iter().flat_map(|policy| policy.chain.links());
        let link = links.find(|link| link.binding == id.binding).map(|link| link.at(id.generation));
        self.conclude_by(snapshot, link, parcel, judged, route);
    }

    /// The same with the link that judged it, wherever that is now.
    pub(crate) fn conclude_by(
        &mut self,
        snapshot: &Snapshot,
        link: Option<&Link>,
        parcel: Parcel,
        judged: Judged,
        route: Option<Target>,
    ) {
        let open = self.conns.get(parcel.session).is_some_and(|conn| conn.phase.takes_output());
        let progress = judged.by.progress.clone();
        if !open {
            // The effects ended its own session; a verdict of its own to do so comes to the same.
            let dropped = matches!(judged.verdict, Verdict::Drop(_));
            if let Some(link) = link {
                link.stats[usize::from(self.seat.worker.0)].verdict(&judged.verdict);
            }
            let reason = if dropped { DropReason::Plugin } else { DropReason::SessionEnded };
            self.drop_message(&parcel.open(), reason);
            return;
        }
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
        // Text stays UTF-8. Whoever releases a held message need not know its kind, so it is checked where it is known.
        let garbled = message.kind == Kind::Text && judged.verdict.is_garbled_text();
        if let Some(stats) = stats.filter(|_| !garbled) {
            stats.verdict(&judged.verdict);
        }
        match judged.verdict {
            Verdict::Forward(_) if garbled => {
                if let Some(stats) = stats {
                    stats.failure(FailureCause::Answer).add(1);
                    stats.unanswered.add(1);
                }
                if by.on_failure == OnFailure::Open {
                    return After::GoesOn(message, route);
                }
                self.fail(snapshot, &message, by.on_failure, DropReason::PluginFailed);
            }
            Verdict::Forward(forwarding) => {
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
            Verdict::Drop(_) => self.drop_message(&message, DropReason::Plugin),
            Verdict::Close(said) => {
                self.drop_message(&message, DropReason::SessionRejected);
                self.reject(snapshot, message.session, &said);
            }
            Verdict::Hold(_)
                if link.is_some_and(|link| {
                    !self.holdings.has_room(link.binding, message.payload.len(), link.max_held)
                }) =>
            {
                if let Some(stats) = stats {
                    stats.failure(FailureCause::Held).add(1);
                }
                if by.on_failure == OnFailure::Open {
                    return After::GoesOn(message, route);
                }
                self.fail(snapshot, &message, by.on_failure, DropReason::PluginFailed);
            }
            Verdict::Hold(milliseconds) => {
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
        self.tap_dropped(message, reason);
        let stats = &self.stats.listeners[self.listener_of(message.session)];
        match message.direction {
            Direction::Inbound => stats.inbound.dropped.of(reason).add(1),
            Direction::Outbound => stats.outbound.dropped.of(reason).add(1),
        }
    }

    /// What the generations that a session meets depend on.
    pub(crate) fn who(&self, session: ConnId) -> Who {
        let era =
            self.conns.get(session).and_then(Conn::session).map_or(Era::default(), |session| session.era);
        Who { session, era }
    }

    /// The listener of a session that is there; else the place of those that are not.
    pub(crate) fn listener_of(&self, session: ConnId) -> usize {
        let session = self.conns.get(session).and_then(|conn| conn.session());
        session.map_or(self.stats.listeners.len() - 1, |session| session.listener.index())
    }
}
