//! What can go wrong, and whose fault it was.

use crate::Message;
use std::io;
use std::time::Duration;
use tokio_tungstenite::tungstenite;

/// Why a client could not be built, why a connection ended, or why there is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL given to the builder.
    #[error(
        "{url:?} cannot be connected to: {problem}; use ws://, wss://, tcp://HOST:PORT or tls://HOST:PORT"
    )]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// Another value given to the builder.
    #[error("{option}: {problem}")]
    Option {
        /// The builder's method.
        option: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// TLS cannot be set up: no authorities to trust, or versions that do not go together.
    #[error("TLS cannot be set up: {0}; give the builder a configuration with `tls`")]
    Tls(String),
    /// No connection, or its TLS handshake failed.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// No answer within the time to connect.
    #[error("no answer within {0:?}; is the gateway there, and the port the right one?")]
    TimedOut(Duration),
    /// The WebSocket handshake failed; with an answer of HTTP, its status is in the message.
    #[error("the WebSocket handshake failed: {0}")]
    Handshake(#[source] Box<tungstenite::Error>),
    /// The other side of a framed connection does not speak `weir.v1`.
    #[error(
        "the gateway does not answer a hello; give its listener [listener.resume], or the builder `resume(false)`"
    )]
    NotSpoken,
    /// The gateway does not keep to the protocol.
    #[error("the gateway does not keep to the protocol: {0}")]
    Protocol(String),
    /// The gateway closed the connection; or this client did, then with 1000.
    #[error("closed with code {code}: {reason}")]
    Closed {
        /// The close code (RFC 6455, section 7.4); 1005 if there was none.
        code: u16,
        /// In words, for people; may be empty.
        reason: String,
    },
    /// The connection broke, or ended without a word, as framed TCP always does.
    #[error("the connection was lost: {0}")]
    Lost(#[source] io::Error),
    /// A heartbeat was not answered.
    #[error("the gateway did not answer a heartbeat")]
    Silent,
}

impl Error {
    pub(crate) fn broken(reason: &str) -> Self {
        Self::Lost(io::Error::new(io::ErrorKind::UnexpectedEof, reason.to_owned()))
    }

    /// Whether the server was there and did not choose a subprotocol.
    pub(crate) fn chose_none(&self) -> bool {
        use tungstenite::error::{ProtocolError, SubProtocolError};
        let Self::Handshake(error) = self else { return false };
        matches!(
            &**error,
            tungstenite::Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
                SubProtocolError::NoSubProtocol
            ))
        )
    }
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too much waits for being sent or confirmed. The message comes back.
    #[error("too much waits for being sent or confirmed")]
    Full(Message),
    /// It is longer than the queue, or than a frame may be. The message comes back.
    #[error("a message of {} bytes is longer than the queue or `max_message`", .0.payload().len())]
    TooLong(Message),
    /// It begins with `\0WSN`: those bytes are the protocol's.
    #[error("a message must not begin with \\0WSN: those bytes are the protocol's")]
    Reserved,
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}
