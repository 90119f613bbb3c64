//! Messages of one read, in the order in which they came.

use crate::message::Kind;
use crate::worker::Foresight;
use std::collections::VecDeque;
use std::ops::Range;

/// Messages that came together from one peer on one lane, copied, so that plugins can be asked for all of them before the first goes on:
/// see [`Worker::foresee`](crate::Worker::foresee).
#[derive(Debug, Default)]
pub struct Together {
    bytes: Vec<u8>,
    messages: VecDeque<(Kind, Range<usize>)>,
    /// What plugins have said of them.
    pub(crate) foresight: Foresight,
}

impl Together {
    /// The most messages.
    pub const MESSAGES: usize = 64;
    /// The most bytes of all of them.
    pub const BYTES: usize = 64 << 10;
    /// The most bytes of one: for a longer one, its copy costs more than a call.
    pub const LONGEST: usize = 4 << 10;

    /// Adds a message behind the others. False: there is no room for it, or it is too long.
    pub fn push(&mut self, kind: Kind, payload: &[u8]) -> bool {
        if self.messages.is_empty() {
            self.bytes.clear();
        }
        let start = self.bytes.len();
        let fits = payload.len() <= Self::LONGEST && start + payload.len() <= Self::BYTES;
        if !fits || self.messages.len() >= Self::MESSAGES {
            return false;
        }
        self.bytes.extend_from_slice(payload);
        self.messages.push_back((kind, start..self.bytes.len()));
        true
    }

    /// Takes the first one.
    pub fn pop(&mut self) -> Option<(Kind, &[u8])> {
        let (kind, place) = self.messages.pop_front()?;
        Some((kind, &self.bytes[place]))
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Those that are left, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        self.messages.iter().map(|(kind, place)| (*kind, &self.bytes[place.clone()]))
    }

    /// Forgets everything but its memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
        self.foresight.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_every_way() {
        let mut together = Together::default();
        assert!(!together.push(Kind::Text, &[0; Together::LONGEST + 1]) && together.is_empty());
        while together.push(Kind::Binary, &[1; Together::LONGEST]) {}
        assert_eq!(together.len(), Together::BYTES / Together::LONGEST);
        assert_eq!(together.pop(), Some((Kind::Binary, &[1; Together::LONGEST][..])));
        assert!(!together.push(Kind::Text, b"x"), "what was taken still counts");
        together.clear();
        while together.push(Kind::Text, b"") {}
        assert_eq!(together.len(), Together::MESSAGES);
    }
}
