//! Several messages, one call: plugins are asked for messages that came together before the first of them goes on.
//!
//! What they say is kept until a message comes to the link that it is about, and used there as if the plugin had been asked then. So
//! everything else is as it is for a message alone: its number, its fate, what is counted, and when reading stops. A verdict that turns
//! out not to be needed, because its session ended before, is thrown away.
//!
//! Whether that is the same depends on what the plugin can see. One that takes several asks for no effects and sees none: what it says
//! depends on the messages that it has seen, whose order within a session and direction is kept. Of different directions, or sessions,
//! no order was ever promised.

use super::foresight::{Foreseen, Identity, Stage};
use super::{Answer, Foresight, State, Task, Worker};
use crate::conn::{Conn, Role};
use crate::id::{ConnId, SessionId};
use crate::lineup::Who;
use crate::message::{Direction, Kind, Message, Payload};
use crate::rate::RatePolicy;
use crate::snapshot::{Chain, Link, Route, Snapshot};
use crate::together::Together;
use crate::verdict::{Target, Verdict};
use bytes::Bytes;
use std::collections::VecDeque;
use weir_codec::{heartbeat, session};

/// Bytes that a frame may have beside its payload.
const ROUND_A_PAYLOAD: usize = 16;

impl Worker {
    /// Whether messages of this peer that came together are to be [foreseen](Self::foresee): the first plugin that they meet takes
    /// several at once.
    pub fn takes_several(&self, id: ConnId) -> bool {
        let Some(conn) = self.state.conns.get(id) else { return false };
        let (of, session, direction) = match &conn.role {
            Role::Session(session) => (id, &**session, Direction::Inbound),
            Role::Upstream(upstream) => {
                let session = self.state.conns.get(upstream.session).and_then(Conn::session);
                let Some(session) = session else { return false };
                (upstream.session, session, Direction::Outbound)
            }
        };
        let policy = &self.snapshot.listeners[session.listener.index()];
        if policy.chain.links().is_empty() {
            return false;
        }
        let who = || Who { session: of, era: session.era };
        let echo = || match policy.route {
            Route::Echo => policy.chain.next(Direction::Outbound, 0, who),
            _ => None,
        };
        let first = policy.chain.next(direction, 0, who).or_else(echo);
        first.is_some_and(|(_, link)| link.program.takes_several())
    }

    /// Messages that came together: the plugins that take several at once are asked for all of them. Each is then to be
    /// [received](Self::received), in order, with nothing else in between; whoever stops before the last sets them
    /// [aside](Self::set_aside), and begins here again when it goes on.
    pub fn foresee(&mut self, id: ConnId, together: &mut Together) {
        self.state.foresight.clear();
        if together.foresight.is_empty() {
            self.state.foresee(&self.snapshot, id, together);
        } else {
            std::mem::swap(&mut self.state.foresight, &mut together.foresight);
        }
    }

    /// The messages that are left are to wait, and what is known of them with them.
    pub fn set_aside(&mut self, together: &mut Together) {
        if together.is_empty() {
            self.state.foresight.clear();
        } else {
            std::mem::swap(&mut self.state.foresight, &mut together.foresight);
        }
    }

    /// An empty one, with memory; to be [given back](Self::give_back).
    pub fn together(&mut self) -> Together {
        std::mem::take(&mut self.state.together)
    }

    /// It is needed no more.
    pub fn give_back(&mut self, mut together: Together) {
        together.clear();
        self.state.together = together;
    }
}

impl State {
    /// What a link says of a message, if it has been asked before.
    pub(crate) fn foreseen(&mut self, link: &Link, message: &Message<'_>) -> Option<Answer> {
        if self.foresight.is_empty() && self.fan.is_empty() {
            return None;
        }
        self.foresight.take(link, message).or_else(|| self.fan.take(link, message))
    }

