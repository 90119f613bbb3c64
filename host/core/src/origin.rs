//! Where a session comes from, and the attributes that say so.

use crate::attribute::Attributes;
use crate::message::Transport;
use crate::program::TlsInfo;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the gateway knows of a client from the beginning; its attributes are made of it when somebody first asks for them.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) peer: Arc<str>,
    /// What only some have.
    more: Option<Arc<More>>,
}

#[derive(Debug, PartialEq, Eq)]
struct More {
    path: Option<Arc<str>>,
    sni: Option<Arc<str>>,
    alpn: Option<Arc<str>>,
}

impl More {
    fn new(request: &[(Box<str>, Box<str>)], tls: Option<&TlsInfo>) -> Option<Self> {
        let path = request.iter().find(|(name, _)| &**name == ":path").map(|(_, path)| (**path).into());
        let word = |word: &Option<Box<str>>| word.as_deref().map(Arc::from);
        let (sni, alpn) = tls.map_or((None, None), |tls| (word(&tls.sni), word(&tls.alpn)));
        let some = path.is_some() || sni.is_some() || alpn.is_some();
        some.then_some(Self { path, sni, alpn })
    }
}

/// The names of the gateway's own attributes, and the words for transports: shared by all sessions of a worker.
pub(crate) struct Names {
    listener: Arc<str>,
    transport: Arc<str>,
    peer: Arc<str>,
    path: Arc<str>,
    sni: Arc<str>,
    alpn: Arc<str>,
    /// Set when a session is first not healthy.
    pub(crate) health: Arc<str>,
    transports: [Arc<str>; 4],
    /// Of the session that opened last. Most have the same path and the same names, and share it.
    recent: Option<Arc<More>>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            listener: "weir.listener".into(),
            transport: "weir.transport".into(),
            peer: "weir.peer".into(),
            path: "weir.path".into(),
            sni: "weir.tls.sni".into(),
            alpn: "weir.tls.alpn".into(),
            health: "weir.health".into(),
            transports: [Transport::Tcp, Transport::WebSocket, Transport::Quic, Transport::WebTransport]
                .map(|transport| transport.as_str().into()),
            recent: None,
        }
    }
}

impl Names {
    /// Where a session comes from that opens now.
    pub(crate) fn origin(
        &mut self,
        peer: Arc<str>,
        request: &[(Box<str>, Box<str>)],
        tls: Option<&TlsInfo>,
    ) -> Origin {
        let Some(more) = More::new(request, tls) else { return Origin { peer, more: None } };
        if self.recent.as_deref() != Some(&more) {
            self.recent = Some(Arc::new(more));
        }
        Origin { peer, more: self.recent.clone() }
    }

    /// The attributes that the gateway sets itself.
    pub(crate) fn attributes(
        &self,
        listener: &Arc<str>,
        transport: Transport,
        origin: &Origin,
    ) -> Attributes {
        let mut own = BTreeMap::new();
        own.insert(self.listener.clone(), listener.clone());
        own.insert(self.transport.clone(), self.transports[transport as usize].clone());
        own.insert(self.peer.clone(), origin.peer.clone());
        if let Some(more) = &origin.more {
            for (name, value) in [(&self.path, &more.path), (&self.sni, &more.sni), (&self.alpn, &more.alpn)]
            {
                if let Some(value) = value {
                    own.insert(name.clone(), value.clone());
                }
            }
        }
        Arc::new(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_say_what_is_known() {
        let mut names = Names::default();
        let tls = TlsInfo { sni: Some("a.example".into()), alpn: None, client_subject: None };
        let request = [(":path".into(), "/chat".into()), ("host".into(), "a.example".into())];
        let origin = names.origin("[::1]:9".into(), &request, Some(&tls));
        let attributes = names.attributes(&"edge".into(), Transport::WebTransport, &origin);
        let all: Vec<_> = attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            all,
            [
                ("weir.listener", "edge"),
                ("weir.path", "/chat"),
                ("weir.peer", "[::1]:9"),
                ("weir.tls.sni", "a.example"),
                ("weir.transport", "webtransport"),
            ]
        );
        let same = names.origin("[::1]:10".into(), &request, Some(&tls));
        let shared = |one: &Origin, other: &Origin| {
            one.more.as_ref().zip(other.more.as_ref()).is_some_and(|(one, other)| Arc::ptr_eq(one, other))
        };
        assert!(shared(&origin, &same));
        assert!(!shared(&origin, &names.origin("[::1]:11".into(), &request, None)));
        let plain = names.origin("1.2.3.4:5".into(), &[], None);
        assert!(plain.more.is_none());
        assert_eq!(names.attributes(&"edge".into(), Transport::Tcp, &plain).len(), 3);
    }
}
