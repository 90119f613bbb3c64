//! From the core's words to those of a recording, and back.

use anyhow::bail;
use std::sync::Arc;
use weir_core as core;
use weir_recording::{Answer, Body, Direction, Effect, Kind, Open, Session, Target, Tls};

pub(crate) fn session(id: core::SessionId) -> Session {
    Session(id.raw())
}

pub(crate) fn id(session: Session) -> core::SessionId {
    core::SessionId::from_raw(session.0)
}

pub(crate) fn direction(direction: core::Direction) -> Direction {
    match direction {
        core::Direction::Inbound => Direction::Inbound,
        core::Direction::Outbound => Direction::Outbound,
    }
}

pub(crate) fn core_direction(direction: Direction) -> core::Direction {
    match direction {
        Direction::Inbound => core::Direction::Inbound,
        Direction::Outbound => core::Direction::Outbound,
    }
}

pub(crate) fn kind(kind: core::Kind) -> Kind {
    match kind {
        core::Kind::Text => Kind::Text,
        core::Kind::Binary => Kind::Binary,
    }
}

pub(crate) fn core_kind(kind: Kind) -> core::Kind {
    match kind {
        Kind::Text => core::Kind::Text,
        Kind::Binary => core::Kind::Binary,
    }
}

pub(crate) fn target(to: &core::Target) -> Target {
    match to {
        core::Target::Cluster(name) => Target::Cluster((**name).into()),
        core::Target::Group(name) => Target::Group((**name).into()),
        core::Target::Session(id) => Target::Session(session(*id)),
        core::Target::Echo => Target::Echo,
    }
}

/// A verdict; `changed` is its payload, where that is kept apart.
pub(crate) fn answer(verdict: &core::Verdict, changed: Option<Body>) -> Answer {
    match verdict {
        core::Verdict::Forward(core::Forwarding { payload, route }) => Answer::Forward {
            payload: changed.or_else(|| payload.as_ref().map(|payload| Body::new(payload.to_vec()))),
            to: route.as_ref().map(target),
        },
        core::Verdict::Drop(reason) => Answer::Drop { reason: (**reason).into() },
        core::Verdict::Close(said) => Answer::Close { code: said.code, reason: (*said.reason).into() },
        core::Verdict::Hold(milliseconds) => Answer::Hold { milliseconds: *milliseconds },
    }
}

pub(crate) fn effect(effect: &core::Effect) -> Effect {
    match effect {
        core::Effect::Send { to, kind: sent, payload } => {
            Effect::Send { to: target(to), kind: kind(*sent), payload: Body::new(payload.to_vec()) }
        }
        core::Effect::Release { session: id, direction: way, sequence, verdict } => Effect::Release {
            session: session(*id),
            direction: direction(*way),
            sequence: *sequence,
            answer: answer(verdict, None),
        },
        core::Effect::Join { session: id, group } => {
            Effect::Join { session: session(*id), group: (**group).into() }
        }
        core::Effect::Leave { session: id, group } => {
            Effect::Leave { session: session(*id), group: (**group).into() }
        }
        core::Effect::SetAttribute { session: id, name, value } => Effect::Attribute {
            session: session(*id),
            name: (**name).into(),
            value: value.as_deref().map(Into::into),
        },
        core::Effect::Every { milliseconds } => Effect::Every { milliseconds: *milliseconds },
    }
}

pub(crate) fn tls(tls: &core::TlsInfo) -> Tls {
    let word = |word: &Option<Box<str>>| word.as_deref().map(str::to_owned);
    Tls { sni: word(&tls.sni), alpn: word(&tls.alpn), client_subject: word(&tls.client_subject) }
}

/// What a plugin learns of a session that opens.
pub(super) fn info(open: &Open, listener: &str) -> anyhow::Result<core::SessionInfo> {
    let word = |word: &Option<String>| word.as_deref().map(Into::into);
    Ok(core::SessionInfo {
        id: id(open.session),
        listener: listener.into(),
        transport: transport(&open.transport)?,
        peer: Arc::from(open.peer.as_str()),
        tls: open.tls.as_ref().map(|tls| core::TlsInfo {
            sni: word(&tls.sni),
            alpn: word(&tls.alpn),
            client_subject: word(&tls.client_subject),
        }),
        request: open
            .request
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
    })
}

fn transport(word: &str) -> anyhow::Result<core::Transport> {
    use core::Transport::{Quic, Tcp, WebSocket, WebTransport};
    let known = [Tcp, WebSocket, Quic, WebTransport].into_iter().find(|transport| transport.as_str() == word);
    match known {
        Some(transport) => Ok(transport),
        None => bail!("a session of it came by {word:?}, of which this weir knows nothing; use a newer one"),
    }
}
