//! What the crates of Weir are held to.
//!
//! [`mod@hot`]: functions that messages pass through, once as benches (`make bench-crates`) and once with their instructions counted
//! (`make guard`). [`corpus`]: inputs for parsers, and what is near to them, as unit tests.
//!
//! This crate knows no other of the project: all of them know it, for their tests and benches alone.

pub mod corpus;
pub mod hot;

pub use divan;
