//! Letters between workers, and the ledger that proves that none is lost.

use super::{State, Worker};
use crate::conn::Pauses;
use crate::id::WorkerId;
use crate::mail::{Letter, Mail, Outbox, Post};
use crate::reason::DropReason;

impl Worker {
    /// Letters for another worker, if there are any; in order. Say [`Worker::posted`] when they are in its mailbox.
    pub fn mail(&mut self, to: WorkerId) -> Option<Post> {
        let outbox = self.state.outboxes.get_mut(usize::from(to.0))?;
        if outbox.letters.is_empty() {
            return None;
        }
        Some(Post { to, letters: outbox.take() })
    }

    /// So many letters are in the mailbox of their worker: who waited for room reads on.
    pub fn posted(&mut self, to: WorkerId, letters: usize) {
        let state = &mut self.state;
        let Some(outbox) = state.outboxes.get_mut(usize::from(to.0)) else { return };
        outbox.posted(letters);
        if outbox.fill() >= Outbox::FULL / 2 {
            return;
        }
        for id in std::mem::take(&mut outbox.waiting) {
            if !state.outboxes.iter().any(|outbox| outbox.waiting.contains(&id)) {
                state.unpause(&self.snapshot, id, Pauses::MAILBOX);
            }
        }
    }

    /// Letters from another worker, in the order in which they were written.
    pub fn deliver(&mut self, letters: impl IntoIterator<Item = Mail>) {
        for Mail(letter) in letters {
            match letter {
                Letter::Publish { group, kind, payload, hops } => {
                    if self.state.groups.presence(&group).is_none() {
                        // The last member here left while the letter was on its way.
                        let nobody = self.state.stats.nobody();
                        nobody.offered.add(1);
                        nobody.dropped.of(DropReason::EmptyGroup).add(1);
                    }
                    self.state.publish_here(&self.snapshot, &group, kind, &payload, hops);
                }
                Letter::Deliver { session, kind, payload, hops } => {
                    let payload = crate::Payload::Owned(payload);
                    self.state.offer(&self.snapshot, session, kind, payload, None, hops, false);
                }
                Letter::Effect { by, effect } => self.state.wish(&self.snapshot, by, effect),
            }
            self.state.run(&self.snapshot);
        }
    }
}

impl State {
    /// Writes a letter. False: that worker takes no more, or there is none of that number.
    pub(crate) fn post(&mut self, to: WorkerId, letter: Letter) -> bool {
        self.outboxes.get_mut(usize::from(to.0)).is_some_and(|outbox| outbox.write(letter))
    }

    /// Whether every message that this worker accepted has exactly one fate, or is still on its way.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_ledger(&self) {
        let stats = &self.stats;
        let mut waiting = vec![0; stats.listeners.len()];
        let mut away = vec![0; stats.listeners.len()];
        let mut upstream = vec![0; stats.clusters.len()];
        for conn in self.conns.iter() {
            let mut messages = conn.queue.as_ref().map_or(0, |queue| queue.messages()) as u64;
            if let Some(resume) = conn.session().and_then(|session| session.resume.as_ref()) {
                // What is written again is settled already, and what waits for a client that is away is in no queue.
                messages = resume.unsettled();
                if conn.phase == crate::Phase::ExpectReturn {
                    away[conn.session().map_or(0, |session| session.listener.index())] += messages;
                }
            }
            match &conn.role {
                crate::conn::Role::Session(session) => waiting[session.listener.index()] += messages,
                crate::conn::Role::Upstream(to) => upstream[to.cluster.index()] += messages,
            }
        }
        for (listener, waiting) in stats.listeners.iter().zip(waiting) {
            let inbound = &listener.inbound;
            assert_eq!(
                inbound.received.value(),
                inbound.routed_total() + inbound.dropped.total() + inbound.held.value(),
                "every message received has one fate"
            );
            let outbound = &listener.outbound;
            assert_eq!(
                outbound.offered.value(),
                outbound.delivered.value()
                    + outbound.dropped.total()
                    + waiting
                    + listener.outbound_held.value(),
                "every message offered to a client has one fate"
            );
        }
        for (listener, away) in stats.listeners.iter().zip(away) {
            assert_eq!(listener.resume.waiting.value(), away, "messages wait with sessions that are away");
        }
        for (cluster, waiting) in stats.clusters.iter().zip(upstream) {
            let delivery = &cluster.delivery;
            assert_eq!(
                delivery.offered.value(),
                delivery.delivered.value() + delivery.dropped.total() + waiting,
                "every message offered to a cluster has one fate"
            );
        }
        assert_eq!(
            stats.sends.received.value(),
            stats.sends.routed_total() + stats.sends.dropped.total(),
            "every message that a plugin sent has one fate"
        );
    }
}
