//! The driver: one for all transports, downstream and upstream.
//!
//! A driver is a task that moves bytes between a [`Link`] and the worker's state machine, a few at a time. It is written by hand rather
//! than as an async function because of what an idle one costs: no buffer, no state machine of nested awaits, one small future.

mod link;
mod pass;
mod stream;
mod unread;

pub use link::{Finished, Input, Link, WriteError};
pub use stream::StreamLink;
pub(crate) use unread::Unread;

use crate::line::Place;
use crate::listen::Admission;
use crate::local::Local;
use crate::record;
use bytes::BytesMut;
use pass::Pass;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use weir_codec::{Decoded, Event, WireError, websocket};
use weir_core::{
    CloseReason, ConnId, DropReason, End, Flow, Lane, Payload, Rejection, Status, Together, Worker,
};

/// Slices of one vectored write.
const SLICES: usize = 64;
/// What is tried first: more than that is rarely there.
const FEW_SLICES: usize = 4;

/// Drives one connection from now until it is released.
#[derive(Debug)]
pub struct Driver<L: Link> {
    local: Rc<Local>,
    session: Session<L>,
    /// Its place among the connections of its listener.
    _admission: Option<Admission>,
}

#[derive(Debug)]
struct Session<L> {
    id: ConnId,
    link: L,
    /// The last read ended within a message.
    mid_frame: bool,
    /// A message has been completed since.
    completed: bool,
    /// Read, but not decoded: the reader was told to stand still.
    backlog: Option<Box<Backlog>>,
    /// Which of the connection's transports this is; see [`Worker::transport_of`].
    transport: u8,
    /// What the peer sends can no longer be understood.
    broken: bool,
    /// The peer is told of the end in its own protocol, and answers.
    closes_by_frame: bool,
    finished: bool,
    /// The worker has nothing to do with it any more.
    released: bool,
    /// The last pass was spent: the next waits in the line of those.
    is_busy: bool,
    /// In that line, or in the line of those that are to be let go.
    place: Place,
}

#[derive(Debug)]
struct Backlog {
    lane: Lane,
    bytes: Vec<u8>,
    start: usize,
    /// Decoded, from what was before these bytes, but not received.
    undone: Option<Box<Undone>>,
    /// Of other lanes, read before the session began.
    next: Option<Box<Self>>,
}

/// What was decoded when the reader was told to stand still.
#[derive(Debug)]
struct Undone {
    together: Together,
    /// What came after these.
    then: Option<Result<Event<'static>, WireError>>,
}

/// How far the decoding has come.
struct Step {
    /// Bytes that are dealt with.
    taken: usize,
    flow: Flow,
    undone: Option<Box<Undone>>,
}

/// What became of a pass.
enum Advance {
    /// There is nothing to do; the task is woken when there is.
    Waits,
    /// There is more to do than the pass had room for.
    Spent,
    Over(Over),
}

/// How a driver's work is over.
enum Over {
    Ended(End),
    /// The session goes on without this transport.
    Parted(End),
}

impl<L: Link> Driver<L> {
    /// A driver of an upstream connection that is [connected](Worker::connected). `leftover` is what was read of it already.
    pub fn upstream(local: Rc<Local>, id: ConnId, link: L, leftover: &[u8], wire: &weir_codec::Wire) -> Self {
        Self::new(local, id, link, Unread::of(leftover), wire, None)
    }

    /// A driver of a session that is [open](Worker::open).
    pub(crate) fn new(
        local: Rc<Local>,
        id: ConnId,
        link: L,
        unread: Unread,
        wire: &weir_codec::Wire,
        admission: Option<Admission>,
    ) -> Self {
        let transport = local.with(|worker| worker.transport_of(id)).unwrap_or_default();
        let session = Session {
            id,
            link,
            backlog: Backlog::of_unread(unread),
            transport,
            mid_frame: false,
            completed: false,
            broken: false,
            closes_by_frame: wire.websocket().is_some(),
            finished: false,
            released: false,
            is_busy: false,
            place: Place::default(),
        };
        Self { local, session, _admission: admission }
    }
}

