//! What waits to be written to a connection: whole frames, in order, bounded in bytes and count by those who push.

mod cut;
mod spares;

pub(crate) use spares::Spares;

use crate::conflate::Key;
use crate::id::Lane;
use crate::time::Time;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::IoSlice;
use weir_codec::websocket::encode_compressed;
use weir_codec::{EncodeError, Kind, Wire};

/// Payloads of at least so many bytes are queued by reference; smaller ones are copied behind each other, because a slice more in a
/// vectored write costs the kernel more than the copy.
const BY_REFERENCE: usize = 4096;
/// A chunk that is larger is not added to.
const CHUNK: usize = 64 * 1024;
/// Small frames that others share are copied up to so many bytes, because a slice for each would cost more; what waits beyond that is
/// shared, so that any number of receivers that read nothing hold it once.
const BURST: usize = 16 * 1024;
/// A buffer with more capacity than this is not kept for the next use.
const RETAINED: usize = 64 * 1024;

/// Frames that wait. An idle connection has none; a worker keeps spare ones.
#[derive(Debug, Default)]
pub struct Queue {
    /// A lane leaves when it is empty, so that there is rarely more than one. Its place goes to the last.
    lanes: Vec<LaneQueue>,
    /// A drained lane and its buffers, for the next frame.
    spare: Option<LaneQueue>,
    /// Of frames, over all lanes, not yet written.
    bytes: usize,
    /// By sort, over all lanes, not yet wholly written.
    frames: [usize; Sort::COUNT],
    /// When the last pong was queued.
    ponged_at: Time,
}

#[derive(Debug)]
struct LaneQueue {
    /// `None`: waits for a lane to open.
    lane: Option<Lane>,
    chunks: VecDeque<Chunk>,
    /// The frames in the chunks, in order.
    frames: VecDeque<Frame>,
    /// What each frame is about; empty where nobody asks.
    keys: VecDeque<Option<Key>>,
    /// How much of the first frame is written.
    written: usize,
    /// Bytes at the beginning that the transport has in hand, and has not written yet.
    in_hand: usize,
}

#[derive(Debug)]
enum Chunk {
    /// Frames behind each other. `begun`: the buffer had a beginning that is written, and so is larger than it tells.
    Own { buffer: BytesMut, begun: bool },
    /// A frame, or a payload, that others may hold too.
    Shared(Bytes),
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    length: u32,
    sort: Sort,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Message,
    Ping,
    Pong,
    /// A word of the gateway's to a client whose session can be resumed.
    Word,
    Close,
}

impl Sort {
    const COUNT: usize = 5;
}

/// What was written, or thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages, the last byte of which is now written or gone.
    pub messages: usize,
    /// Bytes of frames.
    pub bytes: usize,
}

impl Queue {
    /// Bytes that wait.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages that wait, the one partly written among them.
    pub const fn messages(&self) -> usize {
        self.frames[Sort::Message as usize]
    }

    /// Frames of one sort that wait, the one partly written among them.
    pub(crate) const fn waiting(&self, sort: Sort) -> usize {
        self.frames[sort as usize]
    }

    /// What counts against the limit: the bytes, and what it costs to know where each frame ends, so that frames without bytes
    /// (empty datagrams) are bounded too.
    pub(crate) fn weight(&self) -> usize {
        self.bytes + self.frames.iter().sum::<usize>() * size_of::<Frame>()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Lanes with something to write; not those that wait for a lane to open.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> + '_ {
        self.lanes.iter().filter_map(|lane| lane.lane)
    }

