//! A worker, and a driver of its connections without sockets.

use arc_swap::ArcSwap;
use bytes::BytesMut;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;
use weir_codec::websocket::{self, Role};
use weir_codec::{Decoder, Event, Framing, Kind, Prefix, Wire};
use weir_core::{
    Chain, ClusterId, ClusterPolicy, ConnId, Directory, Flow, Lane, Limits, ListenerId, ListenerPolicy,
    Opening, Route, Snapshot, Time, Transport, Worker, WorkerId, WorkerStats,
};

const MESSAGES: usize = 64;
const SIZE: usize = 64;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The group of the listeners that publish.
const GROUP: &str = "all";

/// A transport, and how its clients' bytes become messages.
#[derive(Clone)]
pub(crate) struct End {
    transport: Transport,
    wire: Wire,
    /// The client's.
    far: Wire,
}

pub(crate) fn framed() -> End {
    let wire = Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 }));
    End { transport: Transport::Tcp, far: wire.clone(), wire }
}

pub(crate) fn websocket() -> End {
    let (wire, far) = (Wire::WebSocket { role: Role::Server }, Wire::WebSocket { role: Role::Client });
    End { transport: Transport::WebSocket, wire, far }
}

pub(crate) struct World {
    pub(crate) worker: Worker,
    pub(crate) conns: Vec<ConnId>,
    snapshot: Snapshot,
    source: Arc<ArcSwap<Snapshot>>,
    ends: Vec<End>,
    now: Time,
    decoder: Decoder,
    /// What the first listener's client sends: all messages of a round.
    stream: BytesMut,
    buffer: Vec<u8>,
    dirty: Vec<ConnId>,
    /// How much was written.
    written: usize,
}

impl World {
    /// A listener for each.
    pub(crate) fn new(listeners: Vec<(End, Route)>) -> Self {
        Self::at(WorkerId(0), listeners, &Arc::new(Directory::new(1)), 1)
    }

    /// One of several workers.
    fn at(id: WorkerId, listeners: Vec<(End, Route)>, directory: &Arc<Directory>, workers: usize) -> Self {
        let policy = |(end, route): &(End, Route)| ListenerPolicy {
            name: "listener".into(),
            transport: end.transport,
            chain: Chain::default(),
            join: if let Route::Group(group) = route { vec![Arc::clone(group)] } else { Vec::new() },
            route: route.clone(),
            limits: Limits::default(),
            conflate: None,
            resume: None,
        };
        let policies: Vec<_> = listeners.iter().map(policy).collect();
        let count = policies.len();
        let cluster = ClusterPolicy {
            name: "back".into(),
            queue: 1 << 20,
            write_timeout: Duration::from_secs(30),
            wire: framed().wire,
        };
        let clusters = vec![cluster];
        let snapshot = Snapshot { version: 1, listeners: policies, clusters, ..Snapshot::default() };
        let source = Arc::new(ArcSwap::from_pointee(snapshot.clone()));
        let stats = Arc::new(WorkerStats::new(count, 1));
        let worker = Worker::new(id, source.clone(), directory.clone(), stats, workers, 7);
        let ends: Vec<_> = listeners.into_iter().map(|(end, _)| end).collect();
        let mut stream = BytesMut::new();
        for _ in 0..MESSAGES {
            ends[0].far.encode(Kind::Binary, &[b'a'; SIZE], MASK, &mut stream).expect("a message");
        }
        let decoder = decoder(&ends[0]);
        let mut world = Self {
            worker,
            conns: Vec::new(),
            snapshot,
            source,
            ends,
            now: Time(0),
            decoder,
            buffer: vec![0; stream.len()],
            stream,
            dirty: Vec::new(),
            written: 0,
        };
        world.turn(Duration::from_millis(1));
        world
    }

    /// One listener that echoes.
    pub(crate) fn echoing(end: End) -> Self {
        Self::new(vec![(end, Route::Echo)])
    }

    /// So many sessions in one group.
    pub(crate) fn many(end: End, count: usize) -> Self {
        let mut world = Self::new(vec![(end, Route::Group(GROUP.into()))]);
        for _ in 0..count {
            world.open(0);
        }
        world
    }

    /// So many of each kind in one group.
    pub(crate) fn mixed(each: usize) -> Self {
        let route = || Route::Group(GROUP.into());
        let mut world = Self::new(vec![(framed(), route()), (websocket(), route())]);
        for number in 0..2 * each {
            world.open(number as u16 % 2);
        }
        world
    }

    /// A listener whose messages go to an upstream, which speaks the same.
    pub(crate) fn forwarding() -> Self {
        Self::new(vec![(framed(), Route::Cluster(ClusterId(0)))])
    }

    /// Two workers: what is published on the first goes to a group that has its members on the second.
    pub(crate) fn neighbours(end: &End) -> [Self; 2] {
        let directory = Arc::new(Directory::new(2));
        let listeners = || vec![(end.clone(), Route::Group(GROUP.into()))];
        let [here, there] = [0, 1].map(|id| Self::at(WorkerId(id), listeners(), &directory, 2));
        [here.with(|policy| policy.join.clear()), there]
    }

