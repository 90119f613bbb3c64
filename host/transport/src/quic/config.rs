//! Limits of QUIC endpoints: quinn's defaults are not for the open internet.

use super::socket::{Socket, Tasks};
use super::{Door, Goodbyes, offload};
use crate::listen::{Listener, Protocol};
use crate::tls;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use weir_core::Limits;

/// Streams that a client may have open: each is a lane with buffers of its own.
const STREAMS: u32 = 16;
/// Streams that a client of WebTransport may have open beside its lanes: the one that its session was asked for on, and one that is
/// refused.
const REQUESTS: u32 = 2;
/// Those of one direction: HTTP/3 has three (RFC 9114, section 6.2), and others that are refused (RFC 9114, section 6.2.3).
const ONE_WAY: u32 = 8;
/// Bytes that a client may send ahead on a stream, and so the most that is kept of one that has gaps (RFC 9000, section 2.2). quinn may
/// keep almost as much again around them.
const STREAM_WINDOW: u32 = 32 * 1024;
/// The same for all streams of a connection together: as much as waits for a client by default.
const RECEIVE_WINDOW: u32 = 256 * 1024;
/// Bytes that the gateway keeps until they are acknowledged. A client that acknowledges nothing holds them beside its queue.
const SEND_WINDOW: u64 = 256 * 1024;
/// Bytes of datagrams that wait to be handled, and to be sent. A client's that do not fit push out older ones.
const DATAGRAM_BUFFER: usize = 256 * 1024;
/// Bytes of a handshake that may arrive before those in front of them.
const CRYPTO_BUFFER: usize = 16 * 1024;
/// Connection attempts that wait to be accepted, for each worker, and bytes that are kept of them.
const INCOMING: usize = 1024;
const INCOMING_BUFFER: u64 = 16 * 1024;
const INCOMING_BUFFERS: u64 = 4 * 1024 * 1024;

/// What a listener's connections are held to. The error is a sentence.
pub(crate) fn server_config(
    tls: &Arc<rustls::ServerConfig>,
    limits: &Limits,
    protocol: &Protocol,
) -> Result<ServerConfig, String> {
    let (alpn, both_ways, one_way) = match protocol {
        Protocol::WebTransport { .. } => (tls::HTTP3, STREAMS + REQUESTS, ONE_WAY),
        _ => (tls::WEIR, STREAMS, 0),
    };
    let mut tls = rustls::ServerConfig::clone(&tls::with_alpn(tls, alpn));
    // What comes with 0-RTT can be replayed by anybody who saw it (RFC 9001, section 9.2).
    tls.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(|error| error.to_string())?;

    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(both_ways.into())
        .max_concurrent_uni_streams(one_way.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(RECEIVE_WINDOW.into())
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .datagram_send_buffer_size(DATAGRAM_BUFFER)
        .crypto_buffer_size(CRYPTO_BUFFER)
        .keep_alive_interval((!limits.ping_interval.is_zero()).then_some(limits.ping_interval));
    let idle = if limits.idle_timeout.is_zero() {
        None
    } else {
        let milliseconds = u32::try_from(limits.idle_timeout.as_millis()).unwrap_or(u32::MAX);
        Some(IdleTimeout::from(VarInt::from_u32(milliseconds)))
    };
    transport.max_idle_timeout(idle);

    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport))
        // The kernel chooses a worker's socket by the client's address: after a move its packets would reach another worker, who does
        // not know the connection. It ends there and the client connects anew.
        .migration(false)
        .max_incoming(INCOMING)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFERS);
    Ok(config)
}

/// One worker's endpoint on its own socket.
pub(crate) fn endpoint(listener: &Listener, socket: UdpSocket) -> io::Result<Door> {
    let same = socket.try_clone()?;
    let unproven = Arc::default();
    let socket = Arc::new(Socket::new(socket, Arc::clone(&unproven))?);
    let endpoint = Endpoint::new_with_abstract_socket(
        EndpointConfig::default(),
        listener.quic.clone(),
        socket,
        Arc::new(Tasks),
    )?;
    // A kernel without the option does not do it either.
    let _ = offload::one_by_one(&same);
    Ok(Door { endpoint, unproven, goodbyes: Arc::new(Goodbyes::new()) })
}
