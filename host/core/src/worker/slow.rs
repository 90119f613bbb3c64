//! What becomes of messages for clients that read slowly, where the listener does not simply drop the newest.

use super::State;
use crate::conflate::Key;
use crate::conn::Conn;
use crate::id::{Lane, ListenerId, SessionId};
use crate::message::Message;
use crate::reason::DropReason;
use crate::snapshot::{ListenerPolicy, SlowConsumer, Snapshot};
use bytes::{Bytes, BytesMut};
use weir_codec::Wire;

/// The keys of one message for the listeners of its receivers: each asks once, however many receivers it has.
#[derive(Default)]
pub(super) struct Keys(Vec<(ListenerId, Option<Key>)>);

impl Keys {
    pub(super) fn of(
        &mut self,
        listener: ListenerId,
        policy: &ListenerPolicy,
        payload: &[u8],
    ) -> Option<Key> {
        if policy.limits.slow_consumer != SlowConsumer::Conflate {
            return None;
        }
        if let Some((_, key)) = self.0.iter().find(|(known, _)| *known == listener) {
            return *key;
        }
        let key = policy.key(payload);
        self.0.push((listener, key));
        key
    }
}

impl ListenerPolicy {
    /// What a message to a client is about, if the listener asks.
    pub(crate) fn key(&self, payload: &[u8]) -> Option<Key> {
        if self.limits.slow_consumer != SlowConsumer::Conflate {
            return None;
        }
        self.conflate.as_ref()?.key(payload)
    }
}

impl State {
    /// Messages that wait are no longer replaced: what came after them meanwhile was not compared with them, or by another rule.
    pub(crate) fn forget_keys(&mut self) {
        for id in self.conns.ids() {
            if let Some(queue) = self.conns.get_mut(id).and_then(|conn| conn.queue.as_mut()) {
                queue.forget_keys();
            }
        }
    }

    /// A full queue makes room for a newer message, if that is the listener's policy. False: there is none for it.
    pub(crate) fn make_room(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        lane: Option<Lane>,
        length: usize,
    ) -> bool {
        let limits = &snapshot.listeners[self.listener_of(id)].limits;
        let resumable = self.conns.get(id).is_some_and(Conn::is_resumable);
        // What is numbered is not taken out.
        if limits.slow_consumer != SlowConsumer::DropOldest || resumable {
            return false;
        }
        let Some(queue) = self.conns.get_mut(id).and_then(|conn| conn.queue.as_mut()) else { return true };
        let (room, tally) = queue.make_room(lane, length, limits.queue);
        self.count_dropped(id, tally, DropReason::QueueOldest);
        if self.conns.get(id).and_then(|conn| conn.queue.as_ref()).is_some_and(|queue| queue.is_empty()) {
            // Nothing may come after all, if the newer one cannot be framed: nobody is to wait for what is gone.
            self.drained(snapshot, id);
        }
        room
    }

    /// A message that is about something takes the place of an older one.
    pub(crate) fn conflate(&mut self, snapshot: &Snapshot, message: &Message<'_>, key: Key) {
        let id = message.session;
        let mask = self.mask();
        let Some(conn) = self.conns.get(id) else { return };
        let lane = conn.lane(message.lane);
        let datagram = Wire::Datagram;
        let wire = if lane == Some(Lane::DATAGRAMS) { &datagram } else { &conn.wire };
        // A buffer of its own, because it may leave the queue out of its turn.
        let mut frame = BytesMut::new();
        match wire.encode(message.kind, &message.payload, mask, &mut frame) {
            Ok(()) => {
                if !self.enqueue_keyed(snapshot, id, lane, &frame.freeze(), key, message.pressed) {
                    self.drop_message(message, DropReason::QueueFull);
                }
            }
            Err(error) => self.drop_message(message, (&error).into()),
        }
    }

    /// Queues a frame that is about something. `pressed`: see [`Message::pressed`]. False: there is no room for it.
    pub(crate) fn enqueue_keyed(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        lane: Option<Lane>,
        frame: &Bytes,
        key: Key,
        pressed: bool,
    ) -> bool {
        let limit = snapshot.listeners[self.listener_of(id)].limits.queue;
        let Some(conn) = self.conns.get_mut(id) else { return false };
        let room = pressed || conn.has_room(frame.len(), limit);
        let most = if pressed { usize::MAX } else { limit };
        let replaced = conn.queue.as_mut().and_then(|queue| queue.replace(lane, frame, key, most));
        if let Some(tally) = replaced {
            self.count_dropped(id, tally, DropReason::Conflated);
        } else if room {
            // No grace runs: only under `close` is there one.
            self.push_frame(id, lane, frame);
            if let Some(queue) = self.conns.get_mut(id).and_then(|conn| conn.queue.as_mut()) {
                queue.mark(lane, key);
            }
        }
        replaced.is_some() || room
    }
}
