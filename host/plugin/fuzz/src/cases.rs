//! The cases of a file without what runs them.

#[path = "../../src/cases/bounds.rs"]
mod bounds;
#[path = "../../src/cases/parse.rs"]
mod parse;
#[path = "../../src/cases/section.rs"]
mod section;

pub(crate) use bounds::{MAX_BYTES, MAX_CASES, MAX_STEPS};
pub(crate) use parse::Cases;
pub(crate) use section::{embed, read};
