//! QUIC (RFC 9000): one connection is one session, each stream that the client opens one of its lanes.

mod config;
mod link;
mod offload;
mod ways;

pub(crate) use config::{endpoint, server_config};
pub(crate) use link::QuicLink;
pub(crate) use ways::{Next, Ways, lost, open};

use crate::drive::Unread;
use crate::listen::{Admission, Gate, Protocol, Rate};
use crate::resume::{PATIENCE, first};
use crate::{tls, webtransport};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connecting, Connection, ConnectionError, Endpoint};
use rustls::pki_types::CertificateDer;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use ways::Plain;
use weir_codec::{Decoder, Framing, Prefix, Wire};
use weir_core::{CloseReason, Kind, Opening, TlsInfo};

/// With so many handshakes under way, a client must first show that it receives what is sent to its address (RFC 9000, section 8.1.2).
const RETRY_ABOVE: usize = 64;
/// With so many under way, further attempts are not answered.
const HANDSHAKES: usize = 1024;

/// Accepts until it is dropped, or the socket breaks.
pub(crate) async fn run(gate: &Rc<Gate>, endpoint: &Endpoint) {
    let mut rate = Rate::new(gate.spec().accept_rate, gate.listener.workers);
    let handshakes = Rc::new(Cell::new(0));
    while let Some(incoming) = endpoint.accept().await {
        let peer = incoming.remote_address().ip();
        let doubtful = handshakes.get() >= RETRY_ABOVE || gate.is_crowded(peer);
        if doubtful && incoming.may_retry() && !incoming.remote_address_validated() {
            // It fails only if the client may not be asked, which was looked at.
            let _ = incoming.retry();
            continue;
        }
        if handshakes.get() >= HANDSHAKES {
            incoming.ignore();
            gate.refuse(CloseReason::TooManyConnections);
            continue;
        }
        rate.ready().await;
        let admission = match gate.admit(peer) {
            Ok(admission) => admission,
            Err(reason) => {
                if matches!(gate.spec().protocol, Protocol::WebTransport { .. }) {
                    webtransport::refuse(gate, incoming, reason);
                } else {
                    incoming.refuse();
                }
                continue;
            }
        };
        match incoming.accept() {
            Err(error) => gate.refuse(reason(&error)),
            Ok(connecting) => {
                handshakes.set(handshakes.get() + 1);
                let (gate, handshakes) = (Rc::clone(gate), Rc::clone(&handshakes));
                tokio::task::spawn_local(async move {
                    let outcome = handshake(&gate, connecting, admission).await;
                    handshakes.set(handshakes.get() - 1);
                    if let Err(reason) = outcome {
                        tracing::debug!(
                            listener = &*gate.spec().name,
                            reason = reason.label(),
                            "handshake failed"
                        );
                        gate.refuse(reason);
                    }
                });
            }
        }
    }
}

async fn handshake(gate: &Gate, connecting: Connecting, admission: Admission) -> Result<(), CloseReason> {
    let limits = &gate.spec().limits;
    let connection = tokio::time::timeout(limits.handshake_timeout, connecting)
        .await
        .map_err(|_| CloseReason::HandshakeTimeout)?
        .map_err(|error| reason(&error))?;
    match &gate.spec().protocol {
        Protocol::WebTransport { kind, .. } => webtransport::open(gate, connection, *kind, admission).await,
        Protocol::Quic { kind } => {
            let ways = Plain::new(connection.clone());
            begin(gate, connection, ways, *kind, Vec::new(), admission).await
        }
        Protocol::Tcp { .. } | Protocol::WebSocket { .. } => Err(CloseReason::Protocol),
    }
}

/// Begins the session of a connection on which everything was said that comes before. `request`: see [`Opening::request`].
pub(crate) async fn begin<W: Ways>(
    gate: &Gate,
    connection: Connection,
    ways: W,
    kind: Kind,
    request: Vec<(Box<str>, Box<str>)>,
    admission: Admission,
) -> Result<(), CloseReason> {
    let limits = &gate.spec().limits;
    let framing = Arc::new(Framing::Length { prefix: Prefix::U32Be, max: limits.message });
    let opening = Opening {
        listener: gate.spec().id,
        peer: connection.remote_address().to_string().into(),
        tls: Some(info(&connection)),
        request,
        wire: Wire::Framed(Arc::clone(&framing)),
        hello: None,
    };
    let mut link = QuicLink::new(connection, ways, Arc::clone(&framing), kind, limits.message);
    if gate.spec().resume.is_none() {
        gate.begin(opening, link, Unread::default(), admission);
        return Ok(());
    }
    let first = first(&mut link, &[], PATIENCE, || Decoder::framed(&framing, kind)).await;
    gate.greet(opening, link, first, admission).await
}

fn info(connection: &Connection) -> TlsInfo {
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let (name, alpn) = data.map_or((None, None), |data| (data.server_name, data.protocol));
    let identity = connection.peer_identity();
    let client = identity.and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    tls::of_parts(name.as_deref(), alpn.as_deref(), client.as_deref().and_then(|chain| chain.first()))
}

pub(crate) fn reason(error: &ConnectionError) -> CloseReason {
    match error {
        ConnectionError::TimedOut => CloseReason::HandshakeTimeout,
        ConnectionError::ApplicationClosed(_) | ConnectionError::Reset => CloseReason::ClientReset,
        _ => CloseReason::Protocol,
    }
}
