//! When to look at a connection next.
//!
//! A hierarchical timing wheel (Varghese and Lauck, 1987, scheme 7). A tick is 10 ms. The lowest level has a place for each of the next
//! 64 ticks, each level above 64 times as long a time in each of its places. Whoever stands in a high place is moved down when its
//! time begins, which happens once a level at most. Arming and disarming are two links each, whatever there is besides; what is next
//! is a look at one word a level.
//!
//! Links are by the slot of the connection and stand in one vector: nothing is allocated for each, and an armed connection costs
//! what an unarmed one does.

mod ring;
#[cfg(test)]
mod tests;

use crate::time::Time;
use ring::Rings;

const TICK: u64 = 10_000;
/// Bits of a tick that a level tells apart.
const BITS: u32 = 6;
const PLACES: usize = 1 << BITS;
/// Enough for 21 years of ticks. Who waits for longer is woken at their end.
const LEVELS: usize = 6;
const HORIZON: u64 = (1 << (BITS * LEVELS as u32)) - 1;

/// Deadlines of a worker's connections, by slot: each stands in it at most once.
///
/// Whoever is woken looks at its own deadlines, so moving one later costs nothing (the entry fires early and is armed again), and
/// hearing from a peer never touches the wheel.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// The tick up to which everything is done. Nobody stands at an earlier one, and everybody's place follows from it: who stands at a
    /// level agrees with it in all that the levels above tell apart, and is later in what its own does.
    at: u64,
    /// The level of the place whose time has begun, and that is being emptied into the levels below.
    moving: Option<usize>,
    /// Which places of a level have anybody in them.
    occupied: [u64; LEVELS],
    rings: Rings,
}

/// What one step of [`Wheel::due`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The tick of this slot has come. It is no longer in the wheel.
    Due(usize),
    /// One has come nearer to its tick. There is more to do.
    Moved,
    /// Nothing is due.
    Done,
}

/// A deadline rounded up to a tick.
pub(crate) fn tick_of(time: Time) -> u64 {
    time.0.div_ceil(TICK)
}

impl Default for Wheel {
    fn default() -> Self {
        Self { at: 0, moving: None, occupied: [0; LEVELS], rings: Rings::new(LEVELS * PLACES) }
    }
}

impl Wheel {
    /// Stands for "not in the wheel".
    pub(crate) const UNARMED: u64 = u64::MAX;

    /// The tick that a slot stands at.
    pub(crate) fn armed(&self, slot: usize) -> u64 {
        self.rings.tick(slot, Self::UNARMED)
    }

    /// Puts a slot to a tick, wherever it stood before.
    pub(crate) fn arm(&mut self, slot: usize, tick: u64) {
        self.disarm(slot);
        self.rings.set_tick(slot, tick, Self::UNARMED);
        self.place(slot);
    }

    /// Takes a slot out, if it is in.
    pub(crate) fn disarm(&mut self, slot: usize) {
        if self.armed(slot) == Self::UNARMED {
            return;
        }
        self.rings.set_tick(slot, Self::UNARMED, Self::UNARMED);
        self.take(slot);
    }

    /// One step towards what is due: bounded work, whatever has become due at once. Call until it is [`Step::Done`].
    pub(crate) fn due(&mut self, now: Time) -> Step {
        if let Some(level) = self.moving {
            let ring = level * PLACES + digit(self.at, level);
            if let Some(slot) = self.rings.first(ring) {
                self.take(slot);
                self.place(slot);
                return Step::Moved;
            }
            self.moving = None;
        }
        let now = now.0 / TICK;
        let Some((level, start)) = self.earliest().filter(|(_, start)| *start <= now) else {
            // Nobody's time begins before: places are as good from here.
            self.at = self.at.max(now);
            return Step::Done;
        };
        self.at = start;
        if level > 0 {
            self.moving = Some(level);
            return Step::Moved;
        }
        match self.rings.first(digit(start, 0)) {
            Some(slot) => {
                self.disarm(slot);
                Step::Due(slot)
            }
            None => Step::Done,
        }
    }

    /// When [`Wheel::due`] has something to do: not after the earliest deadline, and possibly before it.
    pub(crate) fn next(&self) -> Option<Time> {
        let at = match self.moving {
            Some(_) => self.at,
            None => self.earliest()?.1,
        };
        Some(Time(at * TICK))
    }

    /// The first place with anybody in it: its level, and the tick at which its time begins.
    fn earliest(&self) -> Option<(usize, u64)> {
        let level = self.occupied.iter().position(|places| *places != 0)?;
        let place = u64::from(self.occupied[level].trailing_zeros());
        let shift = BITS * level as u32;
        let above = self.at >> shift >> BITS << BITS;
        Some((level, (above | place) << shift))
    }

    fn place(&mut self, slot: usize) {
        let tick = self.armed(slot).clamp(self.at, self.at | HORIZON);
        let apart = (self.at ^ tick) | 1;
        let level = (apart.ilog2() / BITS) as usize;
        let place = digit(tick, level);
        self.occupied[level] |= 1 << place;
        self.rings.push(level * PLACES + place, slot);
    }

    fn take(&mut self, slot: usize) {
        if let Some(ring) = self.rings.remove(slot) {
            self.occupied[ring / PLACES] &= !(1 << (ring % PLACES));
        }
    }
}

/// What a level tells apart of a tick.
fn digit(tick: u64, level: usize) -> usize {
    (tick >> (BITS * level as u32)) as usize % PLACES
}
