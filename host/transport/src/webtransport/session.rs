//! The stream on which the session was asked for, for as long as the session lasts.

use super::LINGER;
use super::http3::flush;
use crate::drive::Input;
use quinn::{ReadError, RecvStream, SendStream};
use std::io;
use std::task::{Context, Poll};
use tokio::time::timeout;
use weir_codec::http3::{Fault, SessionEvent, SessionStream, close_capsule, drain_capsule};
use weir_core::{CloseReason, End};

/// Bytes that one read takes, and how many reads there are before it is another's turn.
const READ: usize = 512;
const READS: usize = 4;

#[derive(Debug)]
pub(super) struct Session {
    id: u64,
    send: SendStream,
    recv: RecvStream,
    capsules: SessionStream,
    /// What is to be written.
    unsent: Vec<u8>,
    drained: bool,
    ended: Option<Ended>,
}

/// How the client ended it.
#[derive(Clone, Debug)]
enum Ended {
    Closed(Option<(u16, Box<str>)>),
    Reset,
}

impl Session {
    pub(super) fn new(id: u64, send: SendStream, recv: RecvStream) -> Self {
        let (capsules, unsent) = (SessionStream::default(), Vec::new());
        Self { id, send, recv, capsules, unsent, drained: false, ended: None }
    }

    /// Of its stream.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Reads on; gives its end, and again whenever it is asked.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Result<Poll<io::Result<Input>>, Fault> {
        if self.ended.is_none() {
            self.read(cx)?;
        }
        Ok(match &self.ended {
            None => Poll::Pending,
            Some(Ended::Closed(said)) => Poll::Ready(Ok(Input::Closed(said.clone()))),
            Some(Ended::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        })
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let mut buffer = [0; READ];
        for _ in 0..READS {
            match self.recv.poll_read(cx, &mut buffer) {
                Poll::Pending | Poll::Ready(Err(ReadError::ConnectionLost(_))) => return Ok(()),
                // Without a word it is code 0, which is none.
                Poll::Ready(Ok(0)) => self.ended = Some(Ended::Closed(None)),
                Poll::Ready(Ok(length)) => {
                    if let Some(SessionEvent::Closed(code, reason)) = self.capsules.take(&buffer[..length])? {
                        let code = u16::try_from(code).ok().filter(|code| *code != 0);
                        self.ended = Some(Ended::Closed(code.map(|code| (code, reason))));
                    }
                }
                Poll::Ready(Err(_)) => self.ended = Some(Ended::Reset),
            }
            if self.ended.is_some() {
                return Ok(());
            }
        }
        // The others first.
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Says that it is going to end; again, until it is said.
    pub(super) fn going(&mut self, cx: &mut Context<'_>) {
        if !self.drained {
            self.drained = true;
            self.unsent = drain_capsule();
        }
        flush(&mut self.send, &mut self.unsent, cx);
    }

    /// Says how it ends, and waits until the client has read it. Browsers do not tell a page what was said when the connection ends
    /// before they have worked it off, though it was acknowledged.
    pub(super) async fn close(mut self, end: End) {
        if end.reason == CloseReason::Shutdown && !self.drained {
            self.unsent = drain_capsule();
        }
        if self.ended.is_none() {
            self.unsent.extend_from_slice(&close_capsule(end.said.code.into(), &end.said.reason));
        }
        if self.send.write_all(&self.unsent).await.is_ok() && self.send.finish().is_ok() {
            // Acknowledged, or not wanted, or lost: there is nothing to be done about either.
            let _ = self.send.stopped().await;
        }
        // Who has read it ends its side (draft-ietf-webtrans-http3, section 6). Not all do.
        let mut rest = [0; READ];
        let ended = async { while let Ok(Some(_)) = self.recv.read(&mut rest).await {} };
        let _ = timeout(LINGER, ended).await;
    }
}