impl<L: Link> Future for Driver<L> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { local, session, .. } = self.get_mut();
        if session.released {
            return local.ends().poll_turn(&mut session.place, cx).map(drop);
        }
        let (line_turn, pass) = if session.is_busy {
            (Some(ready!(local.busy().poll_turn(&mut session.place, cx))), Pass::whole())
        } else {
            (None, Pass::first())
        };
        let mut turn = local.turn(Some(session.id));
        if turn.transport_of(session.id).is_some_and(|transport| transport != session.transport) {
            session.give_way(&turn, cx);
            return Poll::Ready(());
        }
        local.attach(session.id, cx.waker());
        let over = match session.advance(&mut turn, &mut local.buffer(), cx, pass) {
            Advance::Over(over) => over,
            Advance::Waits => {
                session.is_busy = false;
                return Poll::Pending;
            }
            Advance::Spent => {
                // The others first, and those who are busy too in their order.
                session.is_busy = true;
                drop((turn, line_turn));
                return local.busy().poll_turn(&mut session.place, cx).map(drop);
            }
        };
        session.is_busy = false;
        match over {
            Over::Ended(end) => {
                // To let it go costs more than a message, and very many may end at once.
                let _turn = ready!(local.ends().poll_turn(&mut session.place, cx));
                session.link.close(cx, &end);
                session.release(&mut turn);
                local.detach(session.id);
                Poll::Ready(())
            }
            Over::Parted(end) => {
                record::parted(&turn, session.id, &end);
                session.link.close(cx, &end);
                session.released = true;
                local.detach(session.id);
                // The session waits for its client from now on; what is left here is the socket.
                local.ends().poll_turn(&mut session.place, cx).map(drop)
            }
        }
    }
}

impl<L: Link> Drop for Driver<L> {
    /// A task that is dropped before its end, with its runtime, is an end too.
    fn drop(&mut self) {
        if !self.session.released {
            self.session.release(&mut self.local.turn(Some(self.session.id)));
            self.local.detach(self.session.id);
        }
    }
}

impl<L: Link> Session<L> {
    /// Does what can be done now, within one pass's budget, until something is to be waited for.
    fn advance(
        &mut self,
        worker: &mut Worker,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
        mut pass: Pass,
    ) -> Advance {
        if worker.takes_path(self.id)
            && let Some(path) = self.link.path()
        {
            worker.path(self.id, path);
        }
        if worker.is_draining() {
            self.link.going(cx);
        }
        loop {
            let moved = match worker.status(self.id) {
                Status::Active { read, finish } => {
                    let heard = read && self.read(worker, buffer, cx, &mut pass);
                    let said = self.write(worker, cx, &mut pass);
                    let finished = finish && self.finish(worker, cx, &mut pass);
                    heard | said | finished
                }
                Status::Lingering => self.linger(worker, buffer, cx, &mut pass),
                Status::Ended(end) => return Advance::Over(Over::Ended(end)),
                Status::Parted(end) => return Advance::Over(Over::Parted(end)),
            };
            if pass.is_spent() {
                return Advance::Spent;
            }
            if !moved {
                return Advance::Waits;
            }
        }
    }

    /// Reads what is there and hands it on. True if anything came of it.
    fn read(
        &mut self,
        worker: &mut Worker,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
        pass: &mut Pass,
    ) -> bool {
        let (mut moved, flow) = self.resume(worker, pass);
        if flow == Flow::Pause {
            return moved;
        }
        while self.backlog.is_none() && pass.may_read() {
            let input = match self.link.poll_read(cx, buffer) {
                Poll::Pending => {
                    pass.nothing_to_read();
                    break;
                }
                Poll::Ready(Ok(input)) => input,
                Poll::Ready(Err(error)) => {
                    self.lost(worker, &error);
                    return true;
                }
            };
            moved = true;
            if self.take(worker, input, buffer, pass) != Flow::Continue {
                break;
            }
        }
        moved
    }

