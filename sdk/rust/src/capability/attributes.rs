//! Small strings that a session carries: they outlive a reload, and later plugins and logs see them. For every plugin.
//!
//! A name has at most 64 bytes, a value 1 KiB, a session 64 of them. Those that begin with `weir.` are the gateway's own
//! and read-only: `weir.listener`, `weir.transport` and `weir.peer` on every session; where they apply `weir.path`,
//! `weir.tls.sni` and `weir.tls.alpn`.

use super::host::attributes;
use crate::SessionId;

/// The value of an attribute. Sees what the same call has set.
pub fn get(session: SessionId, name: &str) -> Option<String> {
    attributes::get(session, name)
}

/// Sets an attribute. An effect.
pub fn set(session: SessionId, name: &str, value: &str) {
    attributes::set(session, name, value);
}

/// Removes an attribute; one that is absent stays so. An effect.
pub fn remove(session: SessionId, name: &str) {
    attributes::remove(session, name);
}
