//! Peers that attack: each row of docs/robustness.md, with its figure on a line of its own that begins with `attack:`.
//!
//! `make attacks` runs them with as many peers as a machine's file limit allows; `make test` with fewer.

mod breaches;
mod claims;
mod crowd;
mod descriptors;
mod half_open;
mod honest;
mod never_reads;
mod pings;
mod quic;
mod quic_flood;
mod quic_line;
mod quic_proof;
mod requests;
mod rig;
mod slow;
mod storm;
mod tls;
