//! The plugin runtime: from a .wasm file to the instances that workers call.
//!
//! ```text
//! bytes → Artifact (what is it, what does it import) → Module (compiled, cached by digest)
//!       → Generation (tried, configured: a weir_core::Program) → an instance a worker
//! ```
//!
//! [`Runtime`] makes generations; [`Catalogue`] keeps which one serves for each binding. This crate knows no sockets, routes or
//! transports, watches no directory and starts no thread but the epoch ticker, those of a compilation, and those of plugins that are
//! placed on threads of their own. What strangers wrote is read
//! and compiled in a process of its own, if the options say so.
//!
//! Calls of [`Runtime`] and [`Catalogue`] compile and run plugins: they are made on a thread of their own, never on a worker's. An
//! instance belongs to one worker, or one thread of its plugin; each call sets its deadline first, collects effects in the instance's host state, and hands them
//! over when it returned. After a failure the instance is not entered again.

mod artifact;
mod cache;
mod cases;
mod catalogue;
mod clock;
mod compile;
mod contract;
mod deadline;
mod digest;
mod engines;
mod failure;
#[cfg(test)]
mod fuzzing;
mod generation;
mod grants;
mod helper;
mod host_interfaces;
mod inspect;
mod instance;
mod limiter;
mod limits;
mod manifest;
mod module;
mod offload;
mod options;
mod processor;
mod refusal;
mod rollout;
mod runtime;
mod schema;
mod script;
mod state;
mod store;
mod symbols;
mod trust;

pub use artifact::Form;
pub use cache::CacheError;
pub use cases::{
    Case, CaseError, CaseOutcome, Cases, SECTION as CASES_SECTION, SectionError, embed as embed_cases,
};
pub use catalogue::{
    BindingState, BindingStatus, Catalogue, Change, LOOK, Offered, OffloadStatus, OrderError, Outcome,
    PinStatus, PinnedStatus, PreviousStatus, RefusedStatus, RolloutStatus, ServingStatus, Was,
};
pub use digest::Digest;
pub use generation::{BindingSpec, Generation};
pub use grants::{Capability, Grants};
pub use helper::compile_process;
pub use inspect::Inspection;
pub use limits::{MAX_STACK, PluginLimits, STACK_STEP};
pub use manifest::Manifest;
pub use offload::{MAX_THREADS, Offloading};
pub use options::{CompileIn, RuntimeOptions};
pub use refusal::Refusal;
pub use rollout::{Band, CanaryPolicy, RolloutPolicy};
pub use runtime::{Runtime, RuntimeError};
pub use script::{FUEL_PER_MILLISECOND, Moment, Script};
pub use state::{BindingRecord, Good, Pin, Refused, StateError, StateStore};
pub use store::{
    BindingStore, Budget, DropReasons, HistogramReading, Kv, KvError, MAX_KEY, MAX_NAMES, MAX_REASONS,
    MAX_VALUE, Metrics, Reading, Room, Value,
};
pub use trust::{MAX_SIGNATURE, Trust};
