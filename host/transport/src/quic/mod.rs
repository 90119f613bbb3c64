//! QUIC (RFC 9000): one connection is one session, each stream that the client opens one of its lanes.

mod config;
mod goodbye;
mod link;
mod offload;
mod socket;
mod unproven;
mod ways;

pub(crate) use config::{endpoint, server_config};
pub(crate) use goodbye::Goodbyes;
pub(crate) use link::QuicLink;
pub(crate) use unproven::Doubt;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use unproven::received;
pub(crate) use ways::{Next, Ways, lost, open};

use crate::drive::Unread;
use crate::listen::{Admission, Gate, Protocol, Rate};
use crate::resume::{PATIENCE, first};
use crate::{tls, webtransport};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connecting, Connection, ConnectionError, Endpoint, Incoming};
use rustls::pki_types::CertificateDer;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use unproven::Unproven;
use ways::Plain;
use weir_codec::{Decoder, Framing, Prefix, Wire};
use weir_core::{CloseReason, Kind, Opening, TlsInfo};

/// With so many handshakes under way, a client must first show that it receives what is sent to its address (RFC 9000, section 8.1.2).
const RETRY_ABOVE: usize = 64;
/// With so many under way, further attempts are not answered.
const HANDSHAKES: usize = 1024;
/// Clients that are asked to show that they receive what is sent there, before the others have their turn.
const RETRIED_TOGETHER: u32 = 16;

/// One worker's entrance for QUIC.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) endpoint: Endpoint,
    unproven: Arc<Unproven>,
    goodbyes: Arc<Goodbyes>,
}

/// Accepts until it is dropped, or the socket breaks.
pub(crate) async fn run(gate: &Rc<Gate>, door: &Door) {
    let mut rate = Rate::new(gate.spec().accept_rate, gate.listener.workers);
    let handshakes = Rc::new(Cell::new(0));
    let mut retried = 0_u32;
    while let Some(incoming) = door.endpoint.accept().await {
        let (address, original) = (incoming.remote_address(), incoming.orig_dst_cid());
        let (peer, came) = (address.ip(), door.unproven.came(address, &original));
        let doubtful = handshakes.get() >= RETRY_ABOVE || gate.is_crowded(peer);
        if doubtful && incoming.may_retry() && !incoming.remote_address_validated() {
            // It fails only if the client may not be asked, which was looked at.
            let _ = incoming.retry();
            retried = retried.wrapping_add(1);
            if retried.is_multiple_of(RETRIED_TOGETHER) {
                tokio::task::yield_now().await;
            }
            continue;
        }
        if handshakes.get() >= HANDSHAKES {
            incoming.ignore();
            gate.refuse(CloseReason::TooManyConnections);
            continue;
        }
        rate.ready().await;
        let doubt = || door.unproven.doubt(address, original, came);
        let doubt = |incoming: &Incoming| (!incoming.remote_address_validated()).then(doubt);
        let admission = match gate.admit(peer) {
            Ok(admission) => admission,
            Err(reason) => {
                if matches!(gate.spec().protocol, Protocol::WebTransport { .. }) {
                    webtransport::refuse(gate, incoming, reason, doubt);
                } else {
                    incoming.refuse();
                }
                continue;
            }
        };
        let doubt = doubt(&incoming);
        match incoming.accept() {
            Err(error) => gate.refuse(reason(&error)),
            Ok(connecting) => {
                handshakes.set(handshakes.get() + 1);
                let (gate, handshakes) = (Rc::clone(gate), Rc::clone(&handshakes));
                let goodbyes = Arc::clone(&door.goodbyes);
                tokio::task::spawn_local(async move {
                    let line = gate.local.handshakes();
                    let outcome = line.pace(handshake(&gate, connecting, admission, goodbyes)).await;
                    match doubt.filter(|doubt| outcome.is_err() && doubt.remains()) {
                        None => handshakes.set(handshakes.get() - 1),
                        // It takes a place as long as it is counted: there are never more of them than ask for a Retry.
                        Some(doubt) => {
                            tokio::task::spawn_local(async move {
                                doubt.outlast().await;
                                handshakes.set(handshakes.get() - 1);
                            });
                        }
                    }
                    if let Err(reason) = outcome {
                        tracing::debug!(
                            listener = &*gate.spec().name,
                            reason = reason.label(),
                            "handshake failed"
                        );
                        gate.refuse(reason);
                    }
                });
                // To accept one is to sign for it, which takes as long as very many messages.
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn handshake(
    gate: &Gate,
    connecting: Connecting,
    admission: Admission,
    goodbyes: Arc<Goodbyes>,
) -> Result<(), CloseReason> {
    let limits = &gate.spec().limits;
    let connection = tokio::time::timeout(limits.handshake_timeout, connecting)
        .await
        .map_err(|_| CloseReason::HandshakeTimeout)?
        .map_err(|error| reason(&error))?;
    match &gate.spec().protocol {
        Protocol::WebTransport { kind, .. } => {
            webtransport::open(gate, connection, *kind, admission, goodbyes).await
        }
        Protocol::Quic { kind } => {
            let ways = Plain::new(connection.clone());
            begin(gate, connection, ways, *kind, Vec::new(), admission, goodbyes).await
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
    goodbyes: Arc<Goodbyes>,
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
    let mut link = QuicLink::new(connection, ways, Arc::clone(&framing), kind, limits.message, goodbyes);
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
