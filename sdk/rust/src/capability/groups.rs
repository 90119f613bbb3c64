//! Groups of sessions, each of which receives what is sent to the group's name. A capability: `groups`.
//!
//! A group is there while it has members. A name has at most 256 bytes.

use super::host::groups;
use crate::SessionId;

/// Lets a session join a group. An effect.
pub fn join(session: SessionId, group: &str) {
    groups::join(session, group);
}

/// Lets a session leave a group. An effect.
pub fn leave(session: SessionId, group: &str) {
    groups::leave(session, group);
}

/// How many sessions are in the group now, before the effects of this call.
pub fn members(group: &str) -> u64 {
    groups::members(group)
}
