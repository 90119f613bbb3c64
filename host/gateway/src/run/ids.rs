//! Numbers of bindings: the same for as long as there is a binding of the name.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use weir_core::BindingId;

/// So many numbers are given before one is given again: a session may still know what it was for.
const RESTING: usize = 1024;

/// Which binding has which number.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    given: HashMap<Arc<str>, BindingId>,
    /// Of bindings that are forgotten, the longest first.
    free: VecDeque<BindingId>,
    next: u16,
}

impl Ids {
    /// The number of a binding. `None`: 65,536 bindings have one.
    pub(crate) fn of(&mut self, name: &Arc<str>) -> Option<BindingId> {
        if let Some(id) = self.given.get(name) {
            return Some(*id);
        }
        let fresh = (self.free.len() < RESTING).then(|| self.next.checked_add(1)).flatten();
        let id = match fresh {
            Some(next) => BindingId(std::mem::replace(&mut self.next, next)),
            None => self.free.pop_front()?,
        };
        self.given.insert(name.clone(), id);
        Some(id)
    }

    /// There is no such binding any more.
    pub(crate) fn forget(&mut self, name: &str) {
        self.free.extend(self.given.remove(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_last_and_come_back_late() {
        let mut ids = Ids::default();
        let name = |number: usize| Arc::<str>::from(number.to_string());
        let first = ids.of(&name(0));
        assert_eq!(ids.of(&name(0)), first);
        ids.forget("0");
        for number in 1..=200_000 {
            let id = ids.of(&name(number)).expect("one is free");
            assert!(number >= RESTING || Some(id) != first, "{number}");
            ids.forget(&number.to_string());
        }
        assert!(usize::from(ids.next) <= RESTING + 1);
        let all = (0..70_000).filter(|number| ids.of(&name(*number)).is_some()).count();
        assert_eq!(all, usize::from(u16::MAX));
    }
}