    fn foresee(&mut self, snapshot: &Snapshot, id: ConnId, together: &Together) {
        let Some(conn) = self.conns.get(id).filter(|conn| conn.phase.takes_messages()) else { return };
        if together.len() < 2 {
            return;
        }
        match &conn.role {
            Role::Session(session) => {
                let policy = &snapshot.listeners[session.listener.index()];
                let limits = &policy.limits;
                // What a rate refuses no plugin is to see.
                let refuses = limits.is_rated() && limits.rate_policy != RatePolicy::Pause;
                if refuses || session.held[Direction::Inbound as usize].is_some() {
                    return;
                }
                let resumable = session.resume.is_some();
                let mut sequence = session.sequences[Direction::Inbound as usize];
                // What is said to the gateway itself has no number, and meets no plugin.
                let messages: Vec<_> = together
                    .iter()
                    .filter(|(_, payload)| !(limits.heartbeat && heartbeat::parse(payload).is_some()))
                    .filter(|(_, payload)| !(resumable && session::is_control(payload)))
                    .map(|(kind, payload)| {
                        sequence += 1;
                        ahead(id, sequence, Direction::Inbound, kind, Payload::Borrowed(payload))
                    })
                    .collect();
                let answered = session.held[Direction::Outbound as usize].is_none();
                let sequence = session.sequences[Direction::Outbound as usize];
                let mut stages = std::mem::take(&mut self.foresight);
                let left =
                    self.foresee_chain(snapshot, &policy.chain, Direction::Inbound, messages, &mut stages);
                if answered && policy.chain.has_outbound() {
                    self.foresee_echoes(snapshot, sequence, left, &mut stages);
                }
                self.foresight = stages;
            }
            Role::Upstream(upstream) => {
                let to = upstream.session;
                let open = self.conns.get(to).filter(|conn| conn.phase.takes_output());
                let Some(session) = open.and_then(Conn::session) else { return };
                let direction = Direction::Outbound;
                if session.held[direction as usize].is_some() {
                    return;
                }
                let first = session.sequences[direction as usize] + 1;
                let messages = (first..)
                    .zip(together.iter())
                    .map(|(sequence, (kind, payload))| {
                        ahead(to, sequence, direction, kind, Payload::Borrowed(payload))
                    })
                    .collect();
                let chain = &snapshot.listeners[session.listener.index()].chain;
                let mut stages = std::mem::take(&mut self.foresight);
                self.foresee_chain(snapshot, chain, direction, messages, &mut stages);
                self.foresight = stages;
            }
        }
    }

    /// Those of a session's messages that will go back to it meet its outbound chain; as many as it has room for, so that its reading
    /// does not stop before they are there.
    fn foresee_echoes(
        &mut self,
        snapshot: &Snapshot,
        mut sequence: u64,
        left: Left<'_>,
        stages: &mut Foresight,
    ) {
        let Some(first) = left.messages.first() else { return };
        let id = first.session;
        let policy = &snapshot.listeners[self.listener_of(id)];
        let queued = self.conns.get(id).map_or(0, Conn::queued);
        let mut room = (policy.limits.queue / 2).saturating_sub(queued);
        let mut messages = Vec::with_capacity(left.messages.len());
        for (message, route) in left.messages.into_iter().zip(left.routes) {
            match (route, &policy.route) {
                (Some(Target::Echo), _) | (None, Route::Echo) => {}
                (Some(Target::Cluster(_)), _) | (None, Route::Cluster(_) | Route::Drop) => continue,
                // What comes of it may come here too, and before those behind it.
                (Some(Target::Group(_) | Target::Session(_)), _) | (None, Route::Group(_)) => break,
            }
            let cost = message.payload.len() + ROUND_A_PAYLOAD;
            if cost > room {
                break;
            }
            room -= cost;
            sequence += 1;
            messages.push(Message { sequence, direction: Direction::Outbound, ..message });
        }
        self.foresee_chain(snapshot, &policy.chain, Direction::Outbound, messages, stages);
    }

