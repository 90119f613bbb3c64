//! Where messages pass whoever looks on. Without a tap each of these costs a look at an empty field.

use super::{State, Worker};
use crate::ListenerId;
use crate::conn::{Conn, Parcel};
use crate::id::{ConnId, GenerationId, SessionId};
use crate::message::{Direction, Kind, Message, Payload};
use crate::program::{Failure, SessionInfo};
use crate::reason::DropReason;
use crate::snapshot::{Link, Route, Snapshot};
use crate::tap::{Depth, Fate, Glimpse, MAX_OPEN, Meeting, Record, Tap, apart};
use crate::verdict::{Forwarding, Rejection, Target, Verdict};
use bytes::Bytes;
use std::collections::HashMap;

/// A tap, and the records of messages that have not met their fates.
#[derive(Debug)]
pub(crate) struct Tapped {
    tap: Box<dyn Tap>,
    open: HashMap<Key, (Record, Depth)>,
    /// See [`Record::order`].
    order: u64,
}

impl Tapped {
    fn next(&mut self) -> u64 {
        self.order += 1;
        self.order
    }
}

/// Which message: session, direction, number.
type Key = (SessionId, Direction, u64);

impl Worker {
    /// Has messages looked at from now on, or no longer. The one before is dropped, with the records of messages still under way.
    pub fn tap(&mut self, tap: Option<Box<dyn Tap>>) {
        self.state.tap = tap.map(|tap| Box::new(Tapped { tap, open: HashMap::new(), order: 0 }));
    }
}

/// Where an inbound message is to go, if anywhere.
#[derive(Debug)]
pub(crate) struct Heading(Option<Target>);

impl State {
    /// A message is about to meet its chain, or to be dropped before.
    #[inline]
    pub(crate) fn tap_begin(&mut self, message: &Message<'_>) {
        if self.tap.is_some() {
            self.begin_record(message);
        }
    }

    /// A plugin was called, and its effects are still in the call's hand.
    #[inline]
    pub(crate) fn tap_meet(&mut self, message: &Message<'_>, link: &Link, answer: &Result<Verdict, Failure>) {
        if self.tap.is_some() {
            self.add_meeting(message, link, answer);
        }
    }

    /// A held message is released.
    pub(crate) fn tap_release(
        &mut self,
        snapshot: &Snapshot,
        parcel: &Parcel,
        by: GenerationId,
        verdict: &Verdict,
    ) {
        let Some(tapped) = &mut self.tap else { return };
        let Some(link) = snapshot.link(by.binding) else { return };
        let key = (parcel.session, parcel.direction, parcel.sequence);
        let Some((record, depth)) = tapped.open.get_mut(&key) else { return };
        let (verdict, changed) = apart(verdict, *depth);
        tapped.order += 1;
        let meeting = Meeting::new(link, (self.now, tapped.order), Ok(verdict));
        // Who held it, though another serves by now.
        record.meetings.push(Meeting { changed, released: true, generation: by.generation, ..meeting });
    }

    /// Where an inbound message is to go, for [`State::tap_routed`] when it has gone; `None`: nobody looks.
    #[inline]
    pub(crate) fn tap_target(
        &self,
        snapshot: &Snapshot,
        listener: usize,
        route: Option<&Target>,
    ) -> Option<Heading> {
        self.tap.as_ref()?;
        let target = route.cloned().or_else(|| match &snapshot.listeners[listener].route {
            Route::Echo => Some(Target::Echo),
            Route::Group(group) => Some(Target::Group(group.clone())),
            Route::Cluster(cluster) => {
                Some(Target::Cluster(snapshot.clusters.get(cluster.index())?.name.clone()))
            }
            Route::Drop => None,
        });
        Some(Heading(target))
    }

    /// A message was sent on, or not.
    pub(crate) fn tap_routed(
        &mut self,
        session: SessionId,
        sequence: u64,
        Heading(to): Heading,
        dropped: Option<DropReason>,
    ) {
        let fate = match (dropped, to) {
            (Some(reason), _) => Fate::Dropped(reason),
            (None, Some(to)) => Fate::Routed(to),
            (None, None) => Fate::Dropped(DropReason::RouteDrop),
        };
        self.end_record((session, Direction::Inbound, sequence), fate);
    }

    /// An outbound message is with its client's queue, if nothing was said of it before.
    #[inline]
    pub(crate) fn tap_queued(&mut self, session: SessionId, sequence: u64) {
        if self.tap.is_some() {
            self.end_record((session, Direction::Outbound, sequence), Fate::Queued);
        }
    }

