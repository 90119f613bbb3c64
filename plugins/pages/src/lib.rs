//! Holds the pages about plugins to what the plugins do: the examples of the guide compile and pass, and the configs on
//! the pages of `docs/plugins` are accepted. There is nothing here to use.

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugin-guide.md")]
pub struct Guide;
