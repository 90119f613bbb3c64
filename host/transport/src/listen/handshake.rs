//! From a stream that was accepted to a session: TLS and the WebSocket upgrade, in a task of their own and each within its time.

use super::{Admission, Gate, Protocol};
use crate::carrier::Carrier;
use crate::drive::StreamLink;
use crate::{tls, upgrade};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use weir_codec::{Decoder, Wire, websocket};
use weir_core::{CloseReason, Kind, Opening, TlsInfo};

/// Begins the session of an accepted stream, as soon as its handshakes are done.
pub(super) fn begin(gate: &Rc<Gate>, stream: TcpStream, peer: SocketAddr, admission: Admission) {
    if let (None, Protocol::Tcp { framing, kind }) = (&gate.listener.tls, &gate.spec().protocol) {
        // No handshake.
        framed(gate, stream, peer, None, framing, *kind, admission);
        return;
    }
    let gate = Rc::clone(gate);
    tokio::task::spawn_local(async move {
        let Err(refused) = shake(&gate, stream, peer, admission).await else { return };
        tracing::debug!(listener = &*gate.spec().name, %peer, reason = refused.label(), "handshake failed");
        gate.refuse(refused);
    });
}

async fn shake(
    gate: &Gate,
    stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
) -> Result<(), CloseReason> {
    let Some(config) = &gate.listener.tls else {
        return speak(gate, stream, peer, None, admission).await;
    };
    let limit = gate.spec().limits.handshake_timeout;
    let accepted = timeout(limit, TlsAcceptor::from(Arc::clone(config)).accept(stream)).await;
    let accepted = accepted.map_err(|_| CloseReason::HandshakeTimeout)?;
    let stream = accepted.map_err(|error| {
        tracing::debug!(listener = &*gate.spec().name, %peer, %error, "TLS handshake failed");
        tls::reason(&error)
    })?;
    let info = tls::info(stream.get_ref().1);
    speak(gate, stream, peer, Some(info), admission).await
}

/// What comes after TLS, if there is any.
async fn speak<S: Carrier + 'static>(
    gate: &Gate,
    stream: S,
    peer: SocketAddr,
    tls: Option<TlsInfo>,
    admission: Admission,
) -> Result<(), CloseReason> {
    if let Protocol::Tcp { framing, kind } = &gate.spec().protocol {
        framed(gate, stream, peer, tls, framing, *kind, admission);
        return Ok(());
    }
    let Some(rules) = &gate.listener.rules else { return Err(CloseReason::Protocol) };
    let limits = &gate.spec().limits;
    let closed = || gate.closed_to().map(|reason| gate.unavailable(reason));
    let limit = limits.upgrade_timeout;
    let upgraded = timeout(limit, upgrade::upgrade(stream, rules, limit, closed)).await;
    let upgraded = upgraded.map_err(|_| CloseReason::UpgradeTimeout)??;
    let role = websocket::Role::Server;
    let limits = websocket::Limits { message: limits.message, fragments: limits.fragments };
    let (decoder, wire) = match upgraded.deflate {
        Some(window) => (Decoder::deflate_websocket(role, limits), Wire::DeflateWebSocket { window }),
        None => (Decoder::websocket(role, limits), Wire::WebSocket { role }),
    };
    let link = StreamLink::new(upgraded.stream, decoder).measured(S::path);
    let opening = Opening {
        listener: gate.spec().id,
        peer: peer.to_string().into(),
        tls,
        request: upgraded.request,
        wire,
    };
    gate.begin(opening, link, &upgraded.leftover, admission);
    Ok(())
}

fn framed<S: Carrier + 'static>(
    gate: &Gate,
    stream: S,
    peer: SocketAddr,
    tls: Option<TlsInfo>,
    framing: &Arc<weir_codec::Framing>,
    kind: Kind,
    admission: Admission,
) {
    let link = StreamLink::new(stream, Decoder::framed(framing, kind)).measured(S::path);
    let opening = Opening {
        listener: gate.spec().id,
        peer: peer.to_string().into(),
        tls,
        request: Vec::new(),
        wire: Wire::Framed(Arc::clone(framing)),
    };
    gate.begin(opening, link, &[], admission);
}
