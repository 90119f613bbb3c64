//! `weir run`, and what `weir check` shares with it.

mod assemble;
mod banner;
mod check;
mod config_files;
mod conflate;
mod directory;
mod forget;
mod ids;
mod json;
mod keeper;
mod load;
mod orders;
mod overload;
mod reload;
mod shared;
mod signals;
mod spec;
mod start;
mod state;
mod when;
mod worker;

pub(crate) use assemble::{default_cache, plugin_runtime};
pub(crate) use check::check;
pub(crate) use load::load;
pub(crate) use shared::{BindingView, Shared};
pub(crate) use spec::spec_of;
pub(crate) use start::run;
