//! Time and chance as an argument: what a replay tells plugins instead of the machine.

use std::sync::atomic::{AtomicU64, Ordering};

/// Fuel that stands for a millisecond of a deadline: about one unit an instruction of WebAssembly. It is more than most cores get
/// through, so that a call that was in time when it was recorded is in time when it is replayed; one that loops ends on every machine
/// at the same instruction.
pub const FUEL_PER_MILLISECOND: u64 = 3_000_000;

/// What plugins of one runtime see of time and chance, told before each call: the same calls with the same script give the same
/// answers, on every machine.
///
/// A runtime that has one ([`RuntimeOptions::script`](crate::RuntimeOptions::script)) ends calls by the fuel that they used, see
/// [`FUEL_PER_MILLISECOND`], and looks at no clock. It is for one thread that calls; another one would see its moments.
#[derive(Debug, Default)]
pub struct Script {
    seed: u64,
    call: AtomicU64,
    now: AtomicU64,
    monotonic: AtomicU64,
}

/// What the script says until it says something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Chance begins anew with each number, so that a plugin that asks for more of it in one call has the same in the next.
    pub call: u64,
    /// What `clock.now` gives: milliseconds since 1970.
    pub now: u64,
    /// What `clock.monotonic` gives, and what the lifetimes of keys count by: milliseconds.
    pub monotonic: u64,
}

impl Script {
    /// A script at its beginning, when all clocks stand at 0.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Says what time it is from now on.
    pub fn tell(&self, moment: Moment) {
        self.call.store(moment.call, Ordering::Relaxed);
        self.now.store(moment.now, Ordering::Relaxed);
        self.monotonic.store(moment.monotonic, Ordering::Relaxed);
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            call: self.call.load(Ordering::Relaxed),
            now: self.now.load(Ordering::Relaxed),
            monotonic: self.monotonic.load(Ordering::Relaxed),
        }
    }

    /// Fills with what follows the first `drawn` numbers of a call, and counts on. Not for secrets.
    pub(crate) fn fill(&self, call: u64, drawn: &mut u64, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawing = splitmix(splitmix(self.seed ^ call).wrapping_add(*drawn));
            *drawn += 1;
            chunk.copy_from_slice(&drawing.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Steele, Lea and Flood: Fast splittable pseudorandom number generators (2014).
fn splitmix(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(script: &Script, call: u64, counts: &[usize]) -> Vec<Vec<u8>> {
        let mut drawn = 0;
        let mut one = |count: &usize| {
            let mut bytes = vec![0; *count];
            script.fill(call, &mut drawn, &mut bytes);
            bytes
        };
        counts.iter().map(&mut one).collect()
    }

    #[test]
    fn chance_is_the_same_for_the_same_call_and_seed() {
        let script = Script::new(7);
        let drawn = draw(&script, 3, &[16, 5]);
        assert_eq!(drawn, draw(&Script::new(7), 3, &[16, 5]));
        assert_ne!(drawn, draw(&script, 4, &[16, 5]));
        assert_ne!(drawn, draw(&Script::new(8), 3, &[16, 5]));
        assert_ne!(drawn[0][..8], drawn[0][8..], "it goes on within a call");
        assert_ne!(drawn[0][..5], drawn[1][..]);
    }
}
