//! The mark inside a payload by which a message is known again, wherever a server puts it.
//!
//! 24 characters of `A–Z a–z 0–9 - _` behind a `~`, so that it passes through JSON, lines, URLs and text frames as it is:
//!
//! | characters | what |
//! | --- | --- |
//! | 3 | `~wb` |
//! | 2 | which run: a message of an earlier one is told from this one's |
//! | 4 | the connection that sent it |
//! | 6 | its number among those of that connection |
//! | 8 | when it was sent, or should have been: nanoseconds since the run began |
//! | 1 | a check over all of that |

/// Of a marker; also the smallest payload that can hold one.
pub(crate) const LENGTH: usize = 24;
const MAGIC: &[u8; 3] = b"~wb";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// What is no character of the alphabet.
const NONE: u8 = 0xff;
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values
};

/// Connections that can be told apart.
pub(crate) const MOST_CONNECTIONS: u32 = 1 << 24;

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// 12 bits.
    pub(crate) run: u16,
    /// 24 bits.
    pub(crate) connection: u32,
    /// 36 bits.
    pub(crate) sequence: u64,
    /// 48 bits of nanoseconds: more than three days.
    pub(crate) time: u64,
}

impl Marker {
    #[inline]
    pub(crate) fn write(self, out: &mut [u8; LENGTH]) {
        out[..3].copy_from_slice(MAGIC);
        put(&mut out[3..5], u64::from(self.run));
        put(&mut out[5..9], u64::from(self.connection));
        put(&mut out[9..15], self.sequence);
        put(&mut out[15..23], self.time);
        out[23] = ALPHABET[self.check()];
    }

    /// `None`: it begins like one, and is damaged.
    #[inline]
    fn read(bytes: &[u8; LENGTH]) -> Option<Self> {
        let mut bad = 0;
        let mut take = |range: &[u8]| {
            range.iter().fold(0_u64, |value, byte| {
                let six = VALUES[usize::from(*byte)];
                bad |= six & 0x80;
                value << 6 | u64::from(six & 0x3f)
            })
        };
        let marker = Self {
            run: take(&bytes[3..5]) as u16,
            connection: take(&bytes[5..9]) as u32,
            sequence: take(&bytes[9..15]),
            time: take(&bytes[15..23]),
        };
        let check = take(&bytes[23..]);
        (bad == 0 && check == marker.check() as u64).then_some(marker)
    }

    fn check(self) -> usize {
        let all = self.time ^ self.sequence << 28 ^ u64::from(self.connection) << 12 ^ u64::from(self.run);
        (all.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }
}

#[inline]
fn put(out: &mut [u8], mut value: u64) {
    for byte in out.iter_mut().rev() {
        *byte = ALPHABET[(value & 0x3f) as usize];
        value >>= 6;
    }
}

/// What stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Marker(Marker),
    /// The beginning of a marker with something else behind it.
    Damaged,
}

/// Looks for markers in what one connection receives. A server that sends a stream in frames may cut a marker in two: its beginning
/// is kept until the next message.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    kept: Option<Box<Kept>>,
}

#[derive(Debug)]
struct Kept {
    bytes: [u8; LENGTH],
    length: usize,
}

impl Scanner {
    /// Tells of each that ends in this message.
    #[inline]
    pub(crate) fn scan(&mut self, payload: &[u8], mut tell: impl FnMut(Found)) {
        let mut at = match self.kept.take() {
            Some(kept) => self.resume(*kept, payload, &mut tell),
            None => 0,
        };
        while let Some(offset) = memchr::memchr(MAGIC[0], &payload[at..]) {
            at += offset;
            let rest = &payload[at..];
            let Some(bytes) = rest.first_chunk::<LENGTH>() else {
                if begins(rest) {
                    let mut kept = Box::new(Kept { bytes: [0; LENGTH], length: rest.len() });
                    kept.bytes[..rest.len()].copy_from_slice(rest);
                    self.kept = Some(kept);
                    return;
                }
                at += 1;
                continue;
            };
            if !begins(bytes) {
                at += 1;
                continue;
            }
            if let Some(marker) = Marker::read(bytes) {
                tell(Found::Marker(marker));
                at += LENGTH;
            } else {
                tell(Found::Damaged);
                at += 1;
            }
        }
    }

