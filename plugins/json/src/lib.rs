//! Finds values in JSON text without rewriting it: everything that is not looked for stays byte for byte as it was, so
//! numbers keep their digits and members their order.
//!
//! Nothing here recurses on its input: nesting is as deep as a pointer of the config, not as a message.

mod members;
mod pointer;

pub use members::{Member, elements, members};
pub use pointer::Pointer;

/// A stretch of the text, in bytes.
pub type Span = std::ops::Range<usize>;

/// Where `part`, a slice of `whole`, lies in it.
///
/// # Panics
/// Where `part` is not a slice of `whole`.
pub fn span_of(whole: &str, part: &str) -> Span {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let end = start.wrapping_add(part.len());
    assert!(start <= end && end <= whole.len(), "the part is not a slice of the whole");
    start..end
}
