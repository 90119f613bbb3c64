//! Connections that are not let in, told so where HTTP can say it.

use super::{Gate, Protocol};
use crate::{tls, upgrade};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use weir_core::CloseReason;

/// Refused connections of one listener and worker that are being told at once; more are closed without a word.
const TOLD: usize = 64;
/// How long telling one may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets a connection go that was not admitted, which is counted already. A WebSocket client gets an HTTP answer, if that costs little
/// enough; everybody else sees the end of the connection.
pub(super) fn refuse(gate: &Rc<Gate>, stream: TcpStream, peer: SocketAddr, reason: CloseReason) {
    let websocket = matches!(gate.spec().protocol, Protocol::WebSocket { .. });
    let overloaded = reason == CloseReason::Overload;
    // A handshake is what an overloaded gateway has no time for.
    let costly = overloaded && gate.listener.tls.is_some();
    if !websocket || costly || gate.overload.is_far_beyond(stream.as_raw_fd()) || gate.told.get() >= TOLD {
        return;
    }
    gate.told.set(gate.told.get() + 1);
    let gate = Rc::clone(gate);
    tokio::task::spawn_local(async move {
        // However it goes, it is over.
        let handshakes = gate.local.handshakes();
        let _ = handshakes.pace(tokio::time::timeout(PATIENCE, tell(&gate, stream, reason))).await;
        tracing::debug!(listener = &*gate.spec().name, %peer, reason = reason.label(), "refused");
        gate.told.set(gate.told.get() - 1);
    });
}

async fn tell(gate: &Gate, stream: TcpStream, reason: CloseReason) {
    match &gate.listener.tls {
        None => say(gate, stream, reason).await,
        Some(config) => {
            let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await;
            match accepted {
                Ok(stream) => say(gate, stream, reason).await,
                Err(error) => {
                    tracing::debug!(reason = tls::reason(&error).label(), "refused in its handshake");
                }
            }
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin + 'static>(gate: &Gate, stream: S, reason: CloseReason) {
    upgrade::turn_away(stream, PATIENCE, &gate.unavailable(reason)).await;
}