    /// Goes on where the reader was told to stand still.
    fn resume(&mut self, worker: &mut Worker, pass: &mut Pass) -> (bool, Flow) {
        let Some(mut backlog) = self.backlog.take() else { return (false, Flow::Continue) };
        let lane = backlog.lane;
        let mut moved = false;
        if let Some(undone) = backlog.undone.take() {
            let (flow, undone) = self.make_up(worker, lane, *undone, pass);
            backlog.undone = undone;
            if backlog.undone.is_some() || flow == Flow::Pause && backlog.has_bytes() {
                self.backlog = Some(backlog);
                return (true, flow);
            }
            if !backlog.has_bytes() {
                self.backlog = backlog.next;
                return (true, flow);
            }
            moved = true;
        }
        let start = backlog.start;
        let Step { taken, flow, undone } = self.decode(worker, lane, &mut backlog.bytes[start..], pass);
        self.watch_frame(worker, lane);
        backlog.start += taken;
        moved |= taken > 0;
        backlog.undone = undone;
        if backlog.undone.is_some() || backlog.has_bytes() {
            self.backlog = Some(backlog);
        } else {
            self.backlog = backlog.next;
        }
        (moved, flow)
    }

    /// Tells the worker what came.
    fn take(&mut self, worker: &mut Worker, input: Input, buffer: &mut [u8], pass: &mut Pass) -> Flow {
        let id = self.id;
        match input {
            Input::Bytes(lane, length) => {
                worker.heard(id);
                let Step { taken, flow, undone } = self.decode(worker, lane, &mut buffer[..length], pass);
                self.watch_frame(worker, lane);
                self.backlog = Backlog::of(lane, &buffer[taken..length], undone);
                flow
            }
            Input::LaneOpened(lane) => {
                worker.lane_opened(id, lane);
                Flow::Continue
            }
            Input::LaneEnded(lane) => self.input_ended(worker, lane).unwrap_or(Flow::Continue),
            Input::End => self.input_ended(worker, Lane::ONLY).unwrap_or_else(|| worker.peer_ended(id, None)),
            Input::Closed(said) => worker.peer_ended(id, Some(said)),
            Input::Broken(error) => {
                self.broken = true;
                worker.broken(id, &error)
            }
        }
    }

    /// Hands bytes to the worker, message by message, or several where plugins are to be asked for them together: never more than are
    /// there. Gives how many bytes are dealt with: all of them, unless the reader is to stand still.
    fn decode(&mut self, worker: &mut Worker, lane: Lane, bytes: &mut [u8], pass: &mut Pass) -> Step {
        let length = bytes.len();
        let mut step = Step { taken: 0, flow: Flow::Continue, undone: None };
        if self.broken {
            step.taken = length;
            return step;
        }
        let mut together = worker.takes_several(self.id).then(|| worker.together());
        let mut then = None;
        // An empty datagram is a message too: so this asks at its end whether anything is left.
        while pass.may_decode() {
            let Some(decoder) = self.link.decoder(lane) else {
                step.taken = length;
                break;
            };
            let event = match decoder.decode(&mut bytes[step.taken..]) {
                Ok(Decoded { consumed, event }) => {
                    step.taken += consumed;
                    event.map(Ok)
                }
                Err(error) => {
                    self.broken = true;
                    Some(Err(error))
                }
            };
            let Some(event) = event else {
                step.taken = length;
                break;
            };
            if self.broken {
                step.taken = length;
            }
            self.completed |= matches!(event, Ok(Event::Message { .. } | Event::Compressed(_)));
            let last = step.taken == length;
            if let Some(together) = &mut together {
                if gather(together, &event, last) {
                    if last {
                        break;
                    }
                    continue;
                }
                if !together.is_empty() {
                    step.flow = self.receive(worker, lane, together, pass);
                    if step.flow == Flow::Pause || !together.is_empty() {
                        then = Some(event.map(Event::into_owned));
                        break;
                    }
                    if gather(together, &event, last) {
                        continue;
                    }
                }
            }
            // After `Stop` the rest is decoded all the same: a close frame may be in it. The worker takes nothing else.
            step.flow = self.handle(worker, lane, event, pass);
            if step.flow == Flow::Pause || last {
                break;
            }
        }
        let Some(mut together) = together else { return step };
        if !together.is_empty() && then.is_none() {
            step.flow = self.receive(worker, lane, &mut together, pass);
        }
        if together.is_empty() && then.is_none() {
            worker.give_back(together);
        } else {
            step.undone = Some(Box::new(Undone { together, then }));
        }
        step
    }

