//! From a stream that was accepted to a session: TLS and the WebSocket upgrade, in a task of their own and each within its time.

use super::{Admission, Gate, Protocol};
use crate::carrier::Carrier;
use crate::drive::{Link, StreamLink, Unread};
use crate::resume::{First, MobileStream, Mooring, PATIENCE, first};
use crate::{tls, upgrade};
use bytes::BytesMut;
use std::future::poll_fn;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use weir_codec::{Decoder, Wire, session, websocket};
use weir_core::{CloseReason, Kind, Lane, Opening, TlsInfo};

/// Begins the session of an accepted stream, as soon as its handshakes are done.
pub(super) fn begin(gate: &Rc<Gate>, stream: TcpStream, peer: SocketAddr, admission: Admission) {
    if let (None, None, Protocol::Tcp { framing, kind }) =
        (&gate.listener.tls, &gate.spec().resume, &gate.spec().protocol)
    {
        // No handshake.
        let (opening, link) = framed(gate, stream, peer, None, framing, *kind);
        gate.begin(opening, link, Unread::default(), admission);
        return;
    }
    let gate = Rc::clone(gate);
    tokio::task::spawn_local(async move {
        let handshakes = gate.local.handshakes();
        let Err(refused) = handshakes.pace(shake(&gate, stream, peer, admission)).await else { return };
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
    let accepted =
        timeout(limit, TlsAcceptor::from(Arc::clone(config)).accept(Mooring::Moored(stream))).await;
    let accepted = accepted.map_err(|_| CloseReason::HandshakeTimeout)?;
    let stream = accepted.map_err(|error| {
        tracing::debug!(listener = &*gate.spec().name, %peer, %error, "TLS handshake failed");
        tls::reason(&error)
    })?;
    let info = tls::info(stream.get_ref().1);
    speak(gate, stream, peer, Some(info), admission).await
}

/// What comes after TLS, if there is any.
async fn speak<S: MobileStream>(
    gate: &Gate,
    stream: S,
    peer: SocketAddr,
    tls: Option<TlsInfo>,
    admission: Admission,
) -> Result<(), CloseReason> {
    if let Protocol::Tcp { framing, kind } = &gate.spec().protocol {
        let (opening, mut link) = framed(gate, stream, peer, tls, framing, *kind);
        if gate.spec().resume.is_none() {
            gate.begin(opening, link, Unread::default(), admission);
            return Ok(());
        }
        let first = first(&mut link, &[], PATIENCE, || Decoder::framed(framing, *kind)).await;
        return gate.greet(opening, link, first, admission).await;
    }
    let Some(rules) = &gate.listener.rules else { return Err(CloseReason::Protocol) };
    let limits = &gate.spec().limits;
    let closed = || gate.closed_to().map(|reason| gate.unavailable(reason));
    let limit = limits.upgrade_timeout;
    let upgraded = timeout(limit, upgrade::upgrade(stream, rules, limit, closed)).await;
    let upgraded = upgraded.map_err(|_| CloseReason::UpgradeTimeout)??;
    let role = websocket::Role::Server;
    let limits = websocket::Limits { message: limits.message, fragments: limits.fragments };
    let wire = match upgraded.deflate {
        Some(window) => Wire::DeflateWebSocket { window },
        None => Wire::WebSocket { role },
    };
    let decoder = |limits| match upgraded.deflate {
        Some(_) => Decoder::deflate_websocket(role, limits),
        None => Decoder::websocket(role, limits),
    };
    let mut link = StreamLink::new(upgraded.stream, decoder(limits)).measured(S::path);
    let opening = Opening {
        listener: gate.spec().id,
        peer: peer.to_string().into(),
        tls,
        request: upgraded.request,
        wire,
        hello: None,
    };
    if !upgraded.hello {
        gate.begin(opening, link, Unread::of(&upgraded.leftover), admission);
        return Ok(());
    }
    // Its first message is a hello, so that is all that is taken. It has as long for that as it had for the upgrade.
    let short = websocket::Limits { message: session::MAX_LENGTH, ..limits };
    let first = first(&mut link, &upgraded.leftover, limit, || decoder(short)).await;
    if matches!(first, First::Else(_)) {
        say_close(&mut link).await;
        return Err(CloseReason::Protocol);
    }
    gate.greet(opening, link, first, admission).await
}

fn framed<S: Carrier + 'static>(
    gate: &Gate,
    stream: S,
    peer: SocketAddr,
    tls: Option<TlsInfo>,
    framing: &Arc<weir_codec::Framing>,
    kind: Kind,
) -> (Opening, StreamLink<S>) {
    let link = StreamLink::new(stream, Decoder::framed(framing, kind)).measured(S::path);
    let opening = Opening {
        listener: gate.spec().id,
        peer: peer.to_string().into(),
        tls,
        request: Vec::new(),
        wire: Wire::Framed(Arc::clone(framing)),
        hello: None,
    };
    (opening, link)
}

/// To a client that agreed to say hello and said something else.
async fn say_close(link: &mut impl Link) {
    let mut frame = BytesMut::new();
    websocket::encode_close(Some((1002, "the first message is no hello")), None, &mut frame);
    // Nothing was sent before it, so there is room for it; if there is not, the client learns nothing.
    let said = poll_fn(|cx| link.poll_write(cx, Lane::ONLY, &[IoSlice::new(&frame)]));
    let _ = timeout(PATIENCE, said).await;
}