    /// Before a message to one session, one of a group perhaps, goes out: asks for it and for those that are to go out next.
    pub(crate) fn foresee_offers(&mut self, snapshot: &Snapshot, to: SessionId, kind: Kind, payload: &Bytes) {
        let listener = self.listener_of(to);
        let chain = &snapshot.listeners[listener].chain;
        let first_link = chain.next(Direction::Outbound, 0, || self.who(to)).map(|(_, link)| link);
        let may_ask = first_link
            .is_some_and(|link| link.program.takes_several() && self.roster.takes_several(link, self.now));
        // What is known already is used first.
        if !may_ask || !self.fan.is_used_up() || payload.len() > Together::LONGEST {
            return;
        }
        let Some(first) = self.ahead_of(to, kind, payload) else { return };
        let most = Together::MESSAGES.min(Together::BYTES / payload.len().max(1));
        let mut messages = vec![first];
        for task in self.tasks.iter().rev().take(most - 1) {
            let Task::Offer { session, kind, payload: other, .. } = task else { break };
            // The same bytes are the same message for another member: each has it once, so its number is known.
            if other.as_ptr() != payload.as_ptr() || other.len() != payload.len() {
                break;
            }
            if self.listener_of(*session) == listener {
                messages.extend(self.ahead_of(*session, *kind, payload));
            }
        }
        if messages.len() > 1 {
            let mut stages = std::mem::take(&mut self.fan);
            stages.clear();
            self.foresee_chain(snapshot, chain, Direction::Outbound, messages, &mut stages);
            self.fan = stages;
        }
    }