    /// Queues one message as one frame. Nothing is queued when the wire format cannot carry it.
    pub(crate) fn push(
        &mut self,
        lane: Option<Lane>,
        wire: &Wire,
        kind: Kind,
        payload: &[u8],
        owned: Option<&Bytes>,
        mask: [u8; 4],
    ) -> Result<(), EncodeError> {
        if let Some(bytes) = owned.filter(|bytes| bytes.len() >= BY_REFERENCE)
            && let Some(envelope) = wire.envelope(kind, payload)?
        {
            let length = envelope.head().len() + bytes.len() + envelope.tail().len();
            let queue = self.lane(lane);
            queue.tail().extend_from_slice(envelope.head());
            queue.chunks.push_back(Chunk::Shared(bytes.clone()));
            if !envelope.tail().is_empty() {
                queue.tail().extend_from_slice(envelope.tail());
            }
            self.count(lane, length, Sort::Message);
            return Ok(());
        }
        let queue = self.lane(lane);
        let tail = queue.tail();
        let before = tail.len();
        if let Err(error) = wire.encode(kind, payload, mask, tail) {
            self.retire(lane);
            return Err(error);
        }
        let length = tail.len() - before;
        queue.count(length, Sort::Message);
        self.bytes += length;
        self.frames[Sort::Message as usize] += 1;
        Ok(())
    }

    /// Queues one message that is compressed.
    pub(crate) fn push_compressed(&mut self, lane: Option<Lane>, kind: Kind, deflated: &[u8]) {
        let tail = self.lane(lane).tail();
        let before = tail.len();
        encode_compressed(kind, deflated, tail);
        let length = tail.len() - before;
        self.count(lane, length, Sort::Message);
    }

    /// Queues one frame that others queue too.
    pub(crate) fn push_shared(&mut self, lane: Option<Lane>, frame: &Bytes) {
        let queue = self.lane(lane);
        let small = frame.len() < BY_REFERENCE;
        let alone = queue.chunks.len() == 1;
        match queue.chunks.back_mut() {
            Some(Chunk::Own { buffer, .. }) if small && buffer.len() < BURST => {
                buffer.extend_from_slice(frame);
            }
            // The second of a burst.
            Some(Chunk::Shared(_)) if small && alone => queue.tail().extend_from_slice(frame),
            _ => queue.chunks.push_back(Chunk::Shared(frame.clone())),
        }
        self.count(lane, frame.len(), Sort::Message);
    }

    /// Queues a control frame, which is no message. `write` appends it.
    pub(crate) fn push_control(&mut self, lane: Option<Lane>, sort: Sort, write: impl FnOnce(&mut BytesMut)) {
        let tail = self.lane(lane).tail();
        let before = tail.len();
        write(tail);
        let length = tail.len() - before;
        if length == 0 {
            // There was nothing to say.
            self.retire(lane);
            return;
        }
        self.count(lane, length, sort);
    }

    /// What is to be written next on a lane, as slices: the number of them that are set.
    pub fn slices<'a>(&'a self, lane: Lane, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(queue) = self.lanes.iter().find(|queue| queue.lane == Some(lane)) else { return 0 };
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(queue.chunks.iter().filter(|chunk| !chunk.is_empty())) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    /// The first frame of a lane by itself, for transports that send one at a time. The frames of such a lane are not written in
    /// part.
    pub fn first_frame(&self, lane: Lane) -> Option<Bytes> {
        let queue = self.lanes.iter().find(|queue| queue.lane == Some(lane))?;
        let mut left = queue.frames.front()?.length as usize;
        let mut frame = BytesMut::with_capacity(left);
        for chunk in &queue.chunks {
            let part = chunk.len().min(left);
            frame.extend_from_slice(&chunk[..part]);
            left -= part;
            if left == 0 {
                break;
            }
        }
        Some(frame.freeze())
    }

    /// So many bytes of the lane were handed to the transport.
    pub(crate) fn written(&mut self, lane: Lane, bytes: usize) -> Tally {
        let Some(queue) = self.lanes.iter_mut().find(|queue| queue.lane == Some(lane)) else {
            debug_assert!(bytes == 0, "wrote {bytes} bytes of a lane without any");
            return Tally::default();
        };
        let taken = queue.take_bytes(bytes);
        debug_assert!(taken == bytes, "wrote more than was queued");
        let mut tally = Tally { messages: 0, bytes: taken };
        queue.in_hand = queue.in_hand.saturating_sub(taken);
        let mut left = taken;
        while let Some(frame) = queue.frames.front() {
            let rest = frame.length as usize - queue.written;
            // An empty datagram is a frame too: each is written by itself.
            if rest > left || (rest == 0 && tally.messages > 0) {
                queue.written += left;
                break;
            }
            left -= rest;
            queue.written = 0;
            tally.messages += usize::from(frame.sort == Sort::Message);
            self.frames[frame.sort as usize] -= 1;
            queue.frames.pop_front();
            queue.keys.pop_front();
        }
        self.bytes -= tally.bytes;
        self.retire(Some(lane));
        tally
    }

