//! Taking back what waits: to make room for what is newer, or because it is no longer true.
//!
//! Only whole frames of which the transport has nothing: what it has begun to write, or has in hand, goes out.

use super::{Chunk, Frame, LaneQueue, Queue, Sort, Tally};
use crate::conflate::Key;
use crate::id::Lane;
use crate::time::Time;
use bytes::{Bytes, BytesMut};

impl Queue {
    /// Whether a message of so many bytes may be queued under `limit`, with the oldest messages taken out as far as it needs: those of
    /// its own lane first. None is, if that would not help. Gives what was taken out.
    pub(crate) fn make_room(&mut self, lane: Option<Lane>, length: usize, limit: usize) -> (bool, Tally) {
        let mut tally = Tally::default();
        let fixed: usize = self.lanes.iter().map(|lane| lane.first_free().1).sum();
        if fixed + length > limit {
            return (self.is_empty(), tally);
        }
        while !self.is_empty() && self.weight() + length > limit {
            let own = self.lanes.iter().position(|queue| queue.lane == lane);
            let others = 0..self.lanes.len();
            let oldest = own.into_iter().chain(others).find_map(|at| Some((at, self.lanes[at].oldest()?)));
            let Some((at, (place, offset))) = oldest else { return (false, tally) };
            let (frame, _) = self.cut(at, place, offset);
            tally.messages += 1;
            tally.bytes += frame.length as usize;
        }
        (true, tally)
    }

    /// Puts a frame in the place of a message with the same key, if one waits and there is room for the difference. Gives what was
    /// replaced. So the newest goes out when it would have been the oldest's turn: what changes often does not wait for ever.
    pub(crate) fn replace(
        &mut self,
        lane: Option<Lane>,
        frame: &Bytes,
        key: Key,
        limit: usize,
    ) -> Option<Tally> {
        let at = self.lanes.iter().position(|queue| queue.lane == lane)?;
        let (place, offset) = self.lanes[at].find(key)?;
        let length = self.lanes[at].frames[place].length as usize;
        if self.weight() - length + frame.len() > limit && frame.len() > length {
            return None;
        }
        let queue = &mut self.lanes[at];
        let chunk = queue.cut_bytes(offset, length);
        queue.chunks.insert(chunk, Chunk::Shared(frame.clone()));
        queue.frames[place].length = frame.len() as u32;
        self.bytes = self.bytes - length + frame.len();
        Some(Tally { messages: 1, bytes: length })
    }

    /// What the last message of a lane is about.
    pub(crate) fn mark(&mut self, lane: Option<Lane>, key: Key) {
        let Some(queue) = self.lanes.iter_mut().find(|queue| queue.lane == lane) else { return };
        queue.keys.resize(queue.frames.len(), None);
        if let Some(last) = queue.keys.back_mut() {
            *last = Some(key);
        }
    }

    /// What waits is about nothing.
    pub(crate) fn forget_keys(&mut self) {
        self.lanes.iter_mut().for_each(|queue| queue.keys.clear());
    }

    /// Queues a pong. Those of an earlier turn that still wait, because the peer does not read, are taken out: the newest answers
    /// for all (RFC 6455, section 5.5.3).
    pub(crate) fn push_pong(&mut self, lane: Option<Lane>, now: Time, write: impl FnOnce(&mut BytesMut)) {
        if self.ponged_at < now && self.waiting(Sort::Pong) > 0 {
            self.take_out(lane, Sort::Pong);
        }
        self.ponged_at = now;
        self.push_control(lane, Sort::Pong, write);
    }

    /// So many bytes at the beginning of a lane are in the transport's hands, though not yet written.
    pub(crate) fn in_hand(&mut self, lane: Lane, bytes: usize) {
        if let Some(queue) = self.lanes.iter_mut().find(|queue| queue.lane == Some(lane)) {
            queue.in_hand = bytes;
        }
    }

    /// Takes all frames of one sort out of a lane.
    fn take_out(&mut self, lane: Option<Lane>, sort: Sort) {
        let Some(at) = self.lanes.iter().position(|queue| queue.lane == lane) else { return };
        let (mut place, mut offset) = self.lanes[at].first_free();
        while let Some(frame) = self.lanes[at].frames.get(place) {
            if frame.sort == sort {
                self.cut(at, place, offset);
                if self.lanes.get(at).is_none_or(|queue| queue.lane != lane) {
                    // It was the last.
                    return;
                }
            } else {
                offset += frame.length as usize;
                place += 1;
            }
        }
    }

