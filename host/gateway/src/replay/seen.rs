//! What a plugin can see of sessions beside its own calls: attributes and groups, as they were recorded, less what the recorded version
//! did, and with what the new one does.

use super::convert;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_core::{Attributes, Directory, Effect, SessionId};
use weir_recording::{self as recording, Open, Session, Verdict};

/// The open sessions. All of it is in the directory too, where the runtime looks.
#[derive(Debug)]
pub(super) struct Seen {
    directory: Arc<Directory>,
    sessions: BTreeMap<Session, OfSession>,
    groups: BTreeMap<Arc<str>, BTreeSet<Session>>,
}

/// The attributes of a session. The last who set one counts, be it the new version or whoever did when it was recorded.
#[derive(Debug, Default)]
struct OfSession {
    /// When it opened.
    opening: BTreeMap<String, String>,
    /// As the recorded version saw them last.
    recorded: BTreeMap<String, String>,
    /// What the recorded version has set since; `None`: removed.
    own: BTreeMap<String, Option<String>>,
    now: Attributes,
}

impl Seen {
    pub(super) fn new(directory: Arc<Directory>) -> Self {
        Self { directory, sessions: BTreeMap::new(), groups: BTreeMap::new() }
    }

    pub(super) fn open(&mut self, open: &Open, groups: &[Arc<str>]) {
        let now = open.attributes.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        let of = OfSession {
            opening: open.attributes.clone(),
            recorded: open.attributes.clone(),
            own: BTreeMap::new(),
            now: Arc::new(now.collect()),
        };
        self.directory.publish_attributes(convert::id(open.session), of.now.clone());
        self.sessions.insert(open.session, of);
        for group in groups {
            self.join(open.session, group);
        }
    }

    pub(super) fn close(&mut self, session: Session) {
        self.sessions.remove(&session);
        self.directory.forget(convert::id(session));
        let groups: Vec<_> = self.groups.keys().cloned().collect();
        for group in groups {
            self.leave(session, &group);
        }
    }

    /// For a call.
    pub(super) fn lend(&self, session: Session) -> (SessionId, Attributes) {
        let of = self.sessions.get(&session);
        (convert::id(session), of.map(|of| of.now.clone()).unwrap_or_default())
    }

    /// Before a call that was recorded: what others have changed since the one before.
    pub(super) fn follow(&mut self, session: Session, verdict: &Verdict) {
        let Some(of) = self.sessions.get_mut(&session) else { return };
        let mut seen = of.opening.clone();
        for (name, value) in &verdict.attributes {
            match value {
                Some(value) => seen.insert(name.clone(), value.clone()),
                None => seen.remove(name),
            };
        }
        let mut now = (*of.now).clone();
        let names: BTreeSet<&String> = of.recorded.keys().chain(seen.keys()).collect();
        for name in names {
            let value = seen.get(name);
            let by_itself = of.own.get(name).is_some_and(|own| own.as_ref() == value);
            if of.recorded.get(name) == value || by_itself {
                continue;
            }
            match value {
                Some(value) => now.insert(name.as_str().into(), value.as_str().into()),
                None => now.remove(name.as_str()),
            };
        }
        of.recorded = seen;
        of.own.clear();
        self.publish(session, now);
        self.note(&verdict.effects);
    }

    /// What the recorded version has set: its successor may set something else.
    fn note(&mut self, effects: &[recording::Effect]) {
        for effect in effects {
            if let recording::Effect::Attribute { session, name, value } = effect
                && let Some(of) = self.sessions.get_mut(session)
            {
                of.own.insert(name.clone(), value.clone());
            }
        }
    }

