//! WebSocket (RFC 6455), both ends; compression ([`deflate`]) at the server's.
//!
//! The HTTP side of the handshake is the transport's; [`is_key`] and [`accept_key`] are all of it that is here. Messages
//! become frames through [`Wire`](crate::Wire), control frames through the functions of this module.

pub(crate) mod decoder;
pub mod deflate;
#[cfg(test)]
mod differential;
pub(crate) mod encode;
mod handshake;
pub(crate) mod header;
pub(crate) mod mask;
#[cfg(test)]
mod tests;

pub use encode::{encode_close, encode_compressed, encode_ping, encode_pong};
pub use handshake::{accept_key, is_key};

/// Which end of the connection this is. Clients mask what they send, servers do not (RFC 6455, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Accepted the handshake: what arrives must be masked.
    Server,
    /// Asked for the handshake: what arrives must not be masked.
    Client,
}

/// What a peer may ask to be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message in bytes, all its fragments together.
    pub message: usize,
    /// Most frames in a message, empty ones counted; an unfragmented message, which is one, always passes.
    pub fragments: usize,
}

/// Whether an endpoint may put `code` into a close frame (RFC 6455, section 7.4, and the IANA registry: 1012 to 1014).
pub const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