    /// Hands one thing that was decoded to the worker.
    fn handle(
        &self,
        worker: &mut Worker,
        lane: Lane,
        event: Result<Event<'_>, WireError>,
        pass: &mut Pass,
    ) -> Flow {
        let id = self.id;
        let before = worker.effort();
        let flow = match event {
            Ok(Event::Message { kind, payload }) => worker.received(id, lane, kind, payload),
            Ok(Event::Compressed(message)) => {
                let (inflated, flow) = worker.received_compressed(id, lane, &message);
                pass.inflated(inflated);
                flow
            }
            Ok(Event::Ping(payload)) => worker.ping(id, &payload),
            Ok(Event::Pong(payload)) => worker.pong(id, &payload),
            Ok(Event::Close(said)) => worker.peer_ended(id, Some(said)),
            Err(error) => worker.broken(id, &error),
        };
        pass.pay(worker.effort() - before);
        flow
    }

    /// Hands messages that came together to the worker, until the reader is to stand still or its turn is over.
    fn receive(&self, worker: &mut Worker, lane: Lane, together: &mut Together, pass: &mut Pass) -> Flow {
        let mut flow = Flow::Continue;
        worker.foresee(self.id, together);
        while let Some((kind, payload)) = together.pop() {
            let before = worker.effort();
            flow = worker.received(self.id, lane, kind, Payload::Borrowed(payload));
            let paid = pass.pay(worker.effort() - before);
            if flow == Flow::Pause || !paid {
                break;
            }
        }
        worker.set_aside(together);
        flow
    }

    /// What was decoded and not dealt with; and what of it still is not.
    fn make_up(
        &self,
        worker: &mut Worker,
        lane: Lane,
        mut undone: Undone,
        pass: &mut Pass,
    ) -> (Flow, Option<Box<Undone>>) {
        let mut flow = self.receive(worker, lane, &mut undone.together, pass);
        if !undone.together.is_empty() || flow == Flow::Pause && undone.then.is_some() {
            return (flow, Some(Box::new(undone)));
        }
        if let Some(event) = undone.then {
            flow = self.handle(worker, lane, event, pass);
        }
        worker.give_back(undone.together);
        (flow, None)
    }

    /// Tells the worker when a message begins to be incomplete, and when none is any more.
    fn watch_frame(&mut self, worker: &mut Worker, lane: Lane) {
        let began = std::mem::take(&mut self.completed);
        let incomplete = self.link.decoder(lane).is_some_and(|decoder| !decoder.is_idle());
        if incomplete || self.mid_frame {
            worker.mid_frame(self.id, incomplete.then_some(began));
            self.mid_frame = incomplete;
        }
    }

    /// A peer that ends in the middle of a frame has broken off.
    fn input_ended(&mut self, worker: &mut Worker, lane: Lane) -> Option<Flow> {
        if self.broken {
            return None;
        }
        let error = self.link.decoder(lane)?.finish().err()?;
        self.broken = true;
        Some(worker.broken(self.id, &error))
    }

    /// Writes what waits, lane by lane. True if anything came of it.
    fn write(&mut self, worker: &mut Worker, cx: &mut Context<'_>, pass: &mut Pass) -> bool {
        let id = self.id;
        let mut moved = false;
        // Lanes before this one take nothing now. One that is written empty leaves its place to the last.
        let mut blocked = 0;
        while pass.may_write() {
            let Some(queue) = worker.queue(id) else { break };
            let Some(lane) = queue.lanes().nth(blocked) else { break };
            let written = if lane == Lane::DATAGRAMS {
                queue.first_frame(lane).map_or(Poll::Pending, |datagram| self.link.poll_send(cx, datagram))
            } else {
                let mut few = [IoSlice::new(&[]); FEW_SLICES];
                let mut many;
                let count = queue.slices(lane, &mut few);
                let slices = if count < FEW_SLICES {
                    &few[..count]
                } else {
                    many = [IoSlice::new(&[]); SLICES];
                    let count = queue.slices(lane, &mut many);
                    &many[..count]
                };
                self.link.poll_write(cx, lane, slices)
            };
            match written {
                Poll::Pending => {
                    blocked += 1;
                    worker.in_hand(id, lane, self.link.in_hand(lane));
                    continue;
                }
                Poll::Ready(Ok(bytes)) => worker.written(id, lane, bytes),
                Poll::Ready(Err(WriteError::TooLong)) => worker.unsendable(id, lane, DropReason::TooLong),
                Poll::Ready(Err(WriteError::Full)) => worker.unsendable(id, lane, DropReason::QueueFull),
                Poll::Ready(Err(WriteError::Lane)) => worker.lane_ended(id, lane),
                Poll::Ready(Err(WriteError::Lost)) => {
                    worker.lost(id);
                    return true;
                }
            }
            pass.wrote();
            moved = true;
        }
        if blocked > 0 {
            worker.blocked(id);
        }
        self.link.tidy(worker, id);
        moved
    }

