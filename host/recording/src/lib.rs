//! The format of recordings: JSON lines, described in `docs/recording-format.md`.
//!
//! A gateway [writes](Writer) them, within bounds and without what is to stay [secret](Redaction); a replay [reads](Reader) them. This
//! crate knows no gateway, no plugins and no files.

mod body;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod json;
mod line;
mod reader;
mod redact;
mod session;
#[cfg(test)]
mod tests;
mod writer;

pub use body::Body;
pub use line::{
    Answer, Close, Direction, Effect, End, Fate, Gap, Header, Kind, Limits, Line, Message, Open, Plugin,
    Target, Tls, Told, Verdict, Why,
};
pub use reader::{ReadError, Reader};
pub use redact::{BadPointer, Pointer, REDACTED, Redaction};
pub use session::Session;
pub use writer::{Bounds, Writer};

/// The version of the format that is written, and the newest that is read. Within a version fields and kinds of lines are only added.
pub const VERSION: u32 = 1;