    /// With another policy of its first listener.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut ListenerPolicy)) -> Self {
        change(&mut self.snapshot.listeners[0]);
        self.snapshot.bindings = self.snapshot.listeners[0].chain.links().to_vec();
        self.snapshot.version += 1;
        self.source.store(Arc::new(self.snapshot.clone()));
        self.turn(Duration::from_millis(1));
        self
    }

    pub(crate) fn open(&mut self, listener: u16) -> ConnId {
        let opening = Opening {
            listener: ListenerId(listener),
            peer: "192.0.2.1:9".into(),
            tls: None,
            request: Vec::new(),
            wire: self.ends[usize::from(listener)].wire.clone(),
            hello: None,
        };
        let conn = self.worker.open(opening).expect("there is room");
        self.conns.push(conn);
        conn
    }

    /// Its client ends in order, and it is let go.
    pub(crate) fn end(&mut self, conn: ConnId) {
        self.worker.peer_ended(conn, None);
        self.write();
        self.worker.release(conn).expect("it was there");
        self.conns.retain(|other| *other != conn);
    }

    /// 64 messages come in reads of so many, in a turn each, and go back.
    pub(crate) fn echo(&mut self, conn: ConnId, together: usize) {
        let length = self.stream.len() / MESSAGES * together;
        self.written = 0;
        for at in (0..self.stream.len()).step_by(length) {
            self.turn(Duration::from_micros(100));
            self.read(conn, at..at + length);
            self.write();
        }
        assert!(self.written >= MESSAGES * SIZE, "all came back: {}", self.written);
    }

    /// The upstream connection of the session that was opened last.
    pub(crate) fn upstream(&mut self) -> ConnId {
        let conn = self.worker.take_connects().last().expect("one is asked for").conn;
        assert!(self.worker.connected(conn));
        conn
    }

    /// 64 messages come in reads of so many and go to the upstream, which answers each read with the same.
    pub(crate) fn forward(&mut self, conn: ConnId, upstream: ConnId, together: usize) {
        let length = self.stream.len() / MESSAGES * together;
        self.written = 0;
        for at in (0..self.stream.len()).step_by(length) {
            for end in [conn, upstream] {
                self.turn(Duration::from_micros(100));
                self.read(end, at..at + length);
                self.write();
            }
        }
        assert_eq!(self.written, 2 * self.stream.len(), "all went there and came back");
    }

    /// 64 messages come in one read, and go by letter to another worker, which writes them.
    pub(crate) fn send(&mut self, conn: ConnId, to: &mut Self) {
        to.written = 0;
        self.turn(Duration::from_micros(100));
        self.read(conn, 0..self.stream.len());
        let post = self.worker.mail(to.worker.id()).expect("letters");
        self.worker.posted(post.to, post.letters.len());
        to.turn(Duration::from_micros(100));
        to.worker.deliver(post.letters);
        to.write();
        assert_eq!(to.written, self.stream.len(), "all came over");
    }

    /// One message to all.
    pub(crate) fn publish(&mut self, conn: ConnId) {
        self.turn(Duration::from_micros(100));
        self.written = 0;
        self.read(conn, 0..self.stream.len() / MESSAGES);
        self.write();
        assert!(self.written >= self.conns.len() * SIZE, "all have it: {}", self.written);
    }

    /// Time passes until every session was asked whether it is there, and has answered.
    pub(crate) fn beat(&mut self) {
        let mut asked = 0;
        while asked < self.conns.len() {
            self.now = self.worker.next_deadline().expect("somebody is to be asked").max(self.now);
            self.worker.turn(self.now);
            self.worker.tick();
            self.dirty.clear();
            self.worker.take_dirty(&mut self.dirty);
            for conn in std::mem::take(&mut self.dirty) {
                let mut carried = [0; 8];
                let Some(queue) = self.worker.queue(conn) else { continue };
                let mut slices = [IoSlice::new(&[]); 1];
                queue.slices(Lane::ONLY, &mut slices);
                // A ping: two bytes of header, eight of what it carries.
                let frame = &slices[0][..];
                assert_eq!((frame[0], frame.len()), (0x89, 10));
                carried.copy_from_slice(&frame[2..]);
                self.worker.written(conn, Lane::ONLY, 10);
                self.worker.heard(conn);
                self.worker.pong(conn, &carried);
                asked += 1;
            }
        }
    }

    fn turn(&mut self, later: Duration) {
        self.now = self.now + later;
        self.worker.turn(self.now);
    }

    fn read(&mut self, conn: ConnId, part: std::ops::Range<usize>) {
        let buffer = &mut self.buffer[..part.len()];
        buffer.copy_from_slice(&self.stream[part]);
        self.worker.heard(conn);
        let mut rest = buffer;
        while !rest.is_empty() {
            let decoded = self.decoder.decode(rest).expect("frames");
            if let Some(Event::Message { kind, payload }) = decoded.event {
                assert_eq!(self.worker.received(conn, Lane::ONLY, kind, payload), Flow::Continue);
            }
            let consumed = decoded.consumed;
            rest = &mut rest[consumed..];
        }
    }

    /// What is queued is written, as far as a vectored write goes at once.
    fn write(&mut self) {
        self.worker.tick();
        self.dirty.clear();
        self.worker.take_dirty(&mut self.dirty);
        for conn in &self.dirty {
            while let Some(queue) = self.worker.queue(*conn) {
                let mut slices = [IoSlice::new(&[]); 64];
                let count = queue.slices(Lane::ONLY, &mut slices);
                let length: usize = slices[..count].iter().map(|slice| slice.len()).sum();
                self.worker.written(*conn, Lane::ONLY, length);
                self.written += length;
            }
        }
    }
}

fn decoder(end: &End) -> Decoder {
    match &end.wire {
        Wire::Framed(framing) => Decoder::framed(framing, Kind::Binary),
        _ => Decoder::websocket(Role::Server, websocket::Limits { message: 1 << 20, fragments: 128 }),
    }
}
