//! Orders to a running gateway: by command and over HTTP, under traffic, over restarts, and in the audit log.

mod audit;
mod orders;
mod rig;
mod who;
