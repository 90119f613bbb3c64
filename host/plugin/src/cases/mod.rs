//! A plugin's own tests: cases in a small text format, in files beside its source and in a custom section of the built file.
//!
//! One runner for both: `weir plugin test`, and the try-out of every new generation.

mod bounds;
mod parse;
mod run;
mod section;

pub use parse::{Case, CaseError, Cases};
pub use run::CaseOutcome;
pub use section::{SECTION, SectionError, embed};

pub(crate) use bounds::{MAX_BYTES, MAX_CASES, MAX_STEPS};
pub(crate) use section::read;