    /// What the new version asked for.
    pub(super) fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::SetAttribute { session, name, value } => {
                    let session = convert::session(*session);
                    let Some(of) = self.sessions.get(&session) else { continue };
                    let mut now = (*of.now).clone();
                    match value {
                        Some(value) => now.insert(name.clone(), value.clone()),
                        None => now.remove(name),
                    };
                    self.publish(session, now);
                }
                Effect::Join { session, group } => self.join(convert::session(*session), group),
                Effect::Leave { session, group } => self.leave(convert::session(*session), group),
                Effect::Send { .. } | Effect::Release { .. } | Effect::Every { .. } => {}
            }
        }
    }

    /// What other plugins asked for.
    pub(super) fn others(&mut self, effects: &[recording::Effect]) {
        for effect in effects {
            match effect {
                recording::Effect::Join { session, group } => self.join(*session, &group.as_str().into()),
                recording::Effect::Leave { session, group } => self.leave(*session, &group.as_str().into()),
                _ => {}
            }
        }
    }

    fn publish(&mut self, session: Session, now: BTreeMap<Arc<str>, Arc<str>>) {
        let Some(of) = self.sessions.get_mut(&session) else { return };
        of.now = Arc::new(now);
        self.directory.publish_attributes(convert::id(session), of.now.clone());
    }

    fn join(&mut self, session: Session, group: &Arc<str>) {
        if !self.sessions.contains_key(&session) {
            return;
        }
        if self.groups.entry(group.clone()).or_default().insert(session) {
            self.directory.enter(group);
        }
    }

    fn leave(&mut self, session: Session, group: &Arc<str>) {
        let Some(members) = self.groups.get_mut(group) else { return };
        if members.remove(&session) {
            self.directory.exit(group);
        }
        if members.is_empty() {
            self.groups.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_recording::Answer;

    const SESSION: Session = Session(5);

    fn seen() -> Seen {
        let mut seen = Seen::new(Arc::new(Directory::new(1)));
        let open = Open {
            at: 0,
            worker: 0,
            order: 0,
            session: SESSION,
            before: false,
            transport: "tcp".into(),
            peer: "p".into(),
            tls: None,
            request: Vec::new(),
            attributes: BTreeMap::from([("weir.peer".into(), "p".into())]),
        };
        seen.open(&open, &["lobby".into()]);
        seen
    }

    /// A call whose plugin saw these attributes beside the first, and set these.
    fn call(saw: &[(&str, &str)], sets: &[(&str, &str)]) -> Verdict {
        Verdict {
            plugin: "p".into(),
            generation: 1,
            order: 1,
            at: None,
            released: false,
            answer: Answer::Forward { payload: None, to: None },
            effects: sets
                .iter()
                .map(|(name, value)| recording::Effect::Attribute {
                    session: SESSION,
                    name: (*name).into(),
                    value: Some((*value).into()),
                })
                .collect(),
            attributes: saw.iter().map(|(name, value)| ((*name).into(), Some((*value).into()))).collect(),
            ns: 0,
        }
    }

    fn set(seen: &mut Seen, name: &str, value: &str) {
        let session = convert::id(SESSION);
        seen.apply(&[Effect::SetAttribute { session, name: name.into(), value: Some(value.into()) }]);
    }

    fn now(seen: &Seen) -> String {
        let attributes = seen.directory.attributes(convert::id(SESSION)).unwrap();
        let pairs: Vec<_> = attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    }

    #[test]
    fn the_last_who_set_an_attribute_counts() {
        let mut seen = seen();
        // The recorded version set `a` to 1; the new one sets it to 2; nobody else touched it.
        seen.follow(SESSION, &call(&[], &[("a", "1")]));
        set(&mut seen, "a", "2");
        seen.follow(SESSION, &call(&[("a", "1"), ("b", "x")], &[]));
        assert_eq!(now(&seen), "a=2 b=x weir.peer=p", "`b` is of another plugin");
        // Now another plugin sets `a`.
        seen.follow(SESSION, &call(&[("a", "9"), ("b", "x")], &[]));
        assert_eq!(now(&seen), "a=9 b=x weir.peer=p");
        // And `b` is removed by another.
        seen.follow(SESSION, &call(&[("a", "9")], &[]));
        assert_eq!(now(&seen), "a=9 weir.peer=p");
    }

    #[test]
    fn what_only_the_recorded_version_set_is_not_there() {
        let mut seen = seen();
        seen.follow(SESSION, &call(&[], &[("a", "1")]));
        seen.follow(SESSION, &call(&[("a", "1")], &[]));
        assert_eq!(now(&seen), "weir.peer=p");
    }

    #[test]
    fn groups_are_counted() {
        let mut seen = seen();
        let (session, group) = (convert::id(SESSION), Arc::from("lobby"));
        assert_eq!(seen.directory.members("lobby"), 1);
        seen.apply(&[Effect::Join { session, group }]);
        assert_eq!(seen.directory.members("lobby"), 1, "it was there");
        seen.others(&[recording::Effect::Join { session: SESSION, group: "loud".into() }]);
        assert_eq!(seen.directory.members("loud"), 1);
        seen.close(SESSION);
        assert_eq!((seen.directory.members("lobby"), seen.directory.members("loud")), (0, 0));
        assert!(seen.directory.attributes(session).is_none());
    }
}
