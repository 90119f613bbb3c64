//! Doubly linked rings through one vector, sixteen bytes a slot, its tick among them: whoever follows a link needs both.

/// Slots are below 2²⁴; from here on they are the rings' own.
const HEADS: u32 = 1 << 24;

/// Rings that slots stand in, each slot in one at most. Whoever pushes and removes knows which slots stand in any.
#[derive(Debug)]
pub(super) struct Rings {
    heads: Box<[Links]>,
    slots: Vec<Links>,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    before: u32,
    after: u32,
    tick: u64,
}

impl Rings {
    /// So many rings, with nothing in them.
    pub(super) fn new(count: usize) -> Self {
        let head = |at| Links { before: HEADS + at as u32, after: HEADS + at as u32, tick: 0 };
        Self { heads: (0..count).map(head).collect(), slots: Vec::new() }
    }

    /// The tick of a slot; `none` for one that never had any.
    pub(super) fn tick(&self, slot: usize, none: u64) -> u64 {
        self.slots.get(slot).map_or(none, |links| links.tick)
    }

    /// Sets the tick of a slot; `none` is that of slots before it that never had any.
    pub(super) fn set_tick(&mut self, slot: usize, tick: u64, none: u64) {
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, Links { before: 0, after: 0, tick: none });
        }
        self.slots[slot].tick = tick;
    }

    /// The slot that has stood in a ring for longest.
    pub(super) fn first(&self, ring: usize) -> Option<usize> {
        let after = self.heads[ring].after;
        (after < HEADS).then_some(after as usize)
    }

    /// Puts a slot that stands in no ring at the end of one.
    pub(super) fn push(&mut self, ring: usize, slot: usize) {
        let head = HEADS + ring as u32;
        let last = self.heads[ring].before;
        let links = &mut self.slots[slot];
        (links.before, links.after) = (last, head);
        self.at(last).after = slot as u32;
        self.heads[ring].before = slot as u32;
    }

    /// Takes a slot out of its ring; gives the ring if nobody is left in it.
    pub(super) fn remove(&mut self, slot: usize) -> Option<usize> {
        let Links { before, after, .. } = self.slots[slot];
        self.at(before).after = after;
        self.at(after).before = before;
        (before == after && before >= HEADS).then(|| (before - HEADS) as usize)
    }

    /// What slots take, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.slots[..])
    }

    fn at(&mut self, link: u32) -> &mut Links {
        if link < HEADS { &mut self.slots[link as usize] } else { &mut self.heads[(link - HEADS) as usize] }
    }
}
