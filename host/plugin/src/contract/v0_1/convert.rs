//! Between the contract's types and the core's. What comes from a plugin is checked here.

use super::handler::{MessageView, RejectionView, SessionView, TlsView};
use super::imports::types as wit;
use super::packed::{self, Answer, Place};
use crate::host_interfaces::{Breach, Host};
use crate::manifest::Manifest;
use bytes::Bytes;
use std::sync::Arc;
use weir_core::{
    Direction, Directions, Forwarding, Kind, MAX_GROUP_NAME, Message, Rejection, SessionId, SessionInfo,
    Target, Transport, Verdict,
};

/// The longest that a message is held, in milliseconds: a plugin that asks for more is given this.
const MAX_HOLD: u32 = 3_600_000;

pub(crate) fn transport(transport: Transport) -> wit::Transport {
    match transport {
        Transport::Tcp => wit::Transport::Tcp,
        Transport::WebSocket => wit::Transport::Websocket,
        Transport::Quic => wit::Transport::Quic,
        Transport::WebTransport => wit::Transport::Webtransport,
    }
}

pub(crate) fn message<'a>(message: &'a Message<'_>) -> MessageView<'a> {
    MessageView {
        session: message.session.raw(),
        sequence: message.sequence,
        direction: match message.direction {
            Direction::Inbound => wit::Direction::Inbound,
            Direction::Outbound => wit::Direction::Outbound,
        },
        kind: match message.kind {
            Kind::Text => wit::Kind::Text,
            Kind::Binary => wit::Kind::Binary,
        },
        payload: &message.payload,
    }
}

/// Packs a message behind those that are there. False: it is too long for that.
pub(crate) fn pack(message: &Message<'_>, into: &mut Vec<u8>) -> bool {
    let header = packed::Header {
        session: message.session.raw(),
        sequence: message.sequence,
        direction: message.direction as u8,
        kind: match message.kind {
            Kind::Text => 0,
            Kind::Binary => 1,
        },
    };
    packed::pack(header, &message.payload, into)
}

pub(crate) fn session(session: &SessionInfo) -> SessionView<'_> {
    SessionView {
        id: session.id.raw(),
        listener: &session.listener,
        transport: transport(session.transport),
        peer: &session.peer,
        tls: session.tls.as_ref().map(|tls| TlsView {
            sni: tls.sni.as_deref(),
            alpn: tls.alpn.as_deref(),
            client_subject: tls.client_subject.as_deref(),
        }),
        request: session.request.iter().map(|(name, value)| (&**name, &**value)).collect(),
    }
}

pub(crate) fn rejection(end: &Rejection) -> RejectionView<'_> {
    RejectionView { code: end.code, reason: &end.reason }
}

pub(crate) fn manifest(manifest: wit::Manifest) -> Manifest {
    let has = |direction| manifest.directions.contains(&direction);
    Manifest {
        directions: Directions {
            inbound: has(wit::Direction::Inbound),
            outbound: has(wit::Direction::Outbound),
        },
        name: manifest.name,
        version: manifest.version,
        description: manifest.description,
        config_schema: manifest.config_schema,
    }
}

pub(crate) fn direction(direction: wit::Direction) -> Direction {
    match direction {
        wit::Direction::Inbound => Direction::Inbound,
        wit::Direction::Outbound => Direction::Outbound,
    }
}

pub(crate) fn kind(kind: wit::Kind) -> Kind {
    match kind {
        wit::Kind::Text => Kind::Text,
        wit::Kind::Binary => Kind::Binary,
    }
}

/// Takes what a plugin gave, counts it against the call's output and checks it.
pub(crate) struct Converter<'a>(pub(crate) &'a mut Host);

impl Converter<'_> {
    /// A verdict. `text`: a payload that goes with it must be valid UTF-8, because the message is text.
    pub(crate) fn verdict(&mut self, verdict: wit::Verdict, text: bool) -> Result<Verdict, Breach> {
        Ok(match verdict {
            wit::Verdict::Forward(forwarding) => Verdict::Forward(self.forwarding(forwarding, text)?),
            wit::Verdict::Drop(reason) => Verdict::Drop(self.0.count_drop(&reason)),
            wit::Verdict::Close(said) => Verdict::Close(end(&said)?),
            wit::Verdict::Hold(milliseconds) => Verdict::Hold(milliseconds.min(MAX_HOLD)),
        })
    }

    /// One of several answers, each checked as if it had come alone. What it drops is not yet counted.
    pub(crate) fn answer(&mut self, answer: Answer, text: bool) -> Result<Verdict, Breach> {
        self.0.answer_begins();
        Ok(match answer {
            Answer::Forward(place, payload) => {
                // A view would keep all the answers for as long as one of them waits somewhere, whose own length is what counts there.
                let payload = payload.map(|payload| self.payload(payload, text)).transpose()?;
                let payload = payload.map(|payload| Bytes::copy_from_slice(&payload));
                let route = match place {
                    None => None,
                    Some(Place::Cluster(name)) => Some(Target::Cluster(self.name(name.as_str())?)),
                    Some(Place::Group(name)) => Some(Target::Group(self.name(name.as_str())?)),
                    Some(Place::Session(session)) => Some(Target::Session(SessionId::from_raw(session))),
                    Some(Place::Echo) => Some(Target::Echo),
                };
                Verdict::Forward(Forwarding { payload, route })
            }
            Answer::Drop(reason) => Verdict::Drop(self.0.drop_reason(reason.as_str())),
            Answer::Close(code, reason) => Verdict::Close(rejected(code, reason.as_str())?),
        })
    }

    fn payload(&mut self, payload: Bytes, text: bool) -> Result<Bytes, Breach> {
        self.0.spend(payload.len())?;
        if text && std::str::from_utf8(&payload).is_err() {
            return Err(Breach::Answer("it answered a text message with a payload that is not UTF-8".into()));
        }
        Ok(payload)
    }

    fn forwarding(&mut self, forwarding: wit::Forwarding, text: bool) -> Result<Forwarding, Breach> {
        let payload =
            forwarding.payload.map(|payload| self.payload(Bytes::from(payload), text)).transpose()?;
        let route = forwarding.route.map(|route| self.target(route)).transpose()?;
        Ok(Forwarding { payload, route })
    }

    pub(crate) fn target(&mut self, target: wit::Target) -> Result<Target, Breach> {
        Ok(match target {
            wit::Target::Cluster(name) => Target::Cluster(self.name(&name)?),
            wit::Target::Group(name) => Target::Group(self.name(&name)?),
            wit::Target::Session(session) => Target::Session(SessionId::from_raw(session)),
            wit::Target::Echo => Target::Echo,
        })
    }

    fn name(&mut self, name: &str) -> Result<Arc<str>, Breach> {
        self.0.spend(name.len())?;
        if name.is_empty() || name.len() > MAX_GROUP_NAME {
            return Err(Breach::Answer(format!(
                "it named a target with {} bytes; a name has 1 to {MAX_GROUP_NAME}",
                name.len()
            )));
        }
        Ok(name.into())
    }
}

/// A plugin's reason to close, checked.
pub(crate) fn end(end: &wit::Rejection) -> Result<Rejection, Breach> {
    rejected(end.code, &end.reason)
}

fn rejected(code: u16, reason: &str) -> Result<Rejection, Breach> {
    if reason.len() > Rejection::MAX_REASON {
        return Err(Breach::Answer(format!(
            "it gave a close reason of {} bytes; the most is {}",
            reason.len(),
            Rejection::MAX_REASON
        )));
    }
    Ok(Rejection::new(code, reason))
}
