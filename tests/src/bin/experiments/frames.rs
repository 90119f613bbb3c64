//! Length-prefixed messages: as much of a gateway's work as every server here has to do.

use std::time::{Duration, Instant};

/// The prefix, big endian.
const PREFIX: usize = 4;
/// Longer ones are refused: nothing is kept by the length that a peer claims.
const LONGEST: usize = 1 << 20;

/// What stands between the messages of two reads.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    /// The beginning of a message.
    partial: Vec<u8>,
}

impl Deframer {
    /// Gives every whole message, with its prefix, to `each`; how many there were. `None`: no message can be so long.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> Option<usize> {
        let mut count = 0;
        if !self.partial.is_empty() {
            // At most one message of those that were begun: it is completed first.
            while let Some((next, rest)) = bytes.split_first() {
                self.partial.push(*next);
                bytes = rest;
                if whole(&self.partial)? == Some(self.partial.len()) {
                    each(&self.partial);
                    count += 1;
                    // Nothing stays allocated for a session that has nothing begun.
                    self.partial = Vec::new();
                    break;
                }
            }
        }
        while let Some(length) = whole(bytes)? {
            let (message, rest) = bytes.split_at(length);
            each(message);
            count += 1;
            bytes = rest;
        }
        if !bytes.is_empty() {
            self.partial.extend(bytes);
        }
        Some(count)
    }
}

/// The length of the first message with its prefix, if all of it is there. Outer `None`: it is too long.
#[expect(clippy::option_option, reason = "too long, not all there, this long")]
fn whole(bytes: &[u8]) -> Option<Option<usize>> {
    let Some((prefix, _)) = bytes.split_first_chunk::<PREFIX>() else { return Some(None) };
    let length = u32::from_be_bytes(*prefix) as usize;
    (length <= LONGEST).then(|| Some(PREFIX + length).filter(|length| *length <= bytes.len()))
}

/// Uses the processor for so long: what a plugin would do.
pub(crate) fn work(time: Duration) {
    if time.is_zero() {
        return;
    }
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::Deframer;

    #[test]
    fn messages_come_out_whole_wherever_the_reads_end() {
        let stream = b"\0\0\0\x02ab\0\0\0\0\0\0\0\x03xyz";
        for first in 0..stream.len() {
            let mut deframer = Deframer::default();
            let mut found = Vec::new();
            let (one, two) = stream.split_at(first);
            let count: usize = [one, two]
                .iter()
                .map(|part| deframer.take(part, |it| found.push(it.to_vec())).unwrap())
                .sum();
            assert_eq!(count, 3);
            assert_eq!(found.concat(), stream);
        }
        assert_eq!(Deframer::default().take(&[0xff; 8], |_| {}), None);
    }
}
