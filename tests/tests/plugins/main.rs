//! What plugins are given and what becomes of files that are none, in a gateway with two workers.

mod batches;
mod capabilities;
mod holding;
mod lifecycle;
mod refusals;
mod remote;
mod rollout;
mod trust;
mod turncoat;
mod when;
