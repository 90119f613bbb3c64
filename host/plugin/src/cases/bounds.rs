//! How much a file's cases may be.

/// The most bytes of all cases of a file together.
pub(crate) const MAX_BYTES: usize = 64 << 10;
/// The most cases.
pub(crate) const MAX_CASES: usize = 256;
/// The most steps of all cases together.
pub(crate) const MAX_STEPS: usize = 4096;
