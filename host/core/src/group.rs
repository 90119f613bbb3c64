//! A worker's share of each group.

use crate::attribute::{Directory, MAX_GROUP_NAME, Presence};
use crate::conn::Conn;
use crate::id::ConnId;
use crate::slab::Slab;
use std::collections::HashMap;
use std::sync::Arc;

/// The most groups that one session is in.
pub(crate) const MAX_GROUPS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Groups(HashMap<Arc<str>, Group>);

#[derive(Debug)]
struct Group {
    members: Vec<ConnId>,
    presence: Arc<Presence>,
}

impl Groups {
    /// False: the session cannot be in it (not open, in too many, or the name is too long).
    pub(crate) fn join(
        &mut self,
        conns: &mut Slab<Conn>,
        directory: &Directory,
        id: ConnId,
        name: &Arc<str>,
    ) -> bool {
        let Some(conn) = conns.get_mut(id).filter(|conn| conn.phase.takes_output()) else { return false };
        let Some(session) = conn.session_mut() else { return false };
        if session.groups.iter().any(|(joined, _)| joined == name) {
            return true;
        }
        if session.groups.len() >= MAX_GROUPS || name.len() > MAX_GROUP_NAME || name.is_empty() {
            return false;
        }
        let presence = directory.add_member(name, usize::from(id.worker().0));
        let group = self
            .0
            .entry(name.clone())
            .or_insert_with(|| Group { members: Vec::new(), presence: presence.clone() });
        group.presence = presence;
        session.groups.push((name.clone(), group.members.len()));
        group.members.push(id);
        true
    }

    pub(crate) fn leave(
        &mut self,
        conns: &mut Slab<Conn>,
        directory: &Directory,
        id: ConnId,
        name: &str,
    ) -> bool {
        let Some(session) = conns.get_mut(id).and_then(Conn::session_mut) else { return false };
        let Some(at) = session.groups.iter().position(|(joined, _)| &**joined == name) else { return false };
        let (name, place) = session.groups.swap_remove(at);
        let Some(group) = self.0.get_mut(&name) else { return false };
        group.members.swap_remove(place);
        // The last member took the place: it must know.
        if let Some(moved) = group.members.get(place) {
            let groups = conns.get_mut(*moved).and_then(Conn::session_mut).map(|session| &mut session.groups);
            for (joined, at) in groups.into_iter().flatten() {
                if *joined == name {
                    *at = place;
                }
            }
        }
        if group.members.is_empty() {
            self.0.remove(&name);
        }
        directory.remove_member(&name, usize::from(id.worker().0));
        true
    }

    /// How many members a group has on each worker; `None`: it has none here.
    pub(crate) fn presence(&self, name: &str) -> Option<&Presence> {
        self.0.get(name).map(|group| &*group.presence)
    }

    /// The members here, taken out for the time of a publication; see [`Groups::put_back`].
    pub(crate) fn take_members(&mut self, name: &str) -> Vec<ConnId> {
        self.0.get_mut(name).map_or_else(Vec::new, |group| std::mem::take(&mut group.members))
    }

    /// Nothing may have joined or left in between.
    pub(crate) fn put_back(&mut self, name: &str, members: Vec<ConnId>) {
        if let Some(group) = self.0.get_mut(name) {
            debug_assert!(group.members.is_empty(), "joined during a publication");
            group.members = members;
        }
    }

    /// The invariants, for tests.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants(&self, conns: &Slab<Conn>, worker: crate::WorkerId) {
        for (name, group) in &self.0 {
            assert!(!group.members.is_empty(), "an empty group is removed");
            assert_eq!(group.presence.on(usize::from(worker.0)) as usize, group.members.len());
            for (place, member) in group.members.iter().enumerate() {
                let session = conns.get(*member).and_then(Conn::session).expect("members are open sessions");
                assert!(session.groups.iter().any(|(joined, at)| joined == name && *at == place));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::{Role, Session};
    use crate::id::{ListenerId, WorkerId};
    use crate::message::Transport;
    use crate::origin::Names;
    use crate::time::Time;
    use std::time::Duration;
    use weir_codec::Wire;

    struct Hall {
        groups: Groups,
        conns: Slab<Conn>,
        directory: Directory,
    }

    impl Hall {
        fn new(sessions: usize) -> (Self, Vec<ConnId>) {
            let mut hall = Self {
                groups: Groups::default(),
                conns: Slab::new(WorkerId(1)),
                directory: Directory::new(2),
            };
            let ids = (0..sessions).map(|_| {
                let origin = Names::default().origin("".into(), &[], None);
                let session = Session::new(
                    ListenerId(0),
                    Transport::Tcp,
                    origin,
                    Arc::default(),
                    crate::Era(0),
                    Time::default(),
                    Duration::ZERO,
                );
                let role = Role::Session(Box::new(session));
                hall.conns.insert(Conn::new(Time::default(), Wire::Datagram, role)).unwrap()
            });
            let ids = ids.collect();
            (hall, ids)
        }

        fn join(&mut self, id: ConnId, name: &str) -> bool {
            let joined = self.groups.join(&mut self.conns, &self.directory, id, &name.into());
            self.groups.check_invariants(&self.conns, WorkerId(1));
            joined
        }

        fn leave(&mut self, id: ConnId, name: &str) -> bool {
            let left = self.groups.leave(&mut self.conns, &self.directory, id, name);
            self.groups.check_invariants(&self.conns, WorkerId(1));
            left
        }
    }

    #[test]
    fn members_know_their_places_however_they_leave() {
        let (mut hall, ids) = Hall::new(5);
        for name in ["a", "b"] {
            assert!(ids.iter().all(|id| hall.join(*id, name)));
        }
        assert!(hall.join(ids[0], "a"), "once more is no more");
        assert_eq!(hall.directory.members("a"), 5);
        for at in [0, 3, 4, 1, 2] {
            assert!(hall.leave(ids[at], "a"));
            assert!(!hall.leave(ids[at], "a"));
            assert_eq!(hall.groups.take_members("b").len(), 5);
            hall.groups.put_back("b", ids.clone());
        }
        assert_eq!((hall.directory.members("a"), hall.directory.group_count()), (0, 1));
        assert!(hall.groups.presence("a").is_none());
    }

    #[test]
    fn a_session_is_in_so_many_groups_and_names_are_so_long() {
        let (mut hall, ids) = Hall::new(1);
        assert!(!hall.join(ids[0], ""));
        assert!(!hall.join(ids[0], &"x".repeat(MAX_GROUP_NAME + 1)));
        assert!((0..MAX_GROUPS).all(|at| hall.join(ids[0], &format!("g{at}"))));
        assert!(!hall.join(ids[0], "one more"));
        assert!(hall.leave(ids[0], "g7") && hall.join(ids[0], "one more"));
        assert!(!hall.join(ConnId::from_raw(9), "g0"));
    }
}
