//! Attributes of sessions, and what all workers know of each other's sessions and groups.

use crate::id::SessionId;
use crate::rate::Pools;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Attributes of one session: a shared, immutable map, replaced when one is set, so that handing it to a call costs a count.
pub type Attributes = Arc<BTreeMap<Arc<str>, Arc<str>>>;

/// The most bytes in an attribute's name.
pub const MAX_ATTRIBUTE_NAME: usize = 64;
/// The most bytes in an attribute's value.
pub const MAX_ATTRIBUTE_VALUE: usize = 1024;
/// The most attributes of one session.
pub const MAX_ATTRIBUTES: usize = 64;
/// The most bytes in a group's name.
pub const MAX_GROUP_NAME: usize = 256;

/// What one worker may ask about what another owns. Workers write it when an attribute is set or a group gains or loses a member,
/// never on the plain way of a message. A call reads it when it asks about a session other than the one in hand, and a message that
/// goes to a group of which its own worker has no member.
#[derive(Debug)]
pub struct Directory {
    attributes: Box<[RwLock<HashMap<SessionId, Attributes>>]>,
    groups: RwLock<HashMap<Arc<str>, Arc<Presence>>>,
    /// What sessions of all workers may send together.
    pub(crate) pools: Pools,
    workers: usize,
}

/// How many members of a group each worker has.
#[derive(Debug)]
pub(crate) struct Presence {
    members: Box<[AtomicU32]>,
}

impl Presence {
    /// Members on one worker.
    pub(crate) fn on(&self, worker: usize) -> u32 {
        self.members[worker].load(Ordering::Relaxed)
    }

    /// Members on all workers.
    pub(crate) fn total(&self) -> u64 {
        self.members.iter().map(|count| u64::from(count.load(Ordering::Relaxed))).sum()
    }
}

impl Directory {
    /// A directory for so many workers.
    pub fn new(workers: usize) -> Self {
        const SHARDS: usize = 64;
        Self {
            attributes: (0..SHARDS).map(|_| RwLock::default()).collect(),
            groups: RwLock::default(),
            pools: Pools::default(),
            workers,
        }
    }

    fn shard(&self, session: SessionId) -> &RwLock<HashMap<SessionId, Attributes>> {
        // Slots and generations both spread over the shards.
        let mixed = session.raw() ^ (session.raw() >> 32);
        &self.attributes[mixed as usize % self.attributes.len()]
    }

    /// The attributes of any open session; `None` when it has none or is gone.
    pub fn attributes(&self, session: SessionId) -> Option<Attributes> {
        self.shard(session).read().unwrap_or_else(PoisonError::into_inner).get(&session).cloned()
    }

    /// Published by the owner whenever its session's attributes change: a worker, or who replays what one did.
    pub fn publish_attributes(&self, session: SessionId, attributes: Attributes) {
        self.shard(session).write().unwrap_or_else(PoisonError::into_inner).insert(session, attributes);
    }

    /// Called by the owner when a session that had attributes ends.
    pub fn forget(&self, session: SessionId) {
        self.shard(session).write().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }

    /// Members of a group on all workers.
    pub fn members(&self, group: &str) -> u64 {
        self.presence(group).map_or(0, |presence| presence.total())
    }

    /// Where a group has members, if it has any.
    pub(crate) fn presence(&self, group: &str) -> Option<Arc<Presence>> {
        self.groups.read().unwrap_or_else(PoisonError::into_inner).get(group).cloned()
    }

    pub(crate) fn add_member(&self, group: &Arc<str>, worker: usize) -> Arc<Presence> {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        let presence = groups.entry(group.clone()).or_insert_with(|| {
            Arc::new(Presence { members: (0..self.workers).map(|_| AtomicU32::new(0)).collect() })
        });
        presence.members[worker].fetch_add(1, Ordering::Relaxed);
        presence.clone()
    }

    /// Removes the group with its last member, so that names which come and go leave nothing behind.
    pub(crate) fn remove_member(&self, group: &str, worker: usize) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        let Some(presence) = groups.get(group) else { return };
        presence.members[worker].fetch_sub(1, Ordering::Relaxed);
        if presence.total() == 0 {
            groups.remove(group);
        }
    }

    /// For who replays what a worker did: a group has one more member.
    pub fn enter(&self, group: &Arc<str>) {
        self.add_member(group, 0);
    }

    /// The opposite of [`enter`](Self::enter).
    pub fn exit(&self, group: &str) {
        self.remove_member(group, 0);
    }

    /// How many groups have members.
    pub fn group_count(&self) -> usize {
        self.groups.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}