    /// A message whose frame its receivers share was queued for one of them, or not.
    #[inline]
    pub(crate) fn tap_frame(
        &mut self,
        session: SessionId,
        sequence: u64,
        (kind, payload): (Kind, &Bytes),
        placed: Result<(), DropReason>,
    ) {
        if self.tap.is_some() {
            let (direction, payload) = (Direction::Outbound, Payload::Owned(payload.clone()));
            let whole =
                Message { session, sequence, direction, kind, payload, lane: None, hops: 0, pressed: false };
            self.begin_record(&whole);
            let fate = placed.map_or_else(Fate::Dropped, |()| Fate::Queued);
            self.end_record((session, direction, sequence), fate);
        }
    }

    /// A message goes no further.
    #[inline]
    pub(crate) fn tap_dropped(&mut self, message: &Message<'_>, reason: DropReason) {
        if self.tap.is_some() {
            let key = (message.session, message.direction, message.sequence);
            self.end_record(key, Fate::Dropped(reason));
        }
    }

    /// The plugins of a chain are about to learn of a session.
    pub(crate) fn tap_opened(&mut self, listener: ListenerId, session: &SessionInfo) {
        if let Some(tapped) = &mut self.tap {
            let order = tapped.next();
            tapped.tap.opened(self.now, order, listener, session);
        }
    }

    /// One of them has learnt it, and its effects are still in the call's hand.
    pub(crate) fn tap_told(
        &mut self,
        id: SessionId,
        link: &Link,
        answer: &Result<Result<(), Rejection>, Failure>,
    ) {
        if self.tap.is_none() {
            return;
        }
        let Some(listener) = self.conns.get(id).and_then(Conn::session).map(|session| session.listener)
        else {
            return;
        };
        let Some(tapped) = &mut self.tap else { return };
        let answer = match answer {
            Ok(Ok(())) => Ok(Verdict::Forward(Forwarding::default())),
            Ok(Err(said)) => Ok(Verdict::Close(said.clone())),
            Err(failure) => Err(failure.cause),
        };
        let order = tapped.next();
        let meeting = Meeting {
            effects: self.call.effects.clone(),
            attributes: self.call.session.as_ref().map(|(_, attributes)| attributes.clone()),
            nanoseconds: self.call.nanoseconds,
            ..Meeting::new(link, (self.now, order), answer)
        };
        tapped.tap.told(listener, id, meeting);
    }

    /// They are about to learn that it ended.
    pub(crate) fn tap_ended(&mut self, listener: ListenerId, session: SessionId, said: &Rejection) {
        if let Some(tapped) = &mut self.tap {
            let order = tapped.next();
            tapped.tap.ended(self.now, order, listener, session, said);
        }
    }

    #[cold]
    fn begin_record(&mut self, message: &Message<'_>) {
        let Some(session) = self.conns.get(message.session).and_then(Conn::session) else { return };
        let Some(tapped) = &mut self.tap else { return };
        let key = (message.session, message.direction, message.sequence);
        let listener = session.listener;
        let glimpse = Glimpse { listener, message, peer: &session.origin.peer, groups: &session.groups };
        let Some(depth) = tapped.tap.wants(&glimpse) else { return };
        if tapped.open.len() >= MAX_OPEN {
            tapped.tap.missed();
            return;
        }
        let moment = (self.now, tapped.next());
        let record = Record::begin(moment, self.seat.worker, listener, message, depth);
        tapped.open.insert(key, (record, depth));
    }

    #[cold]
    fn add_meeting(&mut self, message: &Message<'_>, link: &Link, answer: &Result<Verdict, Failure>) {
        let Some(tapped) = &mut self.tap else { return };
        let key = (message.session, message.direction, message.sequence);
        let Some((record, depth)) = tapped.open.get_mut(&key) else { return };
        let (answer, changed) = match answer {
            Ok(verdict) => {
                let (verdict, changed) = apart(verdict, *depth);
                (Ok(verdict), changed)
            }
            Err(failure) => (Err(failure.cause), None),
        };
        let call = &self.call;
        tapped.order += 1;
        record.meetings.push(Meeting {
            changed,
            nanoseconds: call.nanoseconds,
            effects: if depth.effects { call.effects.clone() } else { Vec::new() },
            attributes: call
                .session
                .as_ref()
                .filter(|_| depth.effects)
                .map(|(_, attributes)| attributes.clone()),
            ..Meeting::new(link, (self.now, tapped.order), answer)
        });
    }

    #[cold]
    fn end_record(&mut self, key: (ConnId, Direction, u64), fate: Fate) {
        let Some(tapped) = &mut self.tap else { return };
        if let Some((mut record, _)) = tapped.open.remove(&key) {
            record.fate = fate;
            // It may have gone with its session to another listener while it was held.
            if let Some(session) = self.conns.get(key.0).and_then(Conn::session) {
                record.listener = session.listener;
            }
            tapped.tap.take(record);
        }
    }
}
