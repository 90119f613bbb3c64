//! Which messages are about the same, so that only the newest has to wait for a client that reads slowly.

use std::fmt;
use std::num::NonZeroU64;

/// What a message is about, as a number: messages with the same one replace each other while they wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(NonZeroU64);

impl Key {
    /// The key of a hash. The hash must be one whose collisions a peer cannot find: two things with one key lose messages.
    pub fn new(hash: u64) -> Self {
        Self(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN))
    }
}

/// Finds the key of a message. The core does not look into payloads.
pub trait KeyOf: Send + Sync + fmt::Debug {
    /// `None`: it is about nothing else than itself, and replaces nothing.
    fn key(&self, payload: &[u8]) -> Option<Key>;
}
