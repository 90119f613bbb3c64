//! The client's streams of one direction (RFC 9114, section 6.2): HTTP/3's own are read, all others are refused.

use super::code;
use quinn::{Connection, ConnectionError, ReadError, RecvStream};
use std::task::{Context, Poll};
use tokio_util::sync::ReusableBoxFuture;
use weir_codec::http3::{Control, Fault, code as codes, stream, stream_type};

/// Bytes that one read takes, and how many reads a stream has before it is another's turn.
const READ: usize = 512;
const READS: usize = 4;

/// All of a connection.
pub(super) struct OneWay {
    connection: Connection,
    opened: ReusableBoxFuture<'static, Result<RecvStream, ConnectionError>>,
    streams: Vec<Stream>,
    control: Control,
    /// Types that are there: a client has one stream of each.
    known: Vec<u64>,
}

struct Stream {
    recv: RecvStream,
    what: What,
}

enum What {
    /// The bytes of its type that have come.
    Unknown([u8; 8], usize),
    Control,
    /// With no dynamic table nothing that is said there is of use.
    Qpack,
}

impl OneWay {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            opened: ReusableBoxFuture::new(open(connection.clone())),
            connection,
            streams: Vec::new(),
            control: Control::default(),
            known: Vec::new(),
        }
    }

    /// Whether the client has said its settings.
    pub(super) const fn is_ready(&self) -> bool {
        self.control.is_ready()
    }

    /// Reads what is there.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while let Poll::Ready(opened) = self.opened.poll(cx) {
            // An error is the connection's, which is said elsewhere.
            let Ok(recv) = opened else {
                self.opened.set(std::future::pending());
                break;
            };
            self.opened.set(open(self.connection.clone()));
            self.streams.push(Stream { recv, what: What::Unknown([0; 8], 0) });
        }
        let mut at = 0;
        while let Some(stream) = self.streams.get_mut(at) {
            if stream.read(cx, &mut self.control, &mut self.known)? {
                at += 1;
            } else {
                self.streams.remove(at);
            }
        }
        Ok(())
    }
}

impl Stream {
    /// False: nothing more is wanted of it.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        control: &mut Control,
        known: &mut Vec<u64>,
    ) -> Result<bool, Fault> {
        let mut buffer = [0; READ];
        for _ in 0..READS {
            let wanted = match &self.what {
                What::Unknown(bytes, filled) => stream_type(&bytes[..*filled]).err().unwrap_or_default(),
                What::Control | What::Qpack => READ,
            };
            let length = match self.recv.poll_read(cx, &mut buffer[..wanted]) {
                Poll::Pending | Poll::Ready(Err(ReadError::ConnectionLost(_))) => return Ok(true),
                Poll::Ready(Ok(length @ 1..)) => length,
                Poll::Ready(Ok(0) | Err(_)) => {
                    return match self.what {
                        What::Unknown(..) => Ok(false),
                        What::Control | What::Qpack => Err(Fault {
                            code: codes::CLOSED_CRITICAL_STREAM,
                            rule: "a stream has ended that must not",
                        }),
                    };
                }
            };
            match &mut self.what {
                What::Control => control.take(&buffer[..length])?,
                What::Qpack => {}
                What::Unknown(bytes, filled) => {
                    bytes[*filled..*filled + length].copy_from_slice(&buffer[..length]);
                    *filled += length;
                    let Ok(kind) = stream_type(&bytes[..*filled]) else { continue };
                    match self.name(kind, known)? {
                        Some(what) => self.what = what,
                        None => return Ok(false),
                    }
                }
            }
        }
        // The others first.
        cx.waker().wake_by_ref();
        Ok(true)
    }

    fn name(&mut self, kind: u64, known: &mut Vec<u64>) -> Result<Option<What>, Fault> {
        let broken = |rule| Fault { code: codes::STREAM_CREATION_ERROR, rule };
        let what = match kind {
            stream::CONTROL => What::Control,
            stream::QPACK_ENCODER | stream::QPACK_DECODER => What::Qpack,
            stream::PUSH => return Err(broken("clients push nothing")),
            other => {
                // Messages come on streams of both directions: their answers go back on them. What nobody knows is not wanted.
                let webtransport = other == stream::WEBTRANSPORT;
                let why =
                    if webtransport { codes::FIRST_APPLICATION_CODE } else { codes::STREAM_CREATION_ERROR };
                // It fails only if the client has ended it.
                let _ = self.recv.stop(code(why));
                return Ok(None);
            }
        };
        if known.contains(&kind) {
            return Err(broken("a second stream of a kind of which there is one"));
        }
        known.push(kind);
        Ok(Some(what))
    }
}

async fn open(connection: Connection) -> Result<RecvStream, ConnectionError> {
    connection.accept_uni().await
}
