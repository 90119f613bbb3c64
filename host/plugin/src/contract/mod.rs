//! One module per version of the contract that this gateway offers.

mod offered;
pub(crate) mod v0_1;

pub(crate) use offered::{OFFERED, PACKAGE};
