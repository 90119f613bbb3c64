//! What one binding may use.

use std::time::Duration;

/// The least native stack of a call, in bytes; stacks are multiples of it, see [`PluginLimits::stack`].
pub const STACK_STEP: usize = 64 << 10;
/// The most native stack of a call: a worker's thread has twice as much.
pub const MAX_STACK: usize = 1 << 20;

/// Limits of one binding; each holds for one instance, on one worker, where nothing else is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// Linear memory of an instance, in bytes.
    pub memory: usize,
    /// Table elements of an instance; each takes a pointer.
    pub table_elements: usize,
    /// The native stack of a call, in bytes: a multiple of [`STACK_STEP`] up to [`MAX_STACK`]; what is not is made one. The engine
    /// keeps it for all that it runs, so there is an engine for each size: few.
    pub stack: usize,
    /// How much time of the processor a call may take; the grain is a millisecond.
    pub deadline: Duration,
    /// The same for `describe`, and for making and configuring an instance.
    pub setup_deadline: Duration,
    /// Calls of the host by one call of the plugin.
    pub host_calls: u32,
    /// Payloads, names and values of one call's verdict and effects together, in bytes.
    pub max_output: usize,
    /// Effects of one call.
    pub max_effects: usize,
    /// Log lines a second, per worker.
    pub log_rate: u32,
    /// Bytes of the key-value store, over all workers.
    pub kv_bytes: usize,
    /// Keys of it, over all workers.
    pub kv_keys: usize,
    /// Bytes of messages that it holds.
    pub max_held: usize,
    /// Bytes of linear memory from which on an instance is renewed; `None`: three quarters of `memory`.
    pub renew_memory: Option<usize>,
    /// Calls after which an instance is renewed: what a plugin leaks slowly ends there.
    pub renew_calls: u64,
    /// Failures in a row on one worker after which no instance is made any more; 0: never.
    pub quarantine: u32,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory: 16 << 20,
            table_elements: 100_000,
            stack: 512 << 10,
            deadline: Duration::from_millis(10),
            setup_deadline: Duration::from_millis(250),
            host_calls: 10_000,
            max_output: 256 << 10,
            max_effects: 64,
            log_rate: 100,
            kv_bytes: 64 << 20,
            kv_keys: 1_000_000,
            max_held: 16 << 20,
            renew_memory: None,
            renew_calls: 10_000_000,
            quarantine: 8,
        }
    }
}

impl PluginLimits {
    /// The most bytes that one crossing from the plugin into the host may make the host allocate: all output at once, or the largest
    /// key and value, and the fixed parts of the records around them.
    pub(crate) fn crossing(&self) -> usize {
        self.max_output.max(crate::store::MAX_KEY + 2 * crate::store::MAX_VALUE) + 4096
    }

    /// The stack as the engines have it.
    pub(crate) fn stack_size(&self) -> usize {
        self.stack.clamp(STACK_STEP, MAX_STACK).next_multiple_of(STACK_STEP)
    }

    /// Bytes of memory from which on an instance that began with `initial` is worn. One that begins there or above would be renewed
    /// after each call: it may take half of what is left.
    pub(crate) fn high_water(&self, initial: usize) -> usize {
        let mark = self.renew_memory.unwrap_or(self.memory / 4 * 3);
        if mark > initial { mark } else { usize::midpoint(initial, self.memory) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_few() {
        let of = |stack| PluginLimits { stack, ..PluginLimits::default() }.stack_size();
        assert_eq!([of(0), of(65_537), of(512 << 10), of(usize::MAX)], [65_536, 131_072, 512 << 10, 1 << 20]);
    }

    #[test]
    fn an_instance_that_begins_worn_has_room_all_the_same() {
        let limits = PluginLimits { memory: 1000, ..PluginLimits::default() };
        assert_eq!((limits.high_water(100), limits.high_water(900)), (750, 950));
        let limits = PluginLimits { renew_memory: Some(200), ..limits };
        assert_eq!((limits.high_water(100), limits.high_water(200)), (200, 600));
    }
}
