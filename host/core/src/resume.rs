//! What is kept of a session whose client may come back on another connection.

use crate::id::SessionId;
use crate::message::Kind;
use crate::time::Time;
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a listener's sessions wait for clients that lost their connections.
#[derive(Clone, Debug)]
pub struct Resumption {
    /// For how long.
    pub window: Duration,
    /// Bytes of messages that a session keeps until its client confirms them, and what it costs to keep them.
    pub buffer: usize,
    /// Sessions that wait at once, on each worker.
    pub away: usize,
    /// A client may come back to any listener of the same scope.
    pub scope: Arc<str>,
    /// For how long a token is good.
    pub lifetime: Duration,
    /// Makes the tokens.
    pub tokens: Arc<dyn Tokens>,
}

/// What makes tokens: opaque to clients, and nobody else can make them.
pub trait Tokens: Send + Sync + fmt::Debug {
    /// A token for that session which is good until then: printable ASCII without spaces, at most 256 bytes.
    fn issue(&self, session: SessionId, expires: Time) -> String;
}

/// What a client said first that wants a session which can be resumed, or its own back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// It wants a new one.
    New,
    /// It wants its own, and the token is too old.
    Expired,
    /// It wants one that is not there (any more).
    Unknown,
}

/// Messages to a client, from the first that it has not confirmed.
///
/// They are numbered by counting from 1. A number is settled when the message is delivered, or dropped and counted: each is settled
/// once, in order.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    /// The last is number `sent`.
    kept: VecDeque<(Kind, Bytes)>,
    /// What they cost.
    bytes: usize,
    /// The number of the last message that was queued.
    sent: u64,
    /// The last that was written on the connection that there is.
    written: u64,
    /// The last that is settled.
    settled: u64,
    /// The client has said that it will not come back.
    pub(crate) leaving: bool,
}

impl Resume {
    /// The number of the last message that is gone for good, confirmed or not.
    fn gone(&self) -> u64 {
        self.sent - self.kept.len() as u64
    }

    /// Messages that are not settled.
    pub(crate) fn unsettled(&self) -> u64 {
        self.sent - self.settled
    }

    /// What is kept costs.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A message is queued, or would be if the client were there. The oldest go where there are more than `limit` bytes.
    pub(crate) fn keep(&mut self, kind: Kind, payload: Bytes, limit: usize) {
        self.sent += 1;
        self.bytes += cost(&payload);
        self.kept.push_back((kind, payload));
        while self.bytes > limit {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, payload)) = self.kept.pop_front() {
            self.bytes -= cost(&payload);
        }
    }

    /// Nobody will write what is not kept: settles it, and gives how many messages that are.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.settle(self.gone())
    }

    /// So many were written: how many are settled by it. Those that are written again are settled already.
    pub(crate) fn wrote(&mut self, messages: u64) -> u64 {
        self.written += messages;
        self.settle(self.written)
    }

    /// The session ends: how many messages were never settled.
    pub(crate) fn settle_all(&mut self) -> u64 {
        self.settle(self.sent)
    }

    fn settle(&mut self, number: u64) -> u64 {
        let newly = number.saturating_sub(self.settled);
        self.settled += newly;
        newly
    }

    /// The client has had the messages up to that number: gives how many of them are settled by it, for it may say so before the
    /// transport does. `None`: there were never so many.
    pub(crate) fn confirm(&mut self, number: u64) -> Option<u64> {
        if number > self.sent {
            return None;
        }
        while self.gone() < number {
            self.forget_first();
        }
        Some(self.settle(number))
    }

    /// The client is back, and has had the messages up to `received`; `None`: there were never so many. Settles them: gives how many
    /// were not settled yet, and how many behind them are gone.
    pub(crate) fn come_back(&mut self, received: u64) -> Option<Returned> {
        let delivered = self.confirm(received)?;
        self.written = self.gone();
        Some(Returned { delivered, missed: self.gone() - received, sent: self.gone() })
    }

    /// What is to be written again, in order.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (Kind, Bytes)> + use<> {
        self.kept.clone().into_iter()
    }

    /// A message that is kept cannot be written on the connection that there is: those behind it move up. True: it was not settled.
    pub(crate) fn strike(&mut self, at: usize) -> bool {
        let Some((_, payload)) = self.kept.remove(at) else { return false };
        self.bytes -= cost(&payload);
        self.sent -= 1;
        // Its number before all others moved: one behind those that are gone, and those kept before it.
        let settled = self.gone() + (at as u64) < self.settled;
        self.settled -= u64::from(settled);
        !settled
    }
}

