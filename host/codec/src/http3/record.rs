//! Type, length, value: HTTP/3's frames (RFC 9114, section 7.1), and the capsules in them (RFC 9297, section 3.2).

use super::varint;

/// Cuts bytes into records. Keeps nothing of their values.
#[derive(Debug, Default)]
pub(super) struct Records {
    head: [u8; 16],
    filled: u8,
    /// Bytes of the value that are to come; `None`: between records, or in a head.
    left: Option<u64>,
}

/// What came of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Its type, and its length.
    Begin(u64, u64),
    /// Some of its value.
    Value(&'a [u8]),
    /// It is whole.
    End,
}

impl Records {
    /// How many bytes may be read without reading beyond the head or the value that is looked at; at least one.
    pub(super) fn wants(&self) -> usize {
        match self.left {
            Some(left) => usize::try_from(left).unwrap_or(usize::MAX).max(1),
            None => self.missing().max(1),
        }
    }

    /// The next part, which is taken from the beginning of `input`; `None`: it is used up.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        match self.left {
            Some(0) => {
                *self = Self::default();
                Some(Part::End)
            }
            Some(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                if length == 0 {
                    return None;
                }
                let (value, rest) = input.split_at(length);
                *input = rest;
                self.left = Some(left - length as u64);
                Some(Part::Value(value))
            }
            None => {
                while self.missing() > 0 {
                    let (byte, rest) = input.split_first()?;
                    *input = rest;
                    self.head[usize::from(self.filled)] = *byte;
                    self.filled += 1;
                }
                let (kind, at) = varint::decode(&self.head)?;
                let (length, _) = varint::decode(&self.head[at..])?;
                self.left = Some(length);
                Some(Part::Begin(kind, length))
            }
        }
    }

    /// Bytes of the head that are known to be missing.
    fn missing(&self) -> usize {
        let head = &self.head[..usize::from(self.filled)];
        let needed = head.first().map_or(1, |first| {
            let kind = varint::length(*first);
            kind + head.get(kind).map_or(1, |length| varint::length(*length))
        });
        needed - head.len()
    }
}

/// Appends one whole.
pub(super) fn encode(kind: u64, value: &[u8], out: &mut Vec<u8>) {
    varint::encode(kind, out);
    varint::encode(value.len() as u64, out);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_however_they_are_cut() {
        let mut bytes = Vec::new();
        encode(0x41, b"", &mut bytes);
        encode(1, b"abc", &mut bytes);
        encode(1 << 40, &[7; 300], &mut bytes);
        for cut in 1..bytes.len() {
            let mut records = Records::default();
            let mut seen = Vec::new();
            for mut part in bytes.chunks(cut) {
                while let Some(part) = records.next(&mut part) {
                    match part {
                        Part::Begin(kind, length) => seen.push((kind, length, Vec::new())),
                        Part::Value(value) => seen.last_mut().unwrap().2.extend_from_slice(value),
                        Part::End => {}
                    }
                }
            }
            assert!(records.left.is_none() && records.filled == 0);
            let expected = [(0x41, 0, vec![]), (1, 3, b"abc".to_vec()), (1 << 40, 300, vec![7; 300])];
            assert_eq!(seen, expected, "{cut}");
        }
    }
}
