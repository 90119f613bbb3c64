//! Figures of the plugin's own, shown as `weir_custom_<name>` with the binding as a label. For every plugin.
//!
//! At most 64 names a binding, each of `[a-z0-9_]` and at most 64 bytes. They act at once.

use super::host::metrics;

/// Adds to a counter.
pub fn count(name: &str, by: u64) {
    metrics::count(name, by);
}

/// Sets a gauge.
pub fn gauge(name: &str, value: f64) {
    metrics::gauge(name, value);
}

/// Adds a value to a histogram.
pub fn observe(name: &str, value: f64) {
    metrics::observe(name, value);
}
