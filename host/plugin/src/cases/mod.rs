//! A plugin's own tests: cases in a small text format, in files beside its source and in a custom section of the built file.
//!
//! One runner for both: `weir plugin test`, and the try-out of every new generation.

mod parse;
mod run;
mod section;

pub use parse::{Case, CaseError, Cases};
pub use run::CaseOutcome;
pub use section::{SECTION, SectionError, embed};

pub(crate) use section::read;

/// The most bytes of all cases of a file together.
pub(crate) const MAX_BYTES: usize = 64 << 10;
/// The most cases.
pub(crate) const MAX_CASES: usize = 256;
/// The most steps of all cases together.
pub(crate) const MAX_STEPS: usize = 4096;
