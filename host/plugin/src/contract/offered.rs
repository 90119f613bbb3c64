//! What a file has to be built for.

/// What this gateway offers, for messages: the newest last.
pub(crate) const OFFERED: &str = "0.1";
/// The package of every interface of the contract.
pub(crate) const PACKAGE: &str = "weir:plugin";
