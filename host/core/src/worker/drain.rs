//! The end of all sessions, spread over a time so that they do not all come back at once.

use super::{State, Worker};
use crate::conn::{Conn, End};
use crate::id::ConnId;
use crate::message::Transport;
use crate::reason::CloseReason;
use crate::snapshot::Snapshot;
use crate::time::Time;
use crate::verdict::Rejection;
use std::time::Duration;

/// How a worker's sessions are ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    began: Time,
    spread: Duration,
    retry: Duration,
}

impl Drain {
    /// When a session is told: somewhere in the spread, by its id, so that nothing has to be kept of it.
    pub(crate) fn tells(&self, id: ConnId) -> Time {
        // Ids count up: the multiplication of Fibonacci hashing makes neighbours far apart.
        let mixed = (id.raw().wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32;
        let spread = self.spread.as_micros() as u64;
        Time(self.began.0.saturating_add(((u128::from(mixed) * u128::from(spread)) >> 32) as u64))
    }
}

impl Worker {
    /// Ends every session in order, over the time of `spread`. Where the transport has words for it each is told how long to wait
    /// before it connects again: something between nothing and `retry`, another time for each; zero: nothing is said.
    ///
    /// Upstream connections end with their sessions, when what waits for them is written.
    pub fn drain(&mut self, spread: Duration, retry: Duration) {
        self.state.drain = Some(Drain { began: self.state.now, spread, retry });
        for id in self.state.conns.ids() {
            if spread.is_zero() {
                self.state.drain_one(&self.snapshot, id);
                self.state.run(&self.snapshot);
            } else {
                self.state.arm(&self.snapshot, id);
                // What is going to happen can be said before it does, where there is a word for it.
                if self.state.foretells(&self.snapshot, id) {
                    self.state.mark_dirty(id);
                }
            }
        }
        // Who comes later is for the caller to turn away.
        self.state.drain = self.state.drain.filter(|_| !spread.is_zero());
    }

    /// Whether sessions are being ended, over a time.
    pub fn is_draining(&self) -> bool {
        self.state.drain.is_some()
    }

    /// Lets every connection go at once.
    pub fn kill_all(&mut self) {
        for id in self.state.conns.ids() {
            self.state.lose(&self.snapshot, id, CloseReason::Killed);
            self.state.run(&self.snapshot);
        }
    }
}

impl State {
    /// Whether the session's transport can say that it is going to be closed.
    fn foretells(&self, snapshot: &Snapshot, id: ConnId) -> bool {
        let session = self.conns.get(id).and_then(Conn::session);
        session.is_some_and(|session| {
            let policy = snapshot.listeners.get(session.listener.index());
            policy.is_some_and(|policy| policy.transport == Transport::WebTransport)
        })
    }

    /// A session's turn to be told has come.
    pub(crate) fn drain_one(&mut self, snapshot: &Snapshot, id: ConnId) {
        if self.conns.get(id).and_then(Conn::session).is_none() {
            return;
        }
        let retry = self.drain.map_or(Duration::ZERO, |drain| drain.retry);
        let end = self.hinted(CloseReason::Shutdown, retry);
        self.close_with(snapshot, id, end);
    }

    /// An end that says how long to wait before coming back: something between nothing and `retry`; zero: nothing is said.
    pub(super) fn hinted(&mut self, reason: CloseReason, retry: Duration) -> End {
        let mut end = End::new(reason);
        if !retry.is_zero() {
            let random = u64::from(u32::from_ne_bytes(self.mask()));
            let wait = (retry.as_millis() as u64).saturating_mul(random) >> 32;
            end.said = Rejection::new(end.said.code, &format!("{}; retry-after-ms={wait}", end.said.reason));
        }
        end
    }
}
