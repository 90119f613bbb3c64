//! The HTTP/3 side of a connection: its control streams, and what its other streams begin with.

use super::answer::Answer;
use super::code;
use super::one_way::OneWay;
use crate::quic;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, WriteError};
use std::task::{Context, Poll};
use tokio_util::sync::ReusableBoxFuture;
use weir_codec::http3::{Asked, Fault, Head, Headed, code as codes, goaway, settings};

/// Bytes that one read of a head takes.
const READ: usize = 1024;

/// Of one connection. What it holds is bounded by how many streams the client may have open.
pub(super) struct Http3 {
    connection: Connection,
    /// The gateway's control stream, which must not end before the connection does (RFC 9114, section 6.2.1).
    control: SendStream,
    /// What is to be written on it.
    unsent: Vec<u8>,
    gone: bool,
    opened: ReusableBoxFuture<'static, Result<(SendStream, RecvStream), ConnectionError>>,
    one_way: OneWay,
    /// Streams that nobody has been told of, in the order in which they were opened.
    beginning: Vec<Beginning>,
    session: Option<u64>,
    over: Option<Over>,
}

struct Beginning {
    send: SendStream,
    recv: RecvStream,
    head: Head,
    headed: Option<Headed>,
}

enum Over {
    Fault(Fault),
    Lost(ConnectionError),
}

/// What the client did.
pub(super) enum Event {
    /// It asked for something.
    Request(Asked, Answer),
    /// It opened a stream of the session, which is the application's from its next byte on.
    Stream(SendStream, RecvStream),
    /// It broke a rule: the connection is to be closed. Told again.
    Fault(Fault),
    /// The connection is gone. Told again.
    Lost(ConnectionError),
}

impl Http3 {
    /// Says the gateway's settings.
    pub(super) async fn begin(connection: &Connection) -> Result<Self, ConnectionError> {
        let mut control = connection.open_uni().await?;
        match control.write_all(&settings()).await {
            Ok(()) => {}
            Err(WriteError::ConnectionLost(error)) => return Err(error),
            Err(_) => return Err(ConnectionError::Reset),
        }
        Ok(Self {
            opened: ReusableBoxFuture::new(quic::open(connection.clone())),
            one_way: OneWay::new(connection.clone()),
            connection: connection.clone(),
            control,
            unsent: Vec::new(),
            gone: false,
            beginning: Vec::new(),
            session: None,
            over: None,
        })
    }

    /// From now on streams of this session are told of.
    pub(super) fn begin_session(&mut self, id: u64) {
        self.session = Some(id);
    }

    /// What came next. Its end is said when nothing else is left to be said.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match self.advance(cx) {
            Ok(Some(event)) => return Poll::Ready(event),
            Ok(None) => {}
            Err(fault) => self.fail(fault),
        }
        match &self.over {
            None => Poll::Pending,
            Some(Over::Fault(fault)) => Poll::Ready(Event::Fault(*fault)),
            Some(Over::Lost(error)) => Poll::Ready(Event::Lost(error.clone())),
        }
    }

    /// A rule was broken.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.over.get_or_insert(Over::Fault(fault));
    }

    /// The rule that was broken, if one was.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self.over {
            Some(Over::Fault(fault)) => Some(fault),
            _ => None,
        }
    }

    /// Says that the connection is going to end; again, until it is said.
    pub(super) fn going(&mut self, cx: &mut Context<'_>) {
        if !self.gone {
            self.gone = true;
            self.unsent = goaway();
        }
        flush(&mut self.control, &mut self.unsent, cx);
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Result<Option<Event>, Fault> {
        if matches!(self.over, Some(Over::Fault(_))) {
            return Ok(None);
        }
        self.one_way.poll(cx)?;
        self.accept(cx);
        let mut at = 0;
        while let Some(beginning) = self.beginning.get_mut(at) {
            if !beginning.read(cx)? {
                self.beginning.remove(at);
                continue;
            }
            match (&beginning.headed, self.session) {
                // What a client asks for is looked at when its settings are known.
                (Some(Headed::Request(_)), _) if self.one_way.is_ready() => {
                    let Beginning { send, recv, headed, .. } = self.beginning.remove(at);
                    let Some(Headed::Request(asked)) = headed else { continue };
                    return Ok(Some(Event::Request(asked, Answer { send, recv })));
                }
                // Its streams may be faster than the request for their session.
                (Some(Headed::Stream { session }), Some(own)) if *session == own => {
                    let Beginning { send, recv, .. } = self.beginning.remove(at);
                    return Ok(Some(Event::Stream(send, recv)));
                }
                (Some(Headed::Stream { .. }), Some(_)) => {
                    let Beginning { mut send, mut recv, .. } = self.beginning.remove(at);
                    // They fail only if the client has taken the stream back.
                    let _ = send.reset(code(codes::BUFFERED_STREAM_REJECTED));
                    let _ = recv.stop(code(codes::BUFFERED_STREAM_REJECTED));
                }
                _ => at += 1,
            }
        }
        Ok(None)
    }

    /// Takes in what was opened, and notes the end of the connection.
    fn accept(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(opened) = self.opened.poll(cx) {
            match opened {
                Ok((send, recv)) => {
                    self.opened.set(quic::open(self.connection.clone()));
                    self.beginning.push(Beginning { send, recv, head: Head::default(), headed: None });
                }
                Err(error) => {
                    self.opened.set(std::future::pending());
                    self.over.get_or_insert(Over::Lost(error));
                }
            }
        }
    }
}

impl Beginning {
    /// Reads on, up to the end of the head. False: nothing will come of it.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Fault> {
        let mut buffer = [0; READ];
        while self.headed.is_none() {
            let wanted = self.head.wants().min(READ);
            match self.recv.poll_read(cx, &mut buffer[..wanted]) {
                Poll::Pending | Poll::Ready(Err(ReadError::ConnectionLost(_))) => break,
                Poll::Ready(Ok(length @ 1..)) => self.headed = self.head.take(&buffer[..length])?,
                // It ends before it is anything.
                Poll::Ready(Ok(0) | Err(_)) => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Writes what can be written now; the rest when this is called again. A stream that takes nothing more is not written to.
pub(super) fn flush(stream: &mut SendStream, unsent: &mut Vec<u8>, cx: &mut Context<'_>) {
    while !unsent.is_empty() {
        match std::pin::Pin::new(&mut *stream).poll_write(cx, unsent) {
            Poll::Ready(Ok(written)) => _ = unsent.drain(..written),
            Poll::Ready(Err(_)) => unsent.clear(),
            Poll::Pending => break,
        }
    }
}
