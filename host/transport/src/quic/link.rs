//! A QUIC connection as the driver sees it, whatever is spoken on it.

use super::goodbye::Goodbyes;
use super::ways::{Next, Ways};
use crate::drive::{Finished, Input, Link, WriteError};
use bytes::Bytes;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendDatagramError, SendStream, VarInt};
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio_util::sync::ReusableBoxFuture;
use weir_codec::{Decoder, Framing, WireError};
use weir_core::{ConnId, End, Kind, Lane, Path, Worker};

/// Streams that were finished and may not be acknowledged yet: the client cannot have more open than this.
const FINISHED: usize = 16;

/// Its lanes, and what is being waited for.
pub(crate) struct QuicLink<W> {
    connection: Connection,
    ways: W,
    /// In the order in which the client opened them.
    lanes: Vec<QuicLane>,
    /// The lane that is read first next time.
    next: usize,
    /// Whether datagrams and new streams are looked at before the lanes: every other time, so that neither waits for the other.
    others_first: bool,
    datagram: ReusableBoxFuture<'static, Result<Bytes, ConnectionError>>,
    datagrams: Decoder,
    framing: Arc<Framing>,
    kind: Kind,
    /// Longest message.
    limit: usize,
    finished: VecDeque<SendStream>,
    delivered: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    goodbyes: Arc<Goodbyes>,
}

/// A stream that the client opened. It leaves when both sides are done.
struct QuicLane {
    lane: Lane,
    /// Until the client has finished it.
    recv: Option<RecvStream>,
    /// Until the client wants no more of it.
    send: Option<SendStream>,
    decoder: Decoder,
}

impl<W: Ways> QuicLink<W> {
    pub(crate) fn new(
        connection: Connection,
        ways: W,
        framing: Arc<Framing>,
        kind: Kind,
        limit: usize,
        goodbyes: Arc<Goodbyes>,
    ) -> Self {
        Self {
            datagram: ReusableBoxFuture::new(datagram(connection.clone())),
            connection,
            ways,
            lanes: Vec::new(),
            next: 0,
            others_first: false,
            datagrams: Decoder::datagrams(kind),
            framing,
            kind,
            limit,
            finished: VecDeque::new(),
            delivered: None,
            goodbyes,
        }
    }

