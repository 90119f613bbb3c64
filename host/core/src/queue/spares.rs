//! Queues that no connection needs now.

use super::{Chunk, Frame, LaneQueue, Queue};

/// So many are kept at most: a message to a group needs as many at once, and each keeps about a KiB.
const MOST: usize = 1_024;
/// Bytes of all their buffers, at most.
const BYTES: usize = 16 << 20;

/// Empty queues with their buffers, which move in and out of connections as they are.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    #[expect(clippy::vec_box, reason = "they move in and out of connections as they are")]
    queues: Vec<Box<Queue>>,
    /// Of their buffers.
    bytes: usize,
}

impl Spares {
    /// One of them, or a new one.
    pub(crate) fn take(&mut self) -> Box<Queue> {
        let Some(queue) = self.queues.pop() else { return Box::default() };
        self.bytes -= queue.kept();
        queue
    }

    /// One that is empty comes back. It goes, if there are enough.
    pub(crate) fn put(&mut self, queue: Box<Queue>) {
        debug_assert!(queue.is_empty(), "what waits is not to be thrown away");
        let bytes = self.bytes + queue.kept();
        if self.queues.len() < MOST && bytes <= BYTES {
            self.queues.push(queue);
            self.bytes = bytes;
        }
    }
}

impl Queue {
    /// Bytes of the buffers that it keeps for the next frame.
    fn kept(&self) -> usize {
        self.spare.as_ref().map_or(0, LaneQueue::kept)
    }
}

impl LaneQueue {
    fn kept(&self) -> usize {
        let buffers: usize = self.chunks.iter().map(Chunk::kept).sum();
        buffers + self.chunks.capacity() * size_of::<Chunk>() + self.frames.capacity() * size_of::<Frame>()
    }
}

impl Chunk {
    fn kept(&self) -> usize {
        match self {
            Self::Own { buffer, .. } => buffer.capacity(),
            Self::Shared(bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Lane;
    use weir_codec::{Kind, Wire};

    fn emptied(length: usize) -> Box<Queue> {
        let mut queue = Box::<Queue>::default();
        queue.push(Some(Lane::ONLY), &Wire::Datagram, Kind::Binary, &vec![1; length], None, [0; 4]).unwrap();
        queue.written(Lane::ONLY, length);
        assert!(queue.is_empty());
        queue
    }

    #[test]
    fn they_are_bounded_in_number_and_in_bytes_and_come_back_with_their_buffers() {
        let mut spares = Spares::default();
        assert_eq!(spares.take().kept(), 0, "a new one has no buffer");
        spares.put(emptied(100));
        let kept = spares.bytes;
        assert!(kept >= 100);
        assert_eq!((spares.take().kept(), spares.bytes), (kept, 0));
        for _ in 0..=MOST {
            spares.put(emptied(10));
        }
        assert_eq!(spares.queues.len(), MOST);
        let mut spares = Spares::default();
        for _ in 0..MOST {
            spares.put(emptied(40_000));
        }
        assert!(spares.bytes <= BYTES && spares.bytes > BYTES / 2);
        while spares.take().kept() > 0 {}
        assert_eq!(spares.bytes, 0);
    }
}
