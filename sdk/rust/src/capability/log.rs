//! Lines in the gateway's log, with the binding's name and generation beside them. For every plugin.
//!
//! ```
//! # use weir_sdk::{Message, Verdict, log, plugin, test::Harness};
//! #[plugin]
//! fn sizes(message: &Message) -> Verdict {
//!     log::debug!("{} bytes of session {}", message.payload().len(), message.session);
//!     Verdict::forward()
//! }
//! # fn main() {
//! # let outcome = Harness::<sizes>::new("").message("four");
//! # assert_eq!(outcome.logs[0].text, "4 bytes of session 1");
//! # }
//! ```
//!
//! The binding's `log_rate` bounds how many lines a second are written; the rest is counted. A line has at most 4 KiB; what
//! is beyond that is cut off.

use super::host;
use std::{borrow::Cow, fmt};

pub use crate::bindings::weir::plugin::log::Level;
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace, __log_warn as warn,
};

/// Writes a line. The macros of this module are shorter.
pub fn write(level: Level, text: fmt::Arguments<'_>) {
    let text = text.as_str().map_or_else(|| Cow::Owned(text.to_string()), Cow::Borrowed);
    host::log::log(level, &text);
}

/// Writes a line at level `trace`, with the syntax of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Trace, ::core::format_args!($($text)+)) };
}

/// Writes a line at level `debug`, with the syntax of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($text)+)) };
}

/// Writes a line at level `info`, with the syntax of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($text)+)) };
}

/// Writes a line at level `warn`, with the syntax of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($text)+)) };
}

/// Writes a line at level `error`, with the syntax of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($text)+)) };
}
