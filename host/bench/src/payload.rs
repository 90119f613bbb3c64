//! What messages carry, and how long they are.

use crate::Error;
use crate::marker::{self, Marker};
use std::path::Path;

/// Longest payload: 64 MiB.
const LONGEST: usize = 64 << 20;
/// What is filled up with: nothing that JSON, lines, or text would have to quote, and nothing that looks like a marker or a command.
const FILLER: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
/// Where a file wants the marker.
const PLACE: &[u8] = b"{marker}";

/// Sizes, and how often each comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(Vec<(usize, u32)>);

impl std::str::FromStr for Mix {
    type Err = String;

    /// `SIZE[:WEIGHT],…`; a size may end in KiB or MiB.
    fn from_str(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let (size, weight) = part.split_once(':').unwrap_or((part, "1"));
            let size = self::size(size).filter(|size| *size <= LONGEST)?;
            let weight = weight.trim().parse().ok().filter(|weight| (1..=1_000_000).contains(weight))?;
            Some((size, weight))
        };
        let wrong = |part: &str| {
            format!(
                "{part:?} is no size; write BYTES or BYTES:WEIGHT, such as 64 or 64:90,4KiB:10 (at most 64MiB, weights from 1 to 1000000)"
            )
        };
        let parts = text.split(',').map(|text| part(text).ok_or_else(|| wrong(text)));
        Ok(Self(parts.collect::<Result<_, _>>()?))
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = self.0.iter().map(|(size, weight)| match self.0.len() {
            1 => size.to_string(),
            _ => format!("{size}:{weight}"),
        });
        f.write_str(&parts.collect::<Vec<_>>().join(","))
    }
}

fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, unit) = match text {
        _ if text.ends_with("KiB") => (&text[..text.len() - 3], 1 << 10),
        _ if text.ends_with("MiB") => (&text[..text.len() - 3], 1 << 20),
        _ => (text, 1),
    };
    digits.trim().parse::<usize>().ok()?.checked_mul(unit)
}

/// The payloads of one thread: each is there once, and is given its marker where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Payloads {
    variants: Vec<Variant>,
    weights: u32,
    random: fastrand::Rng,
}

#[derive(Clone, Debug)]
struct Variant {
    bytes: Vec<u8>,
    /// `None`: there is no room for one.
    marker: Option<usize>,
    /// Of this and those before it.
    up_to: u32,
}

impl Payloads {
    pub(crate) fn of_sizes(mix: &Mix) -> Self {
        // The same bytes every time: two runs are to be alike.
        let mut random = fastrand::Rng::with_seed(0x5765_6972);
        let mut weights = 0;
        let variant = |&(size, weight): &(usize, u32)| {
            weights += weight;
            let bytes = (0..size).map(|_| FILLER[random.usize(..FILLER.len())]).collect();
            Variant { bytes, marker: (size >= marker::LENGTH).then_some(0), up_to: weights }
        };
        let variants = mix.0.iter().map(variant).collect();
        Self { variants, weights, random }
    }

    /// The bytes of a file. Its `{marker}`, if it has one, is where the marker stands.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
        if bytes.len() > LONGEST {
            return Err(Error::PayloadTooLong { path: path.into() });
        }
        Ok(Self::of_bytes(&bytes))
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let at = memchr::memmem::find(bytes, PLACE);
        let bytes = match at {
            Some(at) => [&bytes[..at], &[b'x'; marker::LENGTH], &bytes[at + PLACE.len()..]].concat(),
            None => bytes.to_vec(),
        };
        let variants = vec![Variant { bytes, marker: at, up_to: 1 }];
        Self { variants, weights: 1, random: fastrand::Rng::with_seed(1) }
    }

    /// Another thread's choices are other ones.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = fastrand::Rng::with_seed(seed);
    }

    /// Whether every payload has room for a marker.
    pub(crate) fn are_marked(&self) -> bool {
        self.variants.iter().all(|variant| variant.marker.is_some())
    }

    /// The longest of them.
    pub(crate) fn longest(&self) -> &[u8] {
        let longest = self.variants.iter().max_by_key(|variant| variant.bytes.len());
        longest.map_or(&[][..], |variant| &variant.bytes[..])
    }

    /// The next one.
    #[inline]
    pub(crate) fn next(&mut self, marker: Marker) -> &[u8] {
        let at = if self.variants.len() == 1 {
            0
        } else {
            let point = self.random.u32(..self.weights);
            self.variants.partition_point(|variant| variant.up_to <= point)
        };
        let variant = &mut self.variants[at];
        if let Some(place) = variant.marker
            && let Some(place) = variant.bytes[place..].first_chunk_mut()
        {
            marker.write(place);
        }
        &variant.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marker::{Found, Scanner};

    const MARKER: Marker = Marker { run: 1, connection: 2, sequence: 3, time: 4 };

    #[test]
    fn sizes_and_their_weights_are_read() {
        assert_eq!("64".parse(), Ok(Mix(vec![(64, 1)])));
        assert_eq!("64:90, 4KiB:9,1MiB".parse(), Ok(Mix(vec![(64, 90), (4_096, 9), (1 << 20, 1)])));
        assert_eq!("64:90,4KiB:9".parse::<Mix>().unwrap().to_string(), "64:90,4096:9");
        for broken in ["", "x", "64:", "64:0", "-1", "64,,1", "65MiB", "1GiB", "99999999999999999999"] {
            let error = broken.parse::<Mix>().unwrap_err();
            assert!(error.contains("64:90,4KiB:10"), "{broken}: {error}");
        }
    }

    #[test]
    fn a_mix_comes_as_often_as_it_says() {
        let mut payloads = Payloads::of_sizes(&"32:3,100:1".parse().unwrap());
        assert!(payloads.are_marked());
        let long = (0..10_000).filter(|_| payloads.next(MARKER).len() == 100).count();
        assert!((2_200..2_800).contains(&long), "{long}");
    }

    #[test]
    fn the_smallest_that_is_marked_is_24_bytes() {
        for (size, marked) in [(0, false), (23, false), (24, true), (25, true)] {
            let mut payloads = Payloads::of_sizes(&Mix(vec![(size, 1)]));
            assert_eq!((payloads.are_marked(), payloads.next(MARKER).len()), (marked, size));
        }
    }

    #[test]
    fn a_file_says_where_its_marker_stands() {
        let mut payloads = Payloads::of_bytes(b"{\"id\":\"{marker}\",\"x\":[1,2]}");
        let payload = payloads.next(MARKER).to_vec();
        assert!(payload.starts_with(b"{\"id\":\"~wb") && payload.ends_with(b"\",\"x\":[1,2]}"));
        let mut found = None;
        Scanner::default().scan(&payload, |marker| found = Some(marker));
        assert_eq!(found, Some(Found::Marker(MARKER)));
        assert!(!Payloads::of_bytes(b"nothing").are_marked());
    }
}
