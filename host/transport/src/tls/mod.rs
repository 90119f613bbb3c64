//! Certificates and what a TLS handshake says.

mod files;
mod info;
mod self_signed;

pub use files::{Files, TlsError, load};
pub(crate) use info::{info, of_parts};
pub use self_signed::{SelfSigned, self_signed};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::NoServerSessionStorage;
use std::io;
use std::sync::Arc;
use weir_core::CloseReason;

/// Application protocols (RFC 7301).
pub(crate) const HTTP: &[u8] = b"http/1.1";
pub(crate) const HTTP3: &[u8] = b"h3";
pub(crate) const WEIR: &[u8] = b"weir/1";

/// Named rather than installed for the process: what else is in the process chooses its own.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Sets how clients resume sessions (RFC 8446, section 2.2): by tickets that hold the session, so that nothing is kept here however
/// many clients there are; or not at all. What comes with 0-RTT can be replayed by anybody who saw it, so it is off.
fn resumption(config: &mut ServerConfig, tickets: bool) -> Result<(), rustls::Error> {
    config.max_early_data_size = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if tickets {
        config.ticketer = Ticketer::new()?;
    } else {
        config.send_tls13_tickets = 0;
    }
    Ok(())
}

/// The same, for one application protocol.
pub(crate) fn with_alpn(config: &ServerConfig, protocol: &[u8]) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// What a handshake that failed is counted as.
pub(crate) fn reason(error: &io::Error) -> CloseReason {
    match error.kind() {
        io::ErrorKind::InvalidData => CloseReason::Protocol,
        _ => CloseReason::ClientReset,
    }
}
