//! What one binding may use.

use std::time::Duration;

/// Limits of one binding; each holds for one instance, on one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// Linear memory of an instance, in bytes.
    pub memory: usize,
    /// Table elements of an instance; each takes a pointer.
    pub table_elements: usize,
    /// How much time of the processor a call may take; the grain is a millisecond.
    pub deadline: Duration,
    /// The same for `describe`, and for making and configuring an instance.
    pub setup_deadline: Duration,
    /// Payloads, names and values of one call's verdict and effects together, in bytes.
    pub max_output: usize,
    /// Effects of one call.
    pub max_effects: usize,
    /// Log lines a second, per worker.
    pub log_rate: u32,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory: 16 << 20,
            table_elements: 100_000,
            deadline: Duration::from_millis(10),
            setup_deadline: Duration::from_millis(250),
            max_output: 256 << 10,
            max_effects: 64,
            log_rate: 100,
        }
    }
}

impl PluginLimits {
    /// The most bytes that one crossing from the plugin into the host may make the host allocate: all output at once, or the largest
    /// key and value, and the fixed parts of the records around them.
    pub(crate) fn crossing(&self) -> usize {
        self.max_output.max(crate::store::MAX_KEY + 2 * crate::store::MAX_VALUE) + 4096
    }
}
