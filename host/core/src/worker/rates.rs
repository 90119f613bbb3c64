//! Clients that send faster than they may.

use super::State;
use crate::conn::{Conn, Pauses};
use crate::id::ConnId;
use crate::message::Message;
use crate::rate::{RatePolicy, Taken};
use crate::reason::{CloseReason, DropReason};
use crate::snapshot::Snapshot;
use crate::time::Time;

impl State {
    /// A message from a client of a listener with rates. False: it goes no further, and is counted.
    pub(crate) fn meter(&mut self, snapshot: &Snapshot, message: &Message<'_>) -> bool {
        let (id, now) = (message.session, self.now);
        let limits = &snapshot.listeners[self.listener_of(id)].limits;
        let attributes = if limits.shared_rates.is_empty() { None } else { self.attributes(snapshot, id) };
        let Some(conn) = self.conns.get_mut(id) else { return false };
        let Some(session) = conn.session_mut() else { return false };
        let listener = session.listener;
        let meter = session.meter.get_or_insert_default();
        match attributes {
            Some(attributes) => {
                meter.follow(&self.seat.directory.pools, listener, &limits.shared_rates, attributes, now);
            }
            None => meter.forget(),
        }
        match meter.take(limits, message.payload.len(), now) {
            Taken::GoesOn => true,
            Taken::GoesOnUntil(until) => {
                if meter.until == Time::NEVER {
                    self.stats.listeners[listener.index()].rate_pauses.add(1);
                }
                meter.until = until;
                conn.pauses.set(Pauses::RATE);
                self.arm(snapshot, id);
                true
            }
            Taken::Refused => {
                self.tap_begin(message);
                self.drop_message(message, DropReason::RateLimited);
                if limits.rate_policy == RatePolicy::Close {
                    self.close(snapshot, id, CloseReason::RateLimited);
                }
                false
            }
        }
    }

    /// The client may send again.
    pub(crate) fn rate_over(&mut self, snapshot: &Snapshot, id: ConnId) {
        let now = self.now;
        if let Some(meter) =
            self.conns.get_mut(id).and_then(Conn::session_mut).and_then(|session| session.meter.as_mut())
        {
            meter.resume(now);
        }
        self.unpause(snapshot, id, Pauses::RATE);
    }
}
