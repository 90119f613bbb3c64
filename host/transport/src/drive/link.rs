//! What the driver needs of a transport.

use bytes::Bytes;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};
use weir_codec::{Decoder, WireError};
use weir_core::{ConnId, End, Lane, Path, Worker};

/// A connection as its driver sees it: one way for TCP, TLS and WebSocket, several [lanes](Lane) for QUIC.
///
/// What is `Pending` has seen to it that the task is woken. Nothing here asks for a turn of the worker.
pub trait Link: Unpin {
    /// What came next. Bytes are in `buffer`, at its beginning. An error is the end of a transport that broke.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Input>>;

    /// What turns the lane's bytes into messages; `None`: there is no such lane any more.
    fn decoder(&mut self, lane: Lane) -> Option<&mut Decoder>;

    /// Writes the beginning of `slices`, at least one byte. After `Pending` the driver comes back with slices that begin with the bytes
    /// [in hand](Self::in_hand), unless the connection has ended; behind them there may be others than before.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        lane: Lane,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, WriteError>>;

    /// Bytes of the lane that were taken and are not written yet: those after a `poll_write` that was `Pending`.
    fn in_hand(&self, lane: Lane) -> usize {
        let _ = lane;
        0
    }

    /// Sends one datagram whole.
    fn poll_send(&mut self, cx: &mut Context<'_>, datagram: Bytes) -> Poll<Result<usize, WriteError>> {
        let (_, _) = (cx, datagram);
        Poll::Ready(Err(WriteError::Lane))
    }

    /// How the way to the peer is; `None`: the transport does not know.
    fn path(&self) -> Option<Path> {
        None
    }

    /// Called when what could be written is written: the transport tidies its lanes.
    fn tidy(&mut self, worker: &mut Worker, id: ConnId) {
        let (_, _) = (worker, id);
    }

    /// The session is going to be closed before long, though not yet: told where the transport has a word for it. Called again with
    /// every pass until then.
    fn going(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Shuts the writing side down, with everything written before. Not called again when it is ready.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Finished>>;

    /// Lets go, with `end` to say where the transport has a way to.
    fn close(&mut self, cx: &mut Context<'_>, end: &End);
}

/// What a transport brought.
#[derive(Debug)]
pub enum Input {
    /// This many bytes of a lane; of the datagrams' lane, one whole datagram.
    Bytes(Lane, usize),
    /// The peer opened a lane.
    LaneOpened(Lane),
    /// The peer sends no more on this lane.
    LaneEnded(Lane),
    /// The peer sends no more at all.
    End,
    /// The peer ended the connection, with a code and a reason if it gave any: it takes nothing more either.
    Closed(Option<(u16, Box<str>)>),
    /// The peer broke a rule that is the transport's to know.
    Broken(WireError),
}

/// Why something could not be written.
#[derive(Debug)]
pub enum WriteError {
    /// The connection is gone.
    Lost,
    /// The lane is gone, the connection is not.
    Lane,
    /// Longer than a datagram can be here.
    TooLong,
    /// As many datagrams wait as may.
    Full,
}

/// What is to be waited for after the writing side is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The peer's own end: only that shows that it read everything.
    ExpectPeerEnd,
    /// Nothing: the peer has everything.
    Delivered,
}