    /// Takes one frame out; the lane leaves if that was its last. Gives the frame, and the chunk before which its bytes were.
    fn cut(&mut self, at: usize, place: usize, offset: usize) -> (Frame, usize) {
        let queue = &mut self.lanes[at];
        let Some(frame) = queue.frames.remove(place) else { unreachable!("it was found there") };
        queue.keys.remove(place);
        let chunk = queue.cut_bytes(offset, frame.length as usize);
        self.bytes -= frame.length as usize;
        self.frames[frame.sort as usize] -= 1;
        let lane = self.lanes[at].lane;
        self.retire(lane);
        (frame, chunk)
    }
}

impl LaneQueue {
    /// The first frame that the transport has nothing of, and how many bytes are before it.
    fn first_free(&self) -> (usize, usize) {
        let (mut place, mut offset) = (0, 0);
        while let Some(frame) = self.frames.get(place) {
            let begun = place == 0 && self.written > 0;
            if offset >= self.in_hand && !begun {
                break;
            }
            offset += frame.length as usize - if begun { self.written } else { 0 };
            place += 1;
        }
        (place, offset)
    }

    /// The oldest message that may be taken out.
    fn oldest(&self) -> Option<(usize, usize)> {
        let (place, mut offset) = self.first_free();
        for (at, frame) in self.frames.iter().enumerate().skip(place) {
            if frame.sort == Sort::Message {
                return Some((at, offset));
            }
            offset += frame.length as usize;
        }
        None
    }

    /// The message with this key, if it may be taken out.
    fn find(&self, key: Key) -> Option<(usize, usize)> {
        let place = self.keys.iter().rposition(|known| *known == Some(key))?;
        let (first, before) = self.first_free();
        let between = self.frames.range(first.min(place)..place).map(|frame| frame.length as usize);
        (place >= first).then(|| (place, before + between.sum::<usize>()))
    }

    /// Takes bytes out of the middle of the chunks. Gives the chunk before which they were.
    fn cut_bytes(&mut self, offset: usize, length: usize) -> usize {
        let (mut at, mut before) = (0, offset);
        while let Some(chunk) = self.chunks.get(at)
            && chunk.len() <= before
            && before > 0
        {
            before -= chunk.len();
            at += 1;
        }
        if before > 0 {
            let rest = self.chunks[at].split_off(before);
            at += 1;
            self.chunks.insert(at, rest);
        }
        let mut left = length;
        while left > 0 {
            let Some(chunk) = self.chunks.get_mut(at) else { break };
            let part = chunk.len().min(left);
            left -= part;
            if part == chunk.len() {
                self.chunks.remove(at);
            } else {
                chunk.advance(part);
            }
        }
        at
    }
}