/// What it means that a client is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Returned {
    /// Messages that it has had and that were not known to be delivered.
    pub(crate) delivered: u64,
    /// Messages that it has not had and that are gone.
    pub(crate) missed: u64,
    /// The number before the next message.
    pub(crate) sent: u64,
}

fn cost(payload: &Bytes) -> usize {
    payload.len() + size_of::<(Kind, Bytes)>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room for that many messages of one byte.
    fn room(messages: usize) -> usize {
        messages * cost(&Bytes::from_static(b"x"))
    }

    fn keep(resume: &mut Resume, messages: usize, limit: usize) {
        for _ in 0..messages {
            resume.keep(Kind::Text, Bytes::from_static(b"x"), limit);
        }
    }

    #[test]
    fn what_is_confirmed_is_kept_no_longer() {
        let mut resume = Resume::default();
        keep(&mut resume, 5, room(9));
        assert_eq!((resume.wrote(3), resume.unsettled(), resume.bytes()), (3, 2, room(5)));
        assert_eq!([2, 1, 3].map(|number| resume.confirm(number)), [Some(0); 3]);
        assert_eq!((resume.kept().count(), resume.bytes()), (2, room(2)));
        assert_eq!((resume.confirm(4), resume.wrote(1), resume.confirm(6)), (Some(1), 0, None));
    }

    #[test]
    fn who_comes_back_gets_what_it_has_not_had() {
        let mut resume = Resume::default();
        keep(&mut resume, 6, room(9));
        assert_eq!(resume.wrote(4), 4);
        // It had less than was written.
        assert_eq!(resume.come_back(2), Some(Returned { delivered: 0, missed: 0, sent: 2 }));
        assert_eq!(resume.kept().count(), 4);
        assert_eq!((resume.wrote(2), resume.wrote(2), resume.unsettled()), (0, 2, 0), "each is settled once");
        // It had more than was known.
        keep(&mut resume, 2, room(9));
        assert_eq!(resume.come_back(7), Some(Returned { delivered: 1, missed: 0, sent: 7 }));
        assert_eq!((resume.come_back(9), resume.unsettled()), (None, 1));
    }

    #[test]
    fn what_does_not_fit_is_missed() {
        let mut resume = Resume::default();
        keep(&mut resume, 5, room(3));
        assert_eq!(resume.wrote(1), 1);
        assert_eq!((resume.give_up(), resume.give_up()), (1, 0), "the second was neither written nor kept");
        assert_eq!(resume.come_back(1), Some(Returned { delivered: 0, missed: 1, sent: 2 }));
        assert_eq!((resume.wrote(3), resume.settle_all()), (3, 0));
        resume.keep(Kind::Text, vec![0; room(3)].into(), room(3));
        assert_eq!((resume.kept().count(), resume.give_up()), (0, 1), "longer than all the room");
    }

    #[test]
    fn numbers_move_up_behind_what_cannot_be_written() {
        let mut resume = Resume::default();
        keep(&mut resume, 4, room(9));
        assert_eq!(resume.wrote(2), 2);
        assert!(resume.come_back(0).is_some());
        assert!(!resume.strike(1), "the second was delivered once");
        assert!(resume.strike(2), "the fourth never was");
        assert_eq!((resume.wrote(2), resume.unsettled()), (1, 0));
    }
}