    /// Tells the peer that no more is coming.
    fn finish(&mut self, worker: &mut Worker, cx: &mut Context<'_>, pass: &mut Pass) -> bool {
        if self.finished || !pass.may_finish() {
            return false;
        }
        match self.link.poll_finish(cx) {
            Poll::Pending => {
                pass.nothing_to_finish();
                return false;
            }
            Poll::Ready(Ok(Finished::ExpectPeerEnd)) => {}
            Poll::Ready(Ok(Finished::Delivered)) => {
                worker.peer_ended(self.id, None);
            }
            Poll::Ready(Err(error)) => self.lost(worker, &error),
        }
        self.finished = true;
        true
    }

    /// Waits for the peer's end, discarding what it still sends.
    fn linger(
        &mut self,
        worker: &mut Worker,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
        pass: &mut Pass,
    ) -> bool {
        // A WebSocket peer answers the close frame, and ends. One that is not understood cannot be seen to answer.
        let finished = (self.broken || !self.closes_by_frame) && self.finish(worker, cx, pass);
        finished | self.read(worker, buffer, cx, pass)
    }

    fn lost(&mut self, worker: &mut Worker, error: &io::Error) {
        if error.kind() == io::ErrorKind::TimedOut {
            // The transport has its own way of asking whether the peer is there.
            worker.close(self.id, CloseReason::IdleTimeout);
        }
        worker.lost(self.id);
    }

    /// The client has come back on another transport. Whoever is still at this one is told so, where it can be said.
    fn give_way(&mut self, worker: &Worker, cx: &mut Context<'_>) {
        self.released = true;
        let said = Rejection::new(1000, "taken over");
        if self.closes_by_frame && !worker.was_torn(self.id) {
            let mut frame = BytesMut::new();
            websocket::encode_close(Some((said.code, &said.reason)), None, &mut frame);
            // It is said if it can be said at once.
            let _ = self.link.poll_write(cx, Lane::ONLY, &[IoSlice::new(&frame)]);
        }
        self.link.close(cx, &End { reason: CloseReason::SessionEnded, said });
    }

    fn release(&mut self, worker: &mut Worker) {
        self.released = true;
        if let Some(farewell) = worker.release(self.id) {
            record::closed(worker, self.id, &farewell);
        }
    }
}

/// Adds a message to those that came together. False: it is none, it does not fit, or no other comes with it.
fn gather(together: &mut Together, event: &Result<Event<'_>, WireError>, last: bool) -> bool {
    match event {
        Ok(Event::Message { kind, payload }) if !last || !together.is_empty() => {
            together.push(*kind, payload)
        }
        _ => false,
    }
}

impl Backlog {
    fn of(lane: Lane, rest: &[u8], undone: Option<Box<Undone>>) -> Option<Box<Self>> {
        let any = !rest.is_empty() || undone.is_some();
        any.then(|| Box::new(Self { lane, bytes: rest.to_vec(), start: 0, undone, next: None }))
    }

    fn has_bytes(&self) -> bool {
        self.start < self.bytes.len()
    }

    fn of_unread(unread: Unread) -> Option<Box<Self>> {
        let parts = unread.bytes.into_iter().rev();
        parts.fold(None, |next, (lane, bytes)| {
            Some(Box::new(Self { lane, bytes, start: 0, undone: None, next }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    /// With what tokio puts around a task (104 bytes, in units of 128), 152 bytes are a task of 256.
    #[test]
    fn an_idle_session_is_a_small_future() {
        let size = size_of::<Driver<StreamLink<TcpStream>>>();
        assert!(size <= 152, "{size} bytes");
    }
}
