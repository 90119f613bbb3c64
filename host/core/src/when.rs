//! Which messages a plugin is called for at all. What is decided here costs no call.

use crate::attribute::Attributes;
use crate::message::{Direction, Kind, Message};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// What a message must be like for a binding's `on-message` to be called; all of it. A message that is not goes on as if there were no
/// such link. Sessions that open and end, and timers, are told to the plugin whatever stands here.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// `None`: of either kind.
    pub kind: Option<Kind>,
    /// `None`: both, as far as the plugin wants them.
    pub direction: Option<Direction>,
    /// The least and the most bytes of its payload.
    pub size: [usize; 2],
    /// Listeners of its session, by name; empty: any.
    pub listeners: Vec<Arc<str>>,
    /// What attributes its session has, name and value.
    pub attributes: Vec<(Arc<str>, Arc<str>)>,
    /// How its payload begins.
    pub prefix: Bytes,
    /// What its payload says.
    pub says: Vec<Says>,
}

/// A question about a payload. The core does not look into payloads itself.
pub trait Question: Send + Sync + fmt::Debug {
    /// Whether it is so. Must not take longer than a pass over the payload.
    fn holds(&self, payload: &[u8]) -> bool;
    /// What is asked; questions with the same text are the same.
    fn text(&self) -> &str;
}

/// A shared [`Question`].
#[derive(Clone, Debug)]
pub struct Says(pub Arc<dyn Question>);

impl PartialEq for Says {
    fn eq(&self, other: &Self) -> bool {
        self.0.text() == other.0.text()
    }
}

impl Default for When {
    /// Every message.
    fn default() -> Self {
        Self {
            kind: None,
            direction: None,
            size: [0, usize::MAX],
            listeners: Vec::new(),
            attributes: Vec::new(),
            prefix: Bytes::new(),
            says: Vec::new(),
        }
    }
}

impl When {
    /// Whether a message is like that. `attributes` are only asked for where they matter: `None` if its session has gone.
    pub(crate) fn matches(
        &self,
        message: &Message<'_>,
        listener: &str,
        attributes: impl FnOnce() -> Option<Attributes>,
    ) -> bool {
        // What costs least comes first, what looks through the payload last.
        self.kind.is_none_or(|kind| kind == message.kind)
            && self.direction.is_none_or(|direction| direction == message.direction)
            && (self.size[0]..=self.size[1]).contains(&message.payload.len())
            && message.payload.starts_with(&self.prefix)
            && (self.listeners.is_empty() || self.listeners.iter().any(|name| **name == *listener))
            && (self.attributes.is_empty()
                || attributes().is_some_and(|attributes| {
                    self.attributes.iter().all(|(name, value)| attributes.get(name) == Some(value))
                }))
            && self.says.iter().all(|says| says.0.holds(&message.payload))
    }

    /// Whether it takes a pass over the payload to tell.
    pub(crate) fn looks_inside(&self) -> bool {
        !self.says.is_empty()
    }

    /// Whether what else happens in a turn can change the answer for a message.
    pub(crate) fn may_change(&self) -> bool {
        !self.attributes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionId;
    use crate::message::Payload;

    #[derive(Debug)]
    struct Has(&'static str);

    impl Question for Has {
        fn holds(&self, payload: &[u8]) -> bool {
            String::from_utf8_lossy(payload).contains(self.0)
        }

        fn text(&self) -> &str {
            self.0
        }
    }

    fn matches(when: &When, payload: &[u8]) -> bool {
        let message = Message {
            session: SessionId::from_raw(1),
            sequence: 1,
            direction: Direction::Inbound,
            kind: Kind::Text,
            payload: Payload::Borrowed(payload),
            lane: None,
            hops: 0,
            pressed: false,
        };
        let attributes = [("tier".into(), "gold".into())].into_iter().collect();
        when.matches(&message, "chat", || Some(Arc::new(attributes)))
    }

    #[test]
    fn everything_that_is_asked_must_hold() {
        let all = When {
            kind: Some(Kind::Text),
            direction: Some(Direction::Inbound),
            size: [3, 5],
            listeners: vec!["game".into(), "chat".into()],
            attributes: vec![("tier".into(), "gold".into())],
            prefix: Bytes::from_static(b"a"),
            says: vec![Says(Arc::new(Has("x")))],
        };
        assert!(matches(&When::default(), b""));
        assert!(matches(&all, b"abx"));
        for payload in [&b"ax"[..], b"abcdex", b"bax", b"abc"] {
            assert!(!matches(&all, payload), "{}", payload.escape_ascii());
        }
        for other in [
            When { kind: Some(Kind::Binary), ..all.clone() },
            When { direction: Some(Direction::Outbound), ..all.clone() },
            When { listeners: vec!["game".into()], ..all.clone() },
            When { attributes: vec![("tier".into(), "tin".into())], ..all.clone() },
            When { attributes: vec![("none".into(), "gold".into())], ..all.clone() },
        ] {
            assert!(!matches(&other, b"abx"), "{other:?}");
            assert_ne!(other, all);
        }
        assert_ne!(When { says: vec![Says(Arc::new(Has("y")))], ..all.clone() }, all);
        assert_eq!(When { says: vec![Says(Arc::new(Has("x")))], ..all.clone() }, all);
    }
}
