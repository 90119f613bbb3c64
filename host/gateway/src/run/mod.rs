//! `weir run`, and what `weir check` shares with it.

mod assemble;
mod banner;
mod check;
mod conflate;
mod directory;
mod json;
mod keeper;
mod load;
mod overload;
mod shared;
mod signals;
mod start;
mod when;
mod worker;

pub(crate) use assemble::plugin_runtime;
pub(crate) use check::check;
pub(crate) use shared::{BindingView, Shared};
pub(crate) use start::run;