    /// Puts the two parts together; gives how much of the payload that took.
    fn resume(&mut self, mut kept: Kept, payload: &[u8], tell: &mut impl FnMut(Found)) -> usize {
        loop {
            let before = kept.length;
            let taken = payload.len().min(LENGTH - before);
            kept.bytes[before..][..taken].copy_from_slice(&payload[..taken]);
            let length = before + taken;
            if begins(&kept.bytes[..length]) {
                if length < LENGTH {
                    self.kept = Some(Box::new(Kept { length, ..kept }));
                    return taken;
                }
                if let Some(marker) = Marker::read(&kept.bytes) {
                    tell(Found::Marker(marker));
                    return taken;
                }
                tell(Found::Damaged);
            }
            // Another may begin behind that one's beginning; else what follows is looked at from its own.
            let Some(next) = (1..before).find(|at| begins(&kept.bytes[*at..before])) else { return 0 };
            kept.bytes.copy_within(next..before, 0);
            kept.length = before - next;
        }
    }
}

/// Whether this is, or may become, a marker.
fn begins(bytes: &[u8]) -> bool {
    let length = bytes.len().min(MAGIC.len());
    bytes[..length] == MAGIC[..length]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(marker: Marker) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        marker.write(&mut bytes);
        bytes
    }

    fn found(scanner: &mut Scanner, payload: &[u8]) -> Vec<Found> {
        let mut all = Vec::new();
        scanner.scan(payload, |found| all.push(found));
        all
    }

    fn some(sequence: u64) -> Marker {
        Marker { run: 7, connection: 1234, sequence, time: 99_999_999_999 }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(run in 0_u16..1 << 12, connection in 0_u32..1 << 24, sequence in 0_u64..1 << 36, time in 0_u64..1 << 48) {
            let marker = Marker { run, connection, sequence, time };
            let text = text(marker);
            prop_assert!(text.iter().all(u8::is_ascii_graphic));
            prop_assert_eq!(found(&mut Scanner::default(), &text), [Found::Marker(marker)]);
        }
    }

    #[test]
    fn several_in_one_message_are_all_found_wherever_they_stand() {
        let message =
            [&b"{\"a\":\"~w"[..], &text(some(1)), b"\",~~wb", &text(some(2)), &text(some(3)), b"~"].concat();
        let found = found(&mut Scanner::default(), &message);
        // The beginning of one that never was is told, too.
        assert_eq!(found[0], Found::Marker(some(1)));
        assert_eq!(found[1], Found::Damaged);
        assert_eq!(found[2..], [Found::Marker(some(2)), Found::Marker(some(3))]);
    }

    #[test]
    fn one_that_is_cut_anywhere_is_found_once() {
        let message = [&b"MSG x 24\r\n"[..], &text(some(5)), b"\r\n"].concat();
        for first in 0..=message.len() {
            for second in first..=message.len() {
                let mut scanner = Scanner::default();
                let parts = [&message[..first], &message[first..second], &message[second..]];
                let all: Vec<_> = parts.iter().flat_map(|part| found(&mut scanner, part)).collect();
                assert_eq!(all, [Found::Marker(some(5))], "cut at {first} and {second}");
            }
        }
    }

    /// A server's own text may look like the beginning of one.
    #[test]
    fn one_that_is_cut_is_found_behind_the_beginning_of_another() {
        let message = [&b"~wb~w~wb"[..], &text(some(5))].concat();
        for cut in 0..=message.len() {
            let mut scanner = Scanner::default();
            let parts = [&message[..cut], &message[cut..]];
            let all: Vec<_> = parts.iter().flat_map(|part| found(&mut scanner, part)).collect();
            assert_eq!(all, [Found::Damaged, Found::Damaged, Found::Marker(some(5))], "cut at {cut}");
        }
    }

    #[test]
    fn a_change_in_one_is_told() {
        let mut changed = text(some(5));
        changed[10] = b'*';
        assert_eq!(found(&mut Scanner::default(), &changed), [Found::Damaged]);
        let mut changed = text(some(5));
        changed[12] = if changed[12] == b'A' { b'B' } else { b'A' };
        assert_eq!(found(&mut Scanner::default(), &changed), [Found::Damaged]);
    }

    #[test]
    fn a_beginning_that_nothing_follows_is_no_marker() {
        let mut scanner = Scanner::default();
        assert_eq!(found(&mut scanner, b"ends with a ~"), []);
        assert_eq!(found(&mut scanner, &text(some(1))), [Found::Marker(some(1))]);
    }
}