impl Chunk {
    /// What is behind so many bytes, as a chunk of its own.
    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Own { buffer, begun } => {
                *begun = true;
                Self::Own { buffer: buffer.split_off(at), begun: true }
            }
            Self::Shared(bytes) => Self::Shared(bytes.split_off(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BY_REFERENCE, Kind};
    use super::*;
    use std::collections::VecDeque;
    use std::io::IoSlice;
    use weir_codec::Wire;

    const ONLY: Option<Lane> = Some(Lane::ONLY);

    /// What should wait: sort, key, what is left of the bytes, and whether some are gone.
    type Model = VecDeque<(Sort, Option<Key>, Vec<u8>, bool)>;

    fn contents(queue: &Queue, lane: Lane) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 600];
        let count = queue.slices(lane, &mut slices);
        slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    /// A frame that can be told from others.
    fn frame(number: u32, length: usize) -> Vec<u8> {
        (0..length as u32).map(|at| (number.wrapping_mul(31) + at) as u8).collect()
    }

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % end
        }
    }

    fn free(model: &Model, in_hand: usize) -> usize {
        let mut before = 0;
        model
            .iter()
            .position(|(_, _, bytes, begun)| {
                let free = before >= in_hand && !begun;
                before += bytes.len();
                free
            })
            .unwrap_or(model.len())
    }

    fn weight(model: &Model) -> usize {
        model.iter().map(|(_, _, bytes, _)| bytes.len() + size_of::<Frame>()).sum::<usize>()
    }

    #[test]
    fn whatever_is_taken_out_the_rest_is_as_it_was() {
        for seed in 1..300 {
            let (mut dice, mut queue, mut model) = (Dice(seed * 7919), Queue::default(), Model::new());
            let (mut in_hand, mut taken_out) = (0_usize, 0);
            for number in 0..400 {
                let length = if dice.below(20) == 0 { BY_REFERENCE } else { dice.below(60) as usize + 1 };
                let bytes = frame(number, length);
                let key = Key::new(dice.below(5));
                match dice.below(10) {
                    0 | 1 => {
                        let owned = Bytes::from(bytes.clone());
                        queue
                            .push(ONLY, &Wire::Datagram, Kind::Binary, &owned, Some(&owned), [0; 4])
                            .unwrap();
                        model.push_back((Sort::Message, None, bytes, false));
                    }
                    2 => {
                        queue.push_shared(ONLY, &bytes.clone().into());
                        queue.mark(ONLY, key);
                        model.push_back((Sort::Message, Some(key), bytes, false));
                    }
                    3 => {
                        queue.push_control(ONLY, Sort::Ping, |out| out.extend_from_slice(&bytes));
                        model.push_back((Sort::Ping, None, bytes, false));
                    }
                    4 => {
                        let now = Time(1 + u64::from(number));
                        queue.push_pong(ONLY, now, |out| out.extend_from_slice(&bytes));
                        let first = free(&model, in_hand);
                        let mut place = 0;
                        model.retain(|(sort, ..)| {
                            place += 1;
                            place <= first || *sort != Sort::Pong
                        });
                        model.push_back((Sort::Pong, None, bytes, false));
                    }
                    5 | 6 => {
                        let most = weight(&model) + dice.below(40) as usize;
                        let first = free(&model, in_hand);
                        let place = model.iter().rposition(|(_, known, ..)| *known == Some(key));
                        let place = place.filter(|place| {
                            let old = model[*place].2.len();
                            *place >= first
                                && (bytes.len() <= old || weight(&model) - old + bytes.len() <= most)
                        });
                        let replaced = queue.replace(ONLY, &bytes.clone().into(), key, most);
                        assert_eq!(replaced.is_some(), place.is_some(), "seed {seed}");
                        if let Some(place) = place {
                            model[place].2 = bytes;
                            taken_out += 1;
                        }
                    }
                    7 => {
                        let limit = dice.below(weight(&model) as u64 + 200) as usize;
                        let (room, tally) = queue.make_room(ONLY, length, limit);
                        for _ in 0..tally.messages {
                            let first = free(&model, in_hand);
                            let oldest = (first..model.len()).find(|at| model[*at].0 == Sort::Message);
                            model.remove(oldest.expect("there was one"));
                            taken_out += 1;
                        }
                        assert_eq!(room, model.is_empty() || weight(&model) + length <= limit, "seed {seed}");
                    }
                    8 => {
                        let all: usize = model.iter().map(|(_, _, bytes, _)| bytes.len()).sum();
                        in_hand = dice.below(all as u64 / 4 + 1) as usize;
                        queue.in_hand(Lane::ONLY, in_hand);
                    }
                    _ => {
                        let all: usize = model.iter().map(|(_, _, bytes, _)| bytes.len()).sum();
                        let mut left = dice.below(all as u64 / 3 + 1) as usize;
                        queue.written(Lane::ONLY, left);
                        in_hand = in_hand.saturating_sub(left);
                        while left > 0 {
                            let (_, _, bytes, begun) = model.front_mut().expect("there were so many");
                            let part = left.min(bytes.len());
                            bytes.drain(..part);
                            *begun = true;
                            left -= part;
                            if bytes.is_empty() {
                                model.pop_front();
                            }
                        }
                    }
                }
                queue.check_invariants();
                let expected: Vec<u8> =
                    model.iter().flat_map(|(_, _, bytes, _)| bytes.iter().copied()).collect();
                assert_eq!(contents(&queue, Lane::ONLY), expected, "seed {seed}, step {number}");
                assert_eq!(queue.is_empty(), model.is_empty());
                if model.is_empty() {
                    in_hand = 0;
                }
            }
            assert!(taken_out > 20, "{taken_out}");
        }
    }

    #[test]
    fn the_oldest_of_its_own_lane_goes_first_and_none_in_vain() {
        let mut queue = Queue::default();
        for lane in [4, 8] {
            for number in 0..3 {
                queue.push_shared(Some(Lane(lane)), &frame(number, 100).into());
            }
        }
        let full = queue.weight();
        let (room, tally) = queue.make_room(Some(Lane(8)), 150, full);
        assert_eq!((room, tally.messages), (true, 2));
        assert_eq!((contents(&queue, Lane(4)).len(), contents(&queue, Lane(8)).len()), (300, 100));
        let (room, tally) = queue.make_room(Some(Lane(8)), 250, full);
        assert_eq!((room, tally.messages), (true, 1));
        assert_eq!(queue.lanes().collect::<Vec<_>>(), [Lane(4)], "then those of the others");
        queue.written(Lane(4), 1);
        let (room, tally) = queue.make_room(Some(Lane(4)), full, full);
        assert_eq!((room, tally.messages), (false, 0), "what is begun stays, and so does the rest");
    }
}
