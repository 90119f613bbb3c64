//! TCP, TLS and what is spoken over them.

use super::{Finished, Input, Link, WriteError};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_codec::Decoder;
use weir_core::{CloseReason, End, Lane, Path};

/// A byte stream: one lane.
#[derive(Debug)]
pub struct StreamLink<S> {
    stream: S,
    decoder: Decoder,
    /// Bytes that the stream has taken and the kernel has not: they are not written yet. Only TLS keeps any.
    unflushed: u32,
    shut: bool,
    /// Where the way to the peer can be measured.
    measure: Option<fn(&S) -> Option<Path>>,
}

impl<S> StreamLink<S> {
    /// The same with another stream in the place of this one, before anything was written.
    pub(crate) fn try_map<T>(self, map: impl FnOnce(S) -> io::Result<T>) -> io::Result<StreamLink<T>> {
        let Self { stream, decoder, unflushed, shut, measure: _ } = self;
        Ok(StreamLink { stream: map(stream)?, decoder, unflushed, shut, measure: None })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamLink<S> {
    /// `decoder` for what the peer sends.
    pub const fn new(stream: S, decoder: Decoder) -> Self {
        Self { stream, decoder, unflushed: 0, shut: false, measure: None }
    }

    /// With a way to know how the way to the peer is.
    #[must_use]
    pub(crate) fn measured(mut self, measure: fn(&S) -> Option<Path>) -> Self {
        self.measure = Some(measure);
        self
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WriteError>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(|_| WriteError::Lost)?;
        Poll::Ready(Ok(std::mem::take(&mut self.unflushed) as usize))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link for StreamLink<S> {
    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Input>> {
        // For TCP this clears the readiness after a short read, so that the next one costs no system call.
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(match buffer.filled().len() {
            0 => Input::End,
            length => Input::Bytes(Lane::ONLY, length),
        }))
    }

    fn decoder(&mut self, _: Lane) -> Option<&mut Decoder> {
        Some(&mut self.decoder)
    }

    #[inline]
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        _: Lane,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, WriteError>> {
        if self.unflushed > 0 {
            return self.poll_flush(cx);
        }
        let stream = Pin::new(&mut self.stream);
        let written = match slices {
            [only] => ready!(stream.poll_write(cx, only)),
            _ => ready!(stream.poll_write_vectored(cx, slices)),
        };
        match written {
            Ok(0) | Err(_) => Poll::Ready(Err(WriteError::Lost)),
            Ok(bytes) => {
                self.unflushed = bytes as u32;
                self.poll_flush(cx)
            }
        }
    }

    fn in_hand(&self, _: Lane) -> usize {
        self.unflushed as usize
    }

    fn path(&self) -> Option<Path> {
        (self.measure?)(&self.stream)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Finished>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.shut = true;
        Poll::Ready(Ok(Finished::ExpectPeerEnd))
    }

    fn close(&mut self, cx: &mut Context<'_>, end: &End) {
        let in_order = !matches!(
            end.reason,
            CloseReason::ClientReset
                | CloseReason::Truncated
                | CloseReason::SlowConsumer
                | CloseReason::UpstreamFailed
                | CloseReason::Killed
        );
        if in_order && !self.shut {
            // Everything is written: this is TLS's goodbye, and there is nobody left to wait for it.
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
    }
}
