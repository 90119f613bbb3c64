//! The plugin runtime against guest programs that behave, and many that do not.

mod batches;
mod boundary;
mod cache;
mod capabilities;
mod cases;
mod catalogue;
mod guests;
mod instances;
mod limits;
mod orders;
mod refusals;
mod rig;
mod scripted;
