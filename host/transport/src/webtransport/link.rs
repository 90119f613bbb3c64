//! A session as a link sees it: the connection's streams and datagrams that are its own.

use super::answer::goodbye;
use super::http3::{Event, Http3};
use super::session::Session;
use super::{PATIENCE, code};
use crate::drive::Input;
use crate::quic::{Next, Ways, lost};
use crate::upgrade::Refusal;
use bytes::{Bytes, BytesMut};
use quinn::{Connection, ConnectionError};
use std::io;
use std::task::{Context, Poll};
use tokio::time::timeout;
use weir_codec::WireError;
use weir_codec::http3::{Asked, code as codes, datagram, datagram_prefix, response};
use weir_core::End;

/// Of one connection with one session.
pub(super) struct WebTransport {
    id: u64,
    prefix: Bytes,
    /// Until it is closed.
    parts: Option<Box<(Http3, Session)>>,
}

impl WebTransport {
    pub(super) fn new(http3: Http3, session: Session) -> Self {
        let id = session.id();
        Self { id, prefix: datagram_prefix(id).into(), parts: Some(Box::new((http3, session))) }
    }
}

impl Ways for WebTransport {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Some((http3, session)) = self.parts.as_deref_mut() else { return Poll::Pending };
        // What is left to be said before the connection's own end.
        let over = loop {
            match http3.poll(cx) {
                Poll::Ready(Event::Stream(send, recv)) => return Poll::Ready(Next::Opened(send, recv)),
                Poll::Ready(Event::Request(asked, answer)) => {
                    let response = match asked {
                        Asked::For(request) => Refusal::of_another(&request).http3(),
                        Asked::Malformed(why) => response(400, &[], why),
                        Asked::TooLarge => response(431, &[], ""),
                    };
                    tracing::debug!("another request on the connection of a session was refused");
                    tokio::task::spawn_local(async move { answer.send(&response).await });
                }
                Poll::Ready(Event::Fault(fault)) => {
                    return Poll::Ready(Next::Ended(Ok(Input::Broken(WireError::Http3(fault.rule)))));
                }
                Poll::Ready(Event::Lost(error)) => break Some(error),
                Poll::Pending => break None,
            }
        };
        match session.poll(cx) {
            Ok(Poll::Ready(ended)) => Poll::Ready(Next::Ended(ended)),
            Ok(Poll::Pending) => match over {
                Some(error) => Poll::Ready(Next::Ended(ended(&error))),
                None => Poll::Pending,
            },
            Err(fault) => {
                http3.fail(fault);
                Poll::Ready(Next::Ended(Ok(Input::Broken(WireError::Http3(fault.rule)))))
            }
        }
    }

    fn payload(&mut self, received: Bytes) -> Option<Bytes> {
        match datagram(&received) {
            Ok((session, payload)) => (session == self.id).then(|| received.slice_ref(payload)),
            Err(fault) => {
                if let Some((http3, _)) = self.parts.as_deref_mut() {
                    http3.fail(fault);
                }
                None
            }
        }
    }

    fn datagram(&self, payload: Bytes) -> Bytes {
        let mut datagram = BytesMut::with_capacity(self.prefix.len() + payload.len());
        datagram.extend_from_slice(&self.prefix);
        datagram.extend_from_slice(&payload);
        datagram.freeze()
    }

    fn going(&mut self, cx: &mut Context<'_>) {
        if let Some((http3, session)) = self.parts.as_deref_mut() {
            http3.going(cx);
            session.going(cx);
        }
    }

    /// The session's end is said first, in a task of its own: what is on its way when a connection is closed is lost.
    fn close(&mut self, connection: &Connection, end: &End) {
        let Some(parts) = self.parts.take() else { return };
        let (http3, session) = *parts;
        if let Some(fault) = http3.fault() {
            connection.close(code(fault.code), fault.rule.as_bytes());
            return;
        }
        let (connection, end) = (connection.clone(), end.clone());
        tokio::task::spawn_local(async move {
            let reason = end.said.reason.clone();
            let _ = timeout(PATIENCE, session.close(end)).await;
            // Its control stream lasts until here.
            drop(http3);
            goodbye(&connection, &reason);
        });
    }
}

/// How the client ended the connection, which says nothing of the session.
fn ended(error: &ConnectionError) -> io::Result<Input> {
    match error {
        ConnectionError::ApplicationClosed(close)
            if matches!(close.error_code.into_inner(), codes::NO_ERROR | 0) =>
        {
            Ok(Input::Closed(None))
        }
        error => lost(error),
    }
}
