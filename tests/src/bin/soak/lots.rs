//! Chance that can be repeated: as far as it is the seed's and not the scheduler's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// A generator of one task. Knuth's constants.
#[derive(Clone, Debug)]
pub(crate) struct Lots(u64);

impl Lots {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One for another task.
    pub(crate) fn fork(&self, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.0, name).hash(&mut hasher);
        Self(hasher.finish())
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Between half of it and half more.
    pub(crate) fn about(&mut self, time: Duration) -> Duration {
        time / 2 + time * self.below(1_000) as u32 / 1_000
    }
}
