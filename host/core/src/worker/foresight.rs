//! What plugins have said of messages that are yet to come to them.

use crate::id::{GenerationId, SessionId};
use crate::message::{Direction, Message, Payload};
use crate::snapshot::Link;
use crate::verdict::Verdict;
use bytes::Bytes;
use std::collections::VecDeque;

/// By generation and direction, in the order of the messages.
#[derive(Debug, Default)]
pub(crate) struct Foresight(pub(super) Vec<Stage>);

/// What one generation of a link has said.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) by: GenerationId,
    pub(super) direction: Direction,
    pub(super) answers: VecDeque<Foreseen>,
}

#[derive(Debug)]
pub(super) struct Foreseen {
    pub(super) session: SessionId,
    pub(super) sequence: u64,
    pub(super) payload: Identity,
    pub(super) answer: Answer,
}

/// Which bytes a payload is: where they lie, and how many. Another message may have come to bear the number that was foreseen for this.
#[derive(Debug)]
pub(super) struct Identity {
    address: usize,
    length: usize,
    /// While it is here nothing else lies there. A view is of messages that came together, which are there for as long as this is.
    _owned: Option<Bytes>,
}

impl Identity {
    pub(super) fn of(payload: &Payload<'_>) -> Self {
        let owned = match payload {
            Payload::Owned(bytes) => Some(bytes.clone()),
            Payload::Borrowed(_) => None,
        };
        Self { address: payload.as_ptr().addr(), length: payload.len(), _owned: owned }
    }

    fn is(&self, payload: &Payload<'_>) -> bool {
        self.length == payload.len() && (self.length == 0 || self.address == payload.as_ptr().addr())
    }
}

#[derive(Debug)]
pub(crate) enum Answer {
    /// The binding is not for that message.
    Skipped,
    /// The verdict, and what it took in nanoseconds.
    Known(Verdict, u64),
}

impl Foresight {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What this link says of this message, if it has been asked.
    pub(super) fn take(&mut self, link: &Link, message: &Message<'_>) -> Option<Answer> {
        let mut stages = self.0.iter_mut();
        let stage = stages.find(|stage| stage.by == link.id() && stage.direction == message.direction)?;
        let is_of_it = |known: &Foreseen| {
            known.is_of(message.session, message.sequence) && known.payload.is(&message.payload)
        };
        if !stage.answers.front().is_some_and(is_of_it) {
            let at = stage.answers.iter().position(is_of_it)?;
            // Those before it are of messages that came to nothing.
            stage.answers.drain(..at);
        }
        stage.answers.pop_front().map(|known| known.answer)
    }

    /// Whether everything that was foreseen has come.
    pub(super) fn is_used_up(&self) -> bool {
        self.0.iter().all(|stage| stage.answers.is_empty())
    }
}

impl Foreseen {
    fn is_of(&self, session: SessionId, sequence: u64) -> bool {
        self.sequence == sequence && self.session == session
    }
}
