//! What one worker tells another: many at a time, bounded.

use crate::id::{ConnId, GenerationId, SessionId, WorkerId};
use crate::message::Kind;
use crate::verdict::{Effect, Verdict};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One thing that a worker asks of another.
#[derive(Clone, Debug)]
pub struct Mail(pub(crate) Letter);

#[derive(Clone, Debug)]
pub(crate) enum Letter {
    /// For the members of a group on the receiving worker.
    Publish { group: Arc<str>, kind: Kind, payload: Bytes, hops: u8 },
    /// For one session.
    Deliver { session: SessionId, kind: Kind, payload: Bytes, hops: u8 },
    /// A plugin's wish about a session of the receiving worker.
    Effect { by: GenerationId, effect: Effect },
}

/// Letters for one worker that are not yet posted.
///
/// Bounded in letters and in bytes of payloads: [`fill`](Self::fill) is the larger share of the two.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) letters: Vec<Mail>,
    /// Payloads of the letters.
    bytes: usize,
    /// Letters taken to be posted and not yet handed over, and their payloads.
    in_hand: (usize, usize),
    /// Connections whose reading stands still until there is room.
    pub(crate) waiting: BTreeSet<ConnId>,
}

impl Outbox {
    /// Reading from whoever fills it stops here.
    pub(crate) const FULL: usize = 8 * 1024;
    /// What is not read from a peer (timers, effects) is dropped and counted here.
    pub(crate) const BURST: usize = 4 * Self::FULL;
    /// Bytes that count as one letter: at `FULL` there are at most 8 MiB.
    const BYTES_A_LETTER: usize = 1024;

    /// How full it is, to be compared with `FULL` and `BURST`.
    pub(crate) fn fill(&self) -> usize {
        let letters = self.letters.len() + self.in_hand.0;
        letters.max((self.bytes + self.in_hand.1) / Self::BYTES_A_LETTER)
    }

    /// False: it takes no more.
    pub(crate) fn write(&mut self, letter: Letter) -> bool {
        if self.fill() >= Self::BURST {
            return false;
        }
        self.bytes += letter.bytes();
        self.letters.push(Mail(letter));
        true
    }

    /// The letters, to be posted.
    pub(crate) fn take(&mut self) -> Vec<Mail> {
        self.in_hand.0 += self.letters.len();
        self.in_hand.1 += std::mem::take(&mut self.bytes);
        std::mem::take(&mut self.letters)
    }

    /// So many of those that were taken are handed over.
    pub(crate) fn posted(&mut self, letters: usize) {
        let (count, bytes) = self.in_hand;
        let left = count.saturating_sub(letters);
        // Of a part of the letters the bytes are not known one by one.
        self.in_hand = (left, bytes.checked_div(count).unwrap_or(0) * left);
    }
}

impl Letter {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { payload, .. } | Self::Deliver { payload, .. } => payload.len(),
            Self::Effect { effect: Effect::Release { verdict, .. }, .. } => match verdict {
                Verdict::Forward(forwarding) => forwarding.payload.as_ref().map_or(0, Bytes::len),
                _ => 0,
            },
            Self::Effect { .. } => 0,
        }
    }
}

/// What [`Worker::mail`](crate::Worker::mail) gives: letters in the order in which they were written.
#[derive(Debug)]
pub struct Post {
    /// Whose mailbox.
    pub to: WorkerId,
    /// What.
    pub letters: Vec<Mail>,
}
