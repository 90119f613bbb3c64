//! Connections by id: slots that are used again under a new generation, so that an id is never.

use crate::id::{ConnId, WorkerId};

#[derive(Debug)]
pub(crate) struct Slab<T> {
    worker: WorkerId,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) fn new(worker: WorkerId) -> Self {
        Self { worker, slots: Vec::new(), free: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// `None`: every slot is taken.
    pub(crate) fn insert(&mut self, value: T) -> Option<ConnId> {
        let at = match self.free.pop() {
            Some(at) => at as usize,
            None if self.slots.len() < ConnId::MAX_SLOTS => {
                // Ids count from generation 1, so that 0 is never a session.
                self.slots.push(Slot { generation: 1, value: None });
                self.slots.len() - 1
            }
            None => return None,
        };
        let slot = &mut self.slots[at];
        let id = ConnId::new(self.worker, at, slot.generation);
        slot.value = Some(value);
        self.len += 1;
        Some(id)
    }

    #[inline]
    pub(crate) fn get(&self, id: ConnId) -> Option<&T> {
        let slot = self.slots.get(id.slot())?;
        if slot.generation != id.generation() || id.worker() != self.worker {
            return None;
        }
        slot.value.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot())?;
        if slot.generation != id.generation() || id.worker() != self.worker {
            return None;
        }
        slot.value.as_mut()
    }

    /// Who is in a slot now.
    pub(crate) fn id_at(&self, at: usize) -> Option<ConnId> {
        let slot = self.slots.get(at)?;
        slot.value.as_ref().map(|_| ConnId::new(self.worker, at, slot.generation))
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<T> {
        self.get(id)?;
        let slot = &mut self.slots[id.slot()];
        let value = slot.value.take();
        self.len -= 1;
        // A slot whose generations are used up is never used again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.slot() as u32);
        }
        value
    }

    /// Slots that are or were taken: those of [`Slab::at`].
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// What is in a slot.
    pub(crate) fn at(&self, slot: usize) -> Option<(ConnId, &T)> {
        let Slot { generation, value } = self.slots.get(slot)?;
        Some((ConnId::new(self.worker, slot, *generation), value.as_ref()?))
    }

    pub(crate) fn ids(&self) -> Vec<ConnId> {
        let occupied = self.slots.iter().enumerate().filter(|(_, slot)| slot.value.is_some());
        occupied.map(|(at, slot)| ConnId::new(self.worker, at, slot.generation)).collect()
    }

    #[cfg(any(test, debug_assertions))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_used_again() {
        let mut slab = Slab::new(WorkerId(3));
        let first = slab.insert("a").unwrap();
        assert_eq!(first.worker(), WorkerId(3));
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b").unwrap();
        assert_ne!(first, second);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&"b")));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn an_id_of_another_worker_is_nobody() {
        let mut slab = Slab::new(WorkerId(0));
        let id = slab.insert(()).unwrap();
        assert!(slab.get(ConnId::from_raw(id.raw() | 1 << 24)).is_none());
    }
}
