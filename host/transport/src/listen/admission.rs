//! How many connections a listener has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections of a listener over all workers, those in their handshakes among them.
#[derive(Debug)]
pub(crate) struct Admissions {
    limit: usize,
    open: AtomicUsize,
}

/// One connection's place. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Admission(Arc<Admissions>);

impl Admissions {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, open: AtomicUsize::new(0) })
    }

    /// A place, if there is one.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Admission> {
        // Only ever a count: nothing else is read by what it says.
        if self.open.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Some(Admission(Arc::clone(self)));
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_left_is_taken_again() {
        let admissions = Admissions::new(2);
        let first = admissions.enter().unwrap();
        let _second = admissions.enter().unwrap();
        assert!(admissions.enter().is_none());
        drop(first);
        assert!(admissions.enter().is_some());
    }
}
