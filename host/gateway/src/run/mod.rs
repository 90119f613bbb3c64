//! `weir run`, and what `weir check` shares with it.

mod assemble;
mod audit;
mod banner;
mod check;
mod config_files;
mod conflate;
mod directory;
mod forget;
mod ids;
pub(crate) mod json;
mod keeper;
mod load;
mod operate;
mod orders;
mod outcomes;
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
pub(crate) use audit::Operator;
pub(crate) use check::check;
pub(crate) use load::load;
pub(crate) use orders::{PluginOrder, What};
pub(crate) use shared::{BindingView, Shared};
pub(crate) use spec::spec_of;
pub(crate) use start::run;