    /// From the lanes in turn, so that none waits for another.
    fn poll_lanes(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Input> {
        let count = self.lanes.len();
        for turn in 0..count {
            let at = (self.next + turn) % count;
            let lane = &mut self.lanes[at];
            let Some(recv) = &mut lane.recv else { continue };
            let input = match recv.poll_read(cx, buffer) {
                Poll::Pending => continue,
                Poll::Ready(Ok(0)) => Input::LaneEnded(lane.lane),
                Poll::Ready(Ok(length)) => {
                    self.next = at + 1;
                    return Poll::Ready(Input::Bytes(lane.lane, length));
                }
                Poll::Ready(Err(ReadError::ConnectionLost(_))) => {
                    // How it was lost is said when nothing is left to be read.
                    lane.recv = None;
                    continue;
                }
                Poll::Ready(Err(_)) => {
                    // The client takes back what it began: that is no broken frame.
                    lane.decoder = Decoder::framed(&self.framing, self.kind);
                    Input::LaneEnded(lane.lane)
                }
            };
            lane.recv = None;
            return Poll::Ready(input);
        }
        Poll::Pending
    }

    fn poll_datagram(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Input> {
        let received = loop {
            // An error is the connection's: said when nothing is left to be read.
            let Ok(received) = ready!(self.datagram.poll(cx)) else {
                self.datagram.set(std::future::pending());
                return Poll::Pending;
            };
            self.datagram.set(datagram(self.connection.clone()));
            if let Some(payload) = self.ways.payload(received) {
                break payload;
            }
        };
        if received.len() > self.limit.min(buffer.len()) {
            let error = WireError::TooLong { claimed: received.len() as u64, limit: self.limit };
            return Poll::Ready(Input::Broken(error));
        }
        buffer[..received.len()].copy_from_slice(&received);
        Poll::Ready(Input::Bytes(Lane::DATAGRAMS, received.len()))
    }

    fn poll_opened(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Input>> {
        let (send, recv) = match ready!(self.ways.poll_next(cx)) {
            Next::Opened(send, recv) => (send, recv),
            Next::Ended(input) => return Poll::Ready(input),
        };
        let lane = Lane(VarInt::from(recv.id()).into_inner());
        let decoder = Decoder::framed(&self.framing, self.kind);
        self.lanes.push(QuicLane { lane, recv: Some(recv), send: Some(send), decoder });
        Poll::Ready(Ok(Input::LaneOpened(lane)))
    }

    /// Finishes all lanes; completes when the client has everything that was written on them, and may be told of the end.
    fn deliver(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        for at in 0..self.lanes.len() {
            if let Some(send) = self.lanes[at].send.take() {
                self.keep(send);
            }
        }
        let finished = std::mem::take(&mut self.finished);
        let turn = self.goodbyes.next();
        Box::pin(async move {
            for stream in &finished {
                // Acknowledged, or not wanted, or lost: there is nothing to be done about either.
                let _ = stream.stopped().await;
            }
            if let Some(turn) = turn {
                tokio::time::sleep_until(turn).await;
            }
        })
    }

    fn keep(&mut self, mut send: SendStream) {
        // It fails only if the client wants no more of it.
        if send.finish().is_ok() {
            self.finished.push_back(send);
        }
        if self.finished.len() > FINISHED {
            self.finished.pop_front();
        }
    }
}

impl<W: Ways> Link for QuicLink<W> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Input>> {
        self.others_first = !self.others_first;
        if self.others_first {
            if let Poll::Ready(input) = self.poll_datagram(cx, buffer) {
                return Poll::Ready(Ok(input));
            }
            // The end is not told before everything is read; it is seen again below.
            if let Poll::Ready(Ok(opened @ Input::LaneOpened(_))) = self.poll_opened(cx) {
                return Poll::Ready(Ok(opened));
            }
        }
        if let Poll::Ready(input) = self.poll_lanes(cx, buffer) {
            return Poll::Ready(Ok(input));
        }
        if let Poll::Ready(input) = self.poll_datagram(cx, buffer) {
            return Poll::Ready(Ok(input));
        }
        self.poll_opened(cx)
    }

    fn path(&self) -> Option<Path> {
        let path = self.connection.stats().path;
        Some(Path {
            round_trip: u32::try_from(path.rtt.as_micros()).unwrap_or(u32::MAX),
            // They may wrap: only differences are looked at.
            sent: path.sent_packets as u32,
            lost: path.lost_packets as u32,
        })
    }

    fn decoder(&mut self, lane: Lane) -> Option<&mut Decoder> {
        if lane == Lane::DATAGRAMS {
            return Some(&mut self.datagrams);
        }
        self.lanes.iter_mut().find(|known| known.lane == lane).map(|lane| &mut lane.decoder)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        lane: Lane,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, WriteError>> {
        let lane = self.lanes.iter_mut().find(|known| known.lane == lane);
        let Some(slot) = lane.map(|lane| &mut lane.send) else { return Poll::Ready(Err(WriteError::Lane)) };
        let Some(send) = slot else { return Poll::Ready(Err(WriteError::Lane)) };
        let mut written = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match Pin::new(&mut *send).poll_write(cx, slice) {
                Poll::Ready(Ok(bytes)) => {
                    written += bytes;
                    if bytes < slice.len() {
                        break;
                    }
                }
                Poll::Pending => break,
                // What was written before is told first; the error comes again.
                Poll::Ready(Err(_)) if written > 0 => break,
                Poll::Ready(Err(quinn::WriteError::ConnectionLost(_))) => {
                    return Poll::Ready(Err(WriteError::Lost));
                }
                Poll::Ready(Err(_)) => {
                    *slot = None;
                    return Poll::Ready(Err(WriteError::Lane));
                }
            }
        }
        if written > 0 { Poll::Ready(Ok(written)) } else { Poll::Pending }
    }

    fn poll_send(&mut self, _: &mut Context<'_>, datagram: Bytes) -> Poll<Result<usize, WriteError>> {
        let length = datagram.len();
        let datagram = self.ways.datagram(datagram);
        if datagram.len() > self.connection.datagram_send_buffer_space() {
            // quinn would make room by dropping what waits already, without a word.
            return Poll::Ready(Err(WriteError::Full));
        }
        Poll::Ready(match self.connection.send_datagram(datagram) {
            Ok(()) => Ok(length),
            Err(SendDatagramError::TooLarge) => Err(WriteError::TooLong),
            Err(SendDatagramError::ConnectionLost(_)) => Err(WriteError::Lost),
            Err(SendDatagramError::UnsupportedByPeer | SendDatagramError::Disabled) => Err(WriteError::Lane),
        })
    }

    /// A stream that the client has finished is finished too when nothing waits on it and nothing is owed: what may still come goes out
    /// on another, or while there is no other, on this.
    fn tidy(&mut self, worker: &mut Worker, id: ConnId) {
        if self.lanes.iter().all(|lane| lane.recv.is_some()) {
            return;
        }
        let owes = worker.owes(id);
        let mut at = 0;
        let mut open = self.lanes.iter().filter(|lane| lane.send.is_some()).count();
        while let Some(known) = self.lanes.get(at) {
            let lane = known.lane;
            let waits = worker.queue(id).is_some_and(|queue| queue.lanes().any(|waiting| waiting == lane));
            let needed = known.send.is_some() && (waits || (owes && open == 1));
            if known.recv.is_some() || needed {
                at += 1;
                continue;
            }
            let known = self.lanes.remove(at);
            if let Some(send) = known.send {
                open -= 1;
                self.keep(send);
                worker.lane_ended(id, lane);
            }
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Finished>> {
        if self.delivered.is_none() {
            self.delivered = Some(self.deliver());
        }
        if let Some(delivered) = &mut self.delivered {
            ready!(delivered.as_mut().poll(cx));
        }
        Poll::Ready(Ok(Finished::Delivered))
    }

    fn going(&mut self, cx: &mut Context<'_>) {
        self.ways.going(cx);
    }

    fn close(&mut self, _: &mut Context<'_>, end: &End) {
        self.ways.close(&self.connection, end);
    }
}

async fn datagram(connection: Connection) -> Result<Bytes, ConnectionError> {
    connection.read_datagram().await
}

impl<W> std::fmt::Debug for QuicLink<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicLink").finish_non_exhaustive()
    }
}
