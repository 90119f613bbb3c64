//! What a protocol on QUIC makes of its connection's streams and datagrams.

use crate::drive::Input;
use bytes::Bytes;
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use std::io;
use std::task::{Context, Poll, ready};
use tokio_util::sync::ReusableBoxFuture;
use weir_core::End;

/// Where a connection's lanes and datagrams come from, and how its end is said.
pub(crate) trait Ways: Send + Unpin + 'static {
    /// A stream that the client opened and that is the application's from its next byte on; or the end, which is told again whenever
    /// it is asked for.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next>;

    /// What a datagram brought; `None`: it is not for the session.
    fn payload(&mut self, datagram: Bytes) -> Option<Bytes>;

    /// The datagram that carries this.
    fn datagram(&self, payload: Bytes) -> Bytes;

    /// The session is going to be closed. Told again while that is so.
    fn going(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Lets go of the connection.
    fn close(&mut self, connection: &Connection, end: &End);
}

/// What came.
pub(crate) enum Next {
    /// A stream.
    Opened(SendStream, RecvStream),
    /// The end.
    Ended(io::Result<Input>),
}

/// QUIC itself: every stream is a lane.
pub(crate) struct Plain {
    connection: Connection,
    opened: ReusableBoxFuture<'static, Result<(SendStream, RecvStream), ConnectionError>>,
}

impl Plain {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { opened: ReusableBoxFuture::new(open(connection.clone())), connection }
    }
}

impl Ways for Plain {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let opened = ready!(self.opened.poll(cx));
        self.opened.set(open(self.connection.clone()));
        Poll::Ready(match opened {
            Ok((send, recv)) => Next::Opened(send, recv),
            Err(error) => Next::Ended(ended(error)),
        })
    }

    fn payload(&mut self, datagram: Bytes) -> Option<Bytes> {
        Some(datagram)
    }

    fn datagram(&self, payload: Bytes) -> Bytes {
        payload
    }

    fn close(&mut self, connection: &Connection, end: &End) {
        connection.close(VarInt::from(end.said.code), end.said.reason.as_bytes());
    }
}

pub(crate) async fn open(connection: Connection) -> Result<(SendStream, RecvStream), ConnectionError> {
    connection.accept_bi().await
}

/// How the client ended the connection.
fn ended(error: ConnectionError) -> io::Result<Input> {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let code = u16::try_from(close.error_code.into_inner()).ok().filter(|code| *code != 0);
            let said = code.map(|code| (code, String::from_utf8_lossy(&close.reason).into()));
            Ok(Input::Closed(said))
        }
        error => lost(&error),
    }
}

/// How a connection ended of which the client's application said nothing.
pub(crate) fn lost(error: &ConnectionError) -> io::Result<Input> {
    match error {
        // RFC 9000, section 20.1: 0 is no error.
        ConnectionError::ConnectionClosed(close) if u64::from(close.error_code) == 0 => {
            Ok(Input::Closed(None))
        }
        ConnectionError::TimedOut => Err(io::ErrorKind::TimedOut.into()),
        _ => Err(io::ErrorKind::ConnectionReset.into()),
    }
}
