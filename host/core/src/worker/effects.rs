//! What plugins ask for beside their verdicts.

use super::{State, Task};
use crate::MAX_HOPS;
use crate::attribute::{Attributes, MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTE_VALUE, MAX_ATTRIBUTES};
use crate::conn::Conn;
use crate::id::{BindingId, GenerationId, SessionId, WorkerId};
use crate::mail::Letter;
use crate::pulse::Health;
use crate::reason::DropReason;
use crate::snapshot::{Link, Snapshot};
use crate::verdict::Effect;
use std::sync::Arc;

/// Deliveries of what plugins sent about what plugins sent, in one call from outside: without a limit a plugin that answers each
/// delivery to a group with a message to that group would cost the size of the group to the power of the hops.
const OFFSPRING: usize = 16 * 1024;

impl State {
    /// Applies what the call that has just returned asked for. It is left on the stack of tasks, to be done in the order in which it
    /// was asked for and before anything that was there.
    pub(crate) fn apply_effects(&mut self, link: &Link, in_hand: Option<SessionId>, hops: u8) {
        let by = link.id();
        let mut effects = std::mem::take(&mut self.call.effects);
        // The stack is worked off from its top.
        self.tasks.extend(effects.drain(..).rev().map(|effect| match effect {
            Effect::Send { to, kind, payload } => Task::Send { to, in_hand, kind, payload, hops },
            effect => Task::Wish { by, effect },
        }));
        self.call.effects = effects;
    }

    /// A wish about a session of this worker or another, or about the binding's timer. One that cannot be is counted.
    pub(crate) fn wish(&mut self, snapshot: &Snapshot, by: GenerationId, effect: Effect) {
        let owner = match &effect {
            Effect::Release { session, .. }
            | Effect::Join { session, .. }
            | Effect::Leave { session, .. }
            | Effect::SetAttribute { session, .. } => session.worker(),
            Effect::Every { .. } => self.timer_owner(by.binding),
            Effect::Send { .. } => self.seat.worker,
        };
        let done = if owner == self.seat.worker {
            self.grant(snapshot, by, effect)
        } else {
            self.post(owner, Letter::Effect { by, effect })
        };
        if !done && let Some(link) = snapshot.link_of(by) {
            link.stats[usize::from(self.seat.worker.0)].refused_effects.add(1);
        }
    }

    /// False: it cannot be.
    fn grant(&mut self, snapshot: &Snapshot, by: GenerationId, effect: Effect) -> bool {
        match effect {
            Effect::Join { session, group } => {
                self.groups.join(&mut self.conns, &self.seat.directory, session, &group)
            }
            Effect::Leave { session, group } => {
                self.groups.leave(&mut self.conns, &self.seat.directory, session, &group)
            }
            Effect::SetAttribute { session, name, value } => {
                self.set_attribute(snapshot, session, name, value)
            }
            Effect::Release { session, direction, sequence, verdict } => {
                self.release(snapshot, by.binding, session, direction, sequence, verdict)
            }
            Effect::Every { milliseconds } => {
                self.roster.every(by, milliseconds, self.now);
                true
            }
            Effect::Send { .. } => false,
        }
    }

    /// The one worker that runs a binding's timer.
    pub(crate) fn timer_owner(&self, binding: BindingId) -> WorkerId {
        WorkerId((binding.index() % self.outboxes.len().max(1)) as u8)
    }

    fn set_attribute(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        name: Arc<str>,
        value: Option<Arc<str>>,
    ) -> bool {
        let fits = value.as_ref().is_none_or(|value| value.len() <= MAX_ATTRIBUTE_VALUE)
            && (1..=MAX_ATTRIBUTE_NAME).contains(&name.len());
        // A session that has ended has left the directory: it must not come back there.
        let open = self.conns.get(id).is_some_and(|conn| conn.phase.takes_output());
        if !fits || !open || name.starts_with("weir.") {
            return false;
        }
        let Some(attributes) = self.attributes(snapshot, id) else { return false };
        let mut attributes = (*attributes).clone();
        match value {
            Some(value) => {
                if attributes.len() >= MAX_ATTRIBUTES && !attributes.contains_key(&name) {
                    return false;
                }
                attributes.insert(name, value);
            }
            None => {
                attributes.remove(&name);
            }
        }
        self.publish_attributes(id, Arc::new(attributes));
        true
    }

    /// Plugins see how a session is reached: as `weir.health`, from when it first is not healthy.
    pub(crate) fn show_health(&mut self, snapshot: &Snapshot, id: SessionId, health: Health) {
        let Some(attributes) = self.attributes(snapshot, id) else { return };
        let mut attributes = (*attributes).clone();
        attributes.insert(self.names.health.clone(), health.label().into());
        self.publish_attributes(id, Arc::new(attributes));
    }

    /// The attributes of a session of this worker. They are made when somebody first asks: a session that no plugin meets has none.
    pub(crate) fn attributes(&mut self, snapshot: &Snapshot, id: SessionId) -> Option<Attributes> {
        let session = self.conns.get(id).and_then(Conn::session)?;
        if let Some(attributes) = &session.attributes {
            return Some(attributes.clone());
        }
        let listener = &snapshot.listeners[session.listener.index()].name;
        let own = self.names.attributes(listener, session.transport, &session.origin);
        if self.conns.get(id).is_some_and(|conn| conn.phase.takes_output()) {
            self.publish_attributes(id, own.clone());
        }
        Some(own)
    }

    pub(crate) fn publish_attributes(&mut self, id: SessionId, attributes: Attributes) {
        if let Some(session) = self.conns.get_mut(id).and_then(Conn::session_mut) {
            session.attributes = Some(attributes.clone());
            self.seat.directory.publish_attributes(id, attributes);
        }
    }

    /// A message that a plugin sends by itself.
    pub(crate) fn send(
        &mut self,
        snapshot: &Snapshot,
        to: &crate::Target,
        in_hand: Option<SessionId>,
        kind: crate::Kind,
        payload: &bytes::Bytes,
        hops: u8,
    ) {
        self.stats.sends.received.add(1);
        self.stats.sends.received_bytes.add(payload.len() as u64);
        self.bear(hops, 1);
        let outcome = if hops > MAX_HOPS || self.offspring > OFFSPRING {
            Err(DropReason::TooManyHops)
        } else if kind == crate::Kind::Text && std::str::from_utf8(payload).is_err() {
            Err(DropReason::Unframeable)
        } else {
            self.direct(snapshot, to, in_hand, kind, payload, hops)
        };
        match outcome {
            Ok(kind) => self.stats.sends.routed[kind as usize].add(1),
            Err(reason) => self.stats.sends.dropped.of(reason).add(1),
        }
    }

    /// Counts deliveries that a delivery led to; see [`OFFSPRING`].
    pub(crate) fn bear(&mut self, hops: u8, deliveries: usize) {
        if hops > 1 {
            self.offspring += deliveries;
        }
    }
}
