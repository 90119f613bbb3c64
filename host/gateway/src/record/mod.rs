//! Recording a listener's messages: the admin server's part, and the command `weir record`.
//!
//! workers → [`Recorder`] (one of those who [look on](crate::tap); bounded, counts what does not fit) → [`Scribe`] (lines of the format,
//! redacted, within bounds) → the answer to `/v1/record` → the file of whoever asked

mod command;
mod header;
mod options;
mod recorder;
mod scribe;

pub(crate) use command::run;
pub(crate) use header::{header, micros};
pub(crate) use options::{Wanted, size, time};
pub(crate) use recorder::{Recorder, Recording};
pub(crate) use scribe::Scribe;
