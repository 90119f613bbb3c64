//! Counts what an instance's memories and tables take.

use crate::limits::PluginLimits;
use crate::store::Budget;

/// The wasm engine asks it before each growth.
#[derive(Debug)]
pub(crate) struct Limiter {
    max_memory: usize,
    max_elements: usize,
    memory: usize,
    elements: usize,
    refused: Option<Budget>,
}

impl Limiter {
    pub(crate) fn new(limits: &PluginLimits) -> Self {
        Self {
            max_memory: limits.memory,
            max_elements: limits.table_elements,
            memory: 0,
            elements: 0,
            refused: None,
        }
    }

    /// Bytes of all linear memories of the instance, now.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Of what a growth was refused since the last [`Limiter::begin`]: a guest that gets no memory usually traps as if it had
    /// panicked, and this is how the two are told apart.
    pub(crate) fn refused(&self) -> Option<Budget> {
        self.refused
    }

    pub(crate) fn begin(&mut self) {
        self.refused = None;
    }

    fn admit(&mut self, within: bool, budget: Budget, total: impl FnOnce(&mut Self)) -> bool {
        if within {
            total(self);
        } else {
            self.refused = Some(budget);
        }
        within
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        // Growth beyond the memory's own maximum would fail afterwards without another word; it must not be added.
        let within = total <= self.max_memory && maximum.is_none_or(|maximum| desired <= maximum);
        Ok(self.admit(within, Budget::Memory, |limiter| limiter.memory = total))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired.saturating_sub(current));
        let within = total <= self.max_elements && maximum.is_none_or(|maximum| desired <= maximum);
        Ok(self.admit(within, Budget::Table, |limiter| limiter.elements = total))
    }

    // A component of one plugin is one core module, the adapters that the encoder puts around it, and what a language runtime adds.
    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::ResourceLimiter as _;

    #[test]
    fn memories_share_one_limit_and_a_refusal_is_remembered() {
        let limits = PluginLimits { memory: 1000, ..PluginLimits::default() };
        let mut limiter = Limiter::new(&limits);
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        assert!(!limiter.memory_growing(0, 600, None).unwrap());
        assert_eq!(limiter.refused(), Some(Budget::Memory));
        assert_eq!(limiter.memory(), 600);
        limiter.begin();
        assert!(limiter.memory_growing(600, 1000, None).unwrap());
        assert_eq!(limiter.refused(), None);
    }
}