    /// Whether a frame is written in part.
    pub(crate) fn is_torn(&self) -> bool {
        self.lanes.iter().any(|lane| lane.written > 0 || lane.in_hand > 0)
    }

    /// The first message of a lane cannot be sent: takes it out.
    pub(crate) fn skip_frame(&mut self, lane: Lane) -> Tally {
        let length = self
            .lanes
            .iter()
            .find(|queue| queue.lane == Some(lane))
            .and_then(|queue| Some((queue.frames.front()?, queue.written)))
            .map_or(0, |(frame, written)| frame.length as usize - written);
        self.written(lane, length)
    }

    /// Throws away what waits on a lane, or on all.
    pub(crate) fn discard(&mut self, which: Option<Lane>) -> Tally {
        let mut tally = Tally::default();
        self.lanes.retain(|queue| {
            if which.is_some() && queue.lane != which {
                return true;
            }
            for frame in &queue.frames {
                tally.messages += usize::from(frame.sort == Sort::Message);
                self.frames[frame.sort as usize] -= 1;
            }
            tally.bytes += queue.chunks.iter().map(|chunk| chunk.len()).sum::<usize>();
            false
        });
        self.bytes -= tally.bytes;
        tally
    }

    /// What waited for a lane to open goes out on this one.
    pub(crate) fn lane_opened(&mut self, lane: Lane) {
        if let Some(queue) = self.lanes.iter_mut().find(|queue| queue.lane.is_none()) {
            queue.lane = Some(lane);
        }
    }

    fn lane(&mut self, lane: Option<Lane>) -> &mut LaneQueue {
        let at = if let Some(at) = self.lanes.iter().position(|queue| queue.lane == lane) {
            at
        } else {
            let mut queue = self.spare.take().unwrap_or_else(|| LaneQueue {
                lane,
                chunks: VecDeque::new(),
                frames: VecDeque::new(),
                keys: VecDeque::new(),
                written: 0,
                in_hand: 0,
            });
            queue.lane = lane;
            self.lanes.push(queue);
            self.lanes.len() - 1
        };
        &mut self.lanes[at]
    }

    fn count(&mut self, lane: Option<Lane>, length: usize, sort: Sort) {
        self.lane(lane).count(length, sort);
        self.bytes += length;
        self.frames[sort as usize] += 1;
    }

    /// Takes a lane that is empty out, keeping its buffers for the next.
    fn retire(&mut self, lane: Option<Lane>) {
        let Some(at) = self.lanes.iter().position(|queue| queue.lane == lane && queue.frames.is_empty())
        else {
            return;
        };
        let mut queue = self.lanes.swap_remove(at);
        if self.spare.is_none() {
            queue.tidy();
            self.spare = Some(queue);
        }
    }

    /// The invariants, for tests and fuzzers.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants(&self) {
        let bytes: usize = self.lanes.iter().flat_map(|lane| &lane.chunks).map(|chunk| chunk.len()).sum();
        assert_eq!(bytes, self.bytes, "bytes are those in the chunks");
        for sort in [Sort::Message, Sort::Ping, Sort::Pong, Sort::Word, Sort::Close] {
            let frames = self.lanes.iter().flat_map(|lane| &lane.frames);
            let count = frames.filter(|frame| frame.sort == sort).count();
            assert_eq!(count, self.frames[sort as usize], "{sort:?} are those among the frames");
        }
        for lane in &self.lanes {
            let keyed = lane.keys.is_empty() || lane.keys.len() == lane.frames.len();
            assert!(keyed, "each frame has a key or none, or nobody asks");
            assert!(
                lane.in_hand <= lane.chunks.iter().map(|chunk| chunk.len()).sum(),
                "what is in hand is there"
            );
            let frames: usize = lane.frames.iter().map(|frame| frame.length as usize).sum();
            let chunks: usize = lane.chunks.iter().map(|chunk| chunk.len()).sum();
            assert_eq!(frames, chunks + lane.written, "frames cover the chunks");
        }
    }
}