    fn ahead_of(&self, to: SessionId, kind: Kind, payload: &Bytes) -> Option<Message<'static>> {
        let conn = self.conns.get(to).filter(|conn| conn.phase.takes_output())?;
        let session = conn.session()?;
        if session.held[Direction::Outbound as usize].is_some() {
            return None;
        }
        let sequence = session.sequences[Direction::Outbound as usize] + 1;
        Some(ahead(to, sequence, Direction::Outbound, kind, Payload::Owned(payload.clone())))
    }

    /// Link after link, as far as they take several; each message by the generation that its session meets. What is left behind the
    /// last: of messages that meet one that does not take several, nothing is known any more.
    fn foresee_chain<'a>(
        &mut self,
        snapshot: &Snapshot,
        chain: &Chain,
        direction: Direction,
        messages: Vec<Message<'a>>,
        stages: &mut Foresight,
    ) -> Left<'a> {
        let routes = messages.iter().map(|_| None).collect();
        let mut left = Left { messages, routes };
        for link in chain.along(direction) {
            if left.messages.is_empty() {
                break;
            }
            if link.terms.is_empty() {
                left = self.foresee_link(snapshot, link, direction, left, stages);
                continue;
            }
            // Between sessions there is no order, and a session meets one generation.
            let mut known = Left::default();
            while let Some(first) = left.messages.first() {
                let met = link.met_by(|| self.who(first.session));
                let (these, others) =
                    left.apart(|session| met.generation == link.met_by(|| self.who(session)).generation);
                known.append(self.foresee_link(snapshot, met, direction, these, stages));
                left = others;
            }
            left = known;
        }
        left
    }

    /// The same for one generation of one link.
    fn foresee_link<'a>(
        &mut self,
        snapshot: &Snapshot,
        link: &Link,
        direction: Direction,
        left: Left<'a>,
        stages: &mut Foresight,
    ) -> Left<'a> {
        if !link.directions.contains(direction) {
            return left;
        }
        let changing = link.program.when().is_some_and(crate::When::may_change);
        if changing || !link.program.takes_several() {
            return Left::default();
        }
        let mut stage = Stage { by: link.id(), direction, answers: VecDeque::new() };
        let left = self.ask(snapshot, link, left, &mut stage);
        if !stage.answers.is_empty() {
            stages.0.push(stage);
        }
        left
    }

    /// Asks one link.
    fn ask<'a>(
        &mut self,
        snapshot: &Snapshot,
        link: &Link,
        Left { messages, routes }: Left<'a>,
        stage: &mut Stage,
    ) -> Left<'a> {
        let when = link.program.when();
        let mut wanted = Vec::new();
        if let Some(when) = when {
            wanted.extend(messages.iter().map(|message| self.is_for(snapshot, when, message)));
        }
        if let Some(when) = when
            && !when.looks_inside()
            && !wanted.contains(&true)
        {
            // To look again when each comes costs less than to remember.
            return Left { messages, routes };
        }
        stage.answers.reserve(messages.len());
        let is_wanted = |at: usize| wanted.get(at).copied().unwrap_or(true);
        let mut verdicts = Vec::with_capacity(messages.len());
        let nanoseconds = if wanted.iter().all(|wanted| *wanted) {
            self.roster.foresee(link, &self.seat, self.now, &mut self.call, &messages, &mut verdicts)
        } else {
            let asked: Vec<_> = messages
                .iter()
                .enumerate()
                .filter(|(at, _)| is_wanted(*at))
                .map(|(_, message)| view(message))
                .collect();
            self.roster.foresee(link, &self.seat, self.now, &mut self.call, &asked, &mut verdicts)
        };
        self.in_plugins += nanoseconds;
        let share = nanoseconds / (verdicts.len() as u64).max(1);
        let mut verdicts = verdicts.into_iter();
        let mut left = Left { messages: Vec::with_capacity(messages.len()), routes: Vec::new() };
        let mut closed: Vec<SessionId> = Vec::new();
        for (at, (mut message, mut route)) in messages.into_iter().zip(routes).enumerate() {
            let (session, sequence) = (message.session, message.sequence);
            let payload = Identity::of(&message.payload);
            let answer = if is_wanted(at) {
                // Those behind one that nothing is known of would overtake it.
                let Some(verdict) = verdicts.next() else { break };
                Answer::Known(verdict, share)
            } else {
                Answer::Skipped
            };
            if closed.contains(&session) {
                continue;
            }
            let goes_on = match &answer {
                Answer::Skipped => true,
                Answer::Known(Verdict::Forward(forwarding), _) => {
                    if let Some(payload) = &forwarding.payload {
                        message.payload = Payload::Owned(payload.clone());
                    }
                    if forwarding.route.is_some() {
                        route.clone_from(&forwarding.route);
                    }
                    true
                }
                Answer::Known(Verdict::Close(_), _) => {
                    closed.push(session);
                    false
                }
                Answer::Known(Verdict::Drop(_) | Verdict::Hold(_), _) => false,
            };
            stage.answers.push_back(Foreseen { session, sequence, payload, answer });
            if goes_on {
                left.messages.push(message);
                left.routes.push(route);
            }
        }
        left
    }
}

/// Messages that have come so far in a chain, and where each is to go.
#[derive(Default)]
struct Left<'a> {
    messages: Vec<Message<'a>>,
    routes: Vec<Option<Target>>,
}

impl Left<'_> {
    /// Those of some sessions, and the others, each in order.
    fn apart(self, are: impl Fn(SessionId) -> bool) -> (Self, Self) {
        let (mut these, mut others) = (Self::default(), Self::default());
        for (message, route) in self.messages.into_iter().zip(self.routes) {
            let side = if are(message.session) { &mut these } else { &mut others };
            side.messages.push(message);
            side.routes.push(route);
        }
        (these, others)
    }

    fn append(&mut self, mut others: Self) {
        self.messages.append(&mut others.messages);
        self.routes.append(&mut others.routes);
    }
}

/// A message that is yet to be accepted.
fn ahead(
    session: SessionId,
    sequence: u64,
    direction: Direction,
    kind: Kind,
    payload: Payload<'_>,
) -> Message<'_> {
    Message { session, sequence, direction, kind, payload, lane: None, hops: 0, pressed: false }
}

fn view<'a>(message: &'a Message<'_>) -> Message<'a> {
    let payload = Payload::Borrowed(&message.payload);
    ahead(message.session, message.sequence, message.direction, message.kind, payload)
}