impl LaneQueue {
    /// An empty one is made ready for the next frame: one buffer at most, and none that has grown large.
    fn tidy(&mut self) {
        (self.written, self.in_hand) = (0, 0);
        // Mostly there is the one that was emptied.
        if self.chunks.len() > 1 || self.chunks.front_mut().is_some_and(|only| !only.is_reusable()) {
            self.chunks.retain_mut(Chunk::is_reusable);
            self.chunks.truncate(1);
        }
        shrink(&mut self.chunks);
        shrink(&mut self.frames);
        shrink(&mut self.keys);
    }

    /// Its last frame has so many bytes.
    fn count(&mut self, length: usize, sort: Sort) {
        // A frame is at most a message of some hundred MiB and its header: it fits.
        self.frames.push_back(Frame { length: length as u32, sort });
        if !self.keys.is_empty() {
            self.keys.push_back(None);
        }
    }

    /// The chunk that frames are appended to.
    fn tail(&mut self) -> &mut BytesMut {
        if !matches!(self.chunks.back(), Some(Chunk::Own { buffer, .. }) if buffer.len() < CHUNK) {
            self.chunks.push_back(Chunk::Own { buffer: BytesMut::new(), begun: false });
        }
        let Some(Chunk::Own { buffer, .. }) = self.chunks.back_mut() else { unreachable!("pushed above") };
        buffer
    }

    /// Takes bytes out of the chunks; how many there were.
    fn take_bytes(&mut self, bytes: usize) -> usize {
        let mut left = bytes;
        while left > 0 {
            let last = self.chunks.len() == 1;
            let Some(chunk) = self.chunks.front_mut() else { break };
            let part = chunk.len().min(left);
            chunk.advance(part);
            left -= part;
            // The only chunk stays, emptied, as the buffer of the next frame.
            if !chunk.is_empty() || (last && chunk.is_reusable()) {
                break;
            }
            self.chunks.pop_front();
        }
        bytes - left
    }
}

/// Keeps no more memory than a buffer may.
fn shrink<T>(kept: &mut VecDeque<T>) {
    let most = RETAINED / size_of::<T>();
    if kept.capacity() > most {
        kept.shrink_to(most);
    }
}

impl std::ops::Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own { buffer, .. } => buffer,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Chunk {
    /// Whether it is a buffer of no more capacity than is kept for the next use; emptied.
    fn is_reusable(&mut self) -> bool {
        let Self::Own { buffer, begun } = self else { return false };
        buffer.clear();
        // The capacity that a buffer tells is what is left behind its beginning; the second asks for the whole.
        buffer.capacity() <= RETAINED && !(*begun && buffer.try_reclaim(RETAINED + 1))
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Own { buffer, .. } if count == buffer.len() => buffer.clear(),
            Self::Own { buffer, begun } => {
                buffer.advance(count);
                *begun = true;
            }
            Self::Shared(bytes) => bytes.advance(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use weir_codec::websocket::Role;
    use weir_codec::{Framing, Prefix};

    const SERVER: Wire = Wire::WebSocket { role: Role::Server };

    fn length() -> Wire {
        Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U16Be, max: 60_000 }))
    }

    fn push(queue: &mut Queue, lane: u64, wire: &Wire, payload: &[u8]) {
        queue.push(Some(Lane(lane)), wire, Kind::Binary, payload, None, [0; 4]).unwrap();
        queue.check_invariants();
    }

    fn push_owned(queue: &mut Queue, lane: u64, wire: &Wire, payload: &Bytes) {
        queue.push(Some(Lane(lane)), wire, Kind::Binary, payload, Some(payload), [0; 4]).unwrap();
        queue.check_invariants();
    }

    fn contents(queue: &Queue, lane: u64) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = queue.slices(Lane(lane), &mut slices);
        assert!(
            slices[..count].iter().all(|slice| !slice.is_empty()),
            "an empty slice is a write of nothing"
        );
        slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    /// Small and large ones, copied and by reference, shared and control frames.
    fn mixed() -> Queue {
        let mut queue = Queue::default();
        push(&mut queue, 0, &length(), b"one");
        push_owned(&mut queue, 0, &length(), &vec![2; 5000].into());
        let line = Wire::Framed(Arc::new(Framing::Line { max: 10_000 }));
        push_owned(&mut queue, 0, &line, &vec![3; 4096].into());
        queue.push_shared(Some(Lane(0)), &Bytes::from_static(b"small"));
        queue.push_shared(Some(Lane(0)), &vec![4; 4096].into());
        queue.push_control(Some(Lane(0)), Sort::Ping, |out| out.extend_from_slice(b"ping"));
        push(&mut queue, 0, &length(), b"");
        queue.check_invariants();
        queue
    }

    #[test]
    fn a_burst_of_shared_frames_is_few_slices_and_what_waits_behind_it_is_shared() {
        let frame = Bytes::from(vec![7; 66]);
        let mut queue = Queue::default();
        for _ in 0..16 {
            queue.push_shared(Some(Lane(0)), &frame);
        }
        let mut slices = [IoSlice::new(&[]); 64];
        assert_eq!(queue.slices(Lane(0), &mut slices), 2, "the first, and the others");
        for _ in 0..4_000 {
            queue.push_shared(Some(Lane(0)), &frame);
        }
        let own = |chunk: &&Chunk| matches!(chunk, Chunk::Own { .. });
        let copied: usize = queue.lanes[0].chunks.iter().filter(own).map(|chunk| chunk.len()).sum();
        assert!((BURST..BURST + 66).contains(&copied), "{copied} of {} bytes", queue.bytes());
        queue.check_invariants();
        while !queue.is_empty() {
            queue.written(Lane(0), 1_000.min(queue.bytes()));
            queue.check_invariants();
        }
    }

    #[test]
    fn what_is_written_is_what_was_pushed_at_every_split() {
        let whole = contents(&mixed(), 0);
        assert_eq!(whole.len(), 5 + 5002 + 4097 + 5 + 4096 + 4 + 2);
        for split in (0..whole.len()).filter(|at| *at < 20 || at % 97 == 0 || whole.len() - at < 120) {
            let mut queue = mixed();
            let first = queue.written(Lane(0), split);
            queue.check_invariants();
            assert_eq!(contents(&queue, 0), whole[split..], "after {split}");
            let second = queue.written(Lane(0), whole.len() - split);
            queue.check_invariants();
            assert_eq!((first.bytes, first.messages + second.messages), (split, 6));
            assert!(queue.is_empty());
            assert_eq!(
                (queue.bytes(), queue.messages(), queue.waiting(Sort::Ping), queue.weight()),
                (0, 0, 0, 0)
            );
        }
    }

    #[test]
    fn a_message_counts_when_its_last_byte_is_written() {
        let mut queue = Queue::default();
        for payload in [&b"abc"[..], b"", b"de"] {
            push(&mut queue, 0, &length(), payload);
        }
        let messages: Vec<_> = (0..11).map(|_| queue.written(Lane(0), 1).messages).collect();
        assert_eq!(messages, [0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    }

    #[test]
    fn small_frames_share_a_chunk_and_large_ones_are_not_copied() {
        let mut queue = Queue::default();
        for _ in 0..100 {
            push(&mut queue, 0, &SERVER, b"x");
        }
        let large = Bytes::from(vec![1; BY_REFERENCE]);
        push_owned(&mut queue, 0, &SERVER, &large);
        push(&mut queue, 0, &SERVER, b"x");
        let mut slices = [IoSlice::new(&[]); 64];
        assert_eq!(queue.slices(Lane(0), &mut slices), 3);
        assert_eq!(slices[1].as_ptr(), large.as_ptr());
        // A masked payload is rewritten, so it is the queue's own.
        let mut queue = Queue::default();
        push_owned(&mut queue, 0, &Wire::WebSocket { role: Role::Client }, &large);
        assert_eq!(queue.slices(Lane(0), &mut slices), 1);
    }

    #[test]
    fn what_cannot_be_framed_leaves_nothing_behind() {
        let mut queue = Queue::default();
        let line = Wire::Framed(Arc::new(Framing::Line { max: 9000 }));
        let bad = Bytes::from(vec![b'\n'; 5000]);
        for owned in [None, Some(&bad)] {
            queue.push(Some(Lane(0)), &line, Kind::Binary, &bad, owned, [0; 4]).unwrap_err();
            queue.check_invariants();
            assert!(queue.is_empty());
        }
        push(&mut queue, 0, &line, b"good");
        queue.push(Some(Lane(0)), &line, Kind::Binary, &bad, Some(&bad), [0; 4]).unwrap_err();
        assert_eq!(contents(&queue, 0), b"good\n");
    }

    #[test]
    fn lanes_are_apart_and_a_lane_that_opens_takes_what_waited() {
        let mut queue = Queue::default();
        push(&mut queue, 4, &length(), b"four");
        queue.push(None, &length(), Kind::Binary, b"none", None, [0; 4]).unwrap();
        push(&mut queue, 0, &length(), b"zero");
        assert_eq!(queue.lanes().collect::<Vec<_>>(), [Lane(4), Lane(0)]);
        queue.lane_opened(Lane(8));
        assert_eq!(contents(&queue, 8), b"\0\x04none");
        queue.written(Lane(4), 3);
        assert_eq!(queue.discard(Some(Lane(4))), Tally { messages: 1, bytes: 3 });
        queue.check_invariants();
        assert_eq!(queue.discard(Some(Lane(4))), Tally::default());
        assert_eq!(queue.discard(None), Tally { messages: 2, bytes: 12 });
        assert!(queue.is_empty());
        queue.check_invariants();
    }

    #[test]
    fn the_first_frame_is_taken_or_skipped_alone() {
        let mut queue = Queue::default();
        let large = Bytes::from(vec![7; 5000]);
        for payload in [&large, &Bytes::new(), &Bytes::from_static(b"last")] {
            push_owned(&mut queue, u64::MAX, &Wire::Datagram, payload);
        }
        assert_eq!(queue.first_frame(Lane::DATAGRAMS).unwrap(), large);
        assert_eq!(queue.skip_frame(Lane::DATAGRAMS), Tally { messages: 1, bytes: 5000 });
        queue.check_invariants();
        assert_eq!(queue.first_frame(Lane::DATAGRAMS).unwrap(), "");
        assert_eq!(queue.written(Lane::DATAGRAMS, 0), Tally { messages: 1, bytes: 0 });
        assert_eq!(queue.first_frame(Lane::DATAGRAMS).unwrap(), "last");
        assert_eq!(queue.written(Lane::DATAGRAMS, 4).messages, 1);
        assert!(queue.is_empty() && queue.first_frame(Lane::DATAGRAMS).is_none());
    }

    #[test]
    fn an_empty_queue_keeps_a_small_buffer_and_no_large_one() {
        let mut queue = Queue::default();
        let capacity = |queue: &Queue| match queue.spare.as_ref().map(|spare| spare.chunks.front()) {
            Some(Some(Chunk::Own { buffer, .. })) => {
                let mut buffer = buffer.clone();
                // The whole of it, also what lies before its beginning.
                (0..24).rev().map(|bit| 1 << bit).find(|size| buffer.try_reclaim(*size)).unwrap_or(0)
            }
            _ => 0,
        };
        push(&mut queue, 0, &SERVER, &[0; 1000]);
        queue.written(Lane(0), 1004);
        assert!(queue.spare.as_ref().is_some_and(|spare| spare.chunks.len() == 1), "kept");
        push(&mut queue, 0, &SERVER, &vec![0; 1 << 20]);
        for _ in 0..1000 {
            queue.written(Lane(0), 1000);
        }
        queue.written(Lane(0), queue.bytes());
        assert!(queue.is_empty());
        assert!(queue.spare.as_ref().is_some_and(|spare| spare.chunks.is_empty()), "let go");
        assert_eq!(capacity(&queue), 0);
        for _ in 0..100_000 {
            queue.push(Some(Lane(0)), &SERVER, Kind::Binary, b"", None, [0; 4]).unwrap();
        }
        queue.written(Lane(0), queue.bytes());
        assert!(queue.spare.is_some_and(|spare| spare.frames.capacity() * size_of::<Frame>() <= RETAINED));
    }
}
