//! The worker under a microscope: a few sessions, plugins of one closure each, time by hand. Clients speak lines unless a test is
//! about frames, so that what they receive can be read.

mod chains;
mod comebacks;
mod compression;
mod effects;
mod effort;
mod ends;
mod hold;
mod lanes;
mod mail;
mod offload;
mod overload;
mod pressure;
mod rates;
mod resume;
mod rollout;
mod slow;
mod tap;
mod timers;
mod together;
mod when;

use crate::{
    BindingId, Call, CallStats, Chain, ClusterPolicy, ConnId, Direction, Directions, Directory, Effect,
    Failure, FailureCause, Flow, Forwarding, Instance, Kind, Lane, Limits, Link, ListenerId, ListenerPolicy,
    Message, OnFailure, Opening, Payload, Program, Rejection, Route, Seat, SessionId, SessionInfo, Snapshot,
    Status, Time, Together, Transport, Verdict, When, Worker, WorkerId, WorkerStats, Worn,
};
use arc_swap::ArcSwap;
use std::fmt;
use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_codec::websocket::Role;
use weir_codec::{Framing, Prefix, Wire};

type OnMessage = dyn Fn(&Message<'_>, &mut Call) -> Result<Verdict, Failure> + Send + Sync;
type OnOpen = dyn Fn(SessionId, &mut Call) -> Result<Result<(), Rejection>, Failure> + Send + Sync;
type OnTimer = dyn Fn(&mut Call) -> Result<(), Failure> + Send + Sync;

/// A plugin of closures. What is called is written to its journal.
pub(super) struct Plugin {
    pub(super) name: &'static str,
    pub(super) journal: Journal,
    pub(super) message: Box<OnMessage>,
    pub(super) open: Box<OnOpen>,
    pub(super) timer: Box<OnTimer>,
    pub(super) every: u32,
    /// Effects of `close`.
    pub(super) last_words: Vec<Effect>,
    pub(super) fails_to_start: bool,
    pub(super) directions: Directions,
    pub(super) on_failure: OnFailure,
    pub(super) several: Option<Several>,
    pub(super) when: Option<When>,
}

/// How a plugin answers several messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Several {
    /// As it answers each.
    Each,
    TooFew,
    TooMany,
    /// It holds the last one.
    Holds,
    /// It asks for something beside.
    Asks,
    /// It answers the last one with what is not UTF-8.
    Garbles,
}

pub(super) type Journal = Arc<Mutex<Vec<String>>>;

impl Plugin {
    pub(super) fn new(
        name: &'static str,
        message: impl Fn(&Message<'_>, &mut Call) -> Result<Verdict, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            journal: Journal::default(),
            message: Box::new(message),
            open: Box::new(|_, _| Ok(Ok(()))),
            timer: Box::new(|_| Ok(())),
            every: 0,
            last_words: Vec::new(),
            fails_to_start: false,
            directions: Directions { inbound: true, outbound: false },
            on_failure: OnFailure::Closed,
            several: None,
            when: None,
        }
    }

    /// Marks what passes.
    pub(super) fn mark(name: &'static str) -> Self {
        Self::new(name, move |message, _| Ok(change(&[&message.payload, name.as_bytes()].concat())))
    }

    /// Passes everything.
    pub(super) fn pass(name: &'static str) -> Self {
        Self::new(name, |_, _| Ok(pass()))
    }

    pub(super) fn outbound(mut self) -> Self {
        self.directions = Directions { inbound: false, outbound: true };
        self
    }

    pub(super) fn both(mut self) -> Self {
        self.directions = Directions { inbound: true, outbound: true };
        self
    }

    pub(super) fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    pub(super) fn several(mut self, several: Option<Several>) -> Self {
        self.several = several;
        self
    }

    pub(super) fn when(mut self, when: When) -> Self {
        self.when = Some(when);
        self
    }

    pub(super) fn journal(mut self, journal: &Journal) -> Self {
        self.journal = journal.clone();
        self
    }

    pub(super) fn link(self, binding: u16) -> Link {
        Link {
            binding: BindingId(binding),
            name: self.name.into(),
            generation: 1,
            directions: self.directions,
            on_failure: self.on_failure,
            program: Arc::new(Shared(Arc::new(self))),
            stats: (0..2).map(|_| CallStats::default()).collect(),
            terms: Arc::default(),
            max_held: usize::MAX,
            quarantine: Arc::default(),
            offload: None,
        }
    }
}

struct Shared(Arc<Plugin>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Program for Shared {
    fn instantiate(&self, _seat: &Seat, effects: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
        if self.0.fails_to_start {
            return Err(Failure { cause: FailureCause::Configure, detail: "no".into() });
        }
        if self.0.every > 0 {
            effects.push(Effect::Every { milliseconds: self.0.every });
        }
        Ok(Box::new(Self(self.0.clone())))
    }

    fn takes_several(&self) -> bool {
        self.0.several.is_some()
    }

    fn when(&self) -> Option<&When> {
        self.0.when.as_ref()
    }
}

impl Shared {
    fn note(&self, what: &str) {
        self.0.journal.lock().unwrap().push(format!("{} {what}", self.0.name));
    }
}

impl Instance for Shared {
    fn open(&mut self, session: &SessionInfo, call: &mut Call) -> Result<Result<(), Rejection>, Failure> {
        self.note("open");
        (self.0.open)(session.id, call)
    }

    fn message(&mut self, message: &Message<'_>, call: &mut Call) -> Result<Verdict, Failure> {
        let arrow = if message.direction == Direction::Inbound { '>' } else { '<' };
        self.note(&format!("{arrow} {}", message.payload.escape_ascii()));
        (self.0.message)(message, call)
    }

    fn messages(
        &mut self,
        messages: &[Message<'_>],
        call: &mut Call,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Failure> {
        assert!((2..=Together::MESSAGES).contains(&messages.len()), "{} messages", messages.len());
        self.note(&format!("takes {}", messages.len()));
        for message in messages {
            verdicts.push(self.message(message, call)?);
        }
        match self.0.several {
            Some(Several::TooFew) => drop(verdicts.pop()),
            Some(Several::TooMany) => verdicts.push(pass()),
            Some(Several::Holds) => *verdicts.last_mut().unwrap() = Verdict::Hold(5),
            Some(Several::Asks) => call.effects.push(send(crate::Target::Echo, "not asked for")),
            Some(Several::Garbles) => *verdicts.last_mut().unwrap() = change(b"\xff"),
            Some(Several::Each) | None => {}
        }
        Ok(())
    }

    fn close(&mut self, _session: SessionId, end: &Rejection, call: &mut Call) -> Result<(), Failure> {
        self.note(&format!("close {}", end.code));
        call.effects.extend(self.0.last_words.iter().cloned());
        Ok(())
    }

    fn timer(&mut self, call: &mut Call) -> Result<(), Failure> {
        self.note("timer");
        (self.0.timer)(call)
    }

    fn worn(&self) -> Option<Worn> {
        None
    }
}

pub(super) fn pass() -> Verdict {
    Verdict::Forward(Forwarding::default())
}

pub(super) fn change(payload: &[u8]) -> Verdict {
    Verdict::Forward(Forwarding { payload: Some(payload.to_vec().into()), route: None })
}

pub(super) fn trap() -> Failure {
    Failure { cause: FailureCause::Trap, detail: "on purpose".into() }
}

pub(super) fn send(to: crate::Target, text: &str) -> Effect {
    Effect::Send { to, kind: Kind::Text, payload: text.to_owned().into() }
}

/// One worker of two, and all that a test does to it.
pub(super) struct Bench {
    pub(super) worker: Worker,
    pub(super) snapshot: Snapshot,
    source: Arc<ArcSwap<Snapshot>>,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) directory: Arc<Directory>,
    /// What comes from threads that are not workers.
    pub(super) answers: Arc<offload::Letters>,
}

pub(super) fn listener(transport: Transport, route: Route, links: Vec<Link>) -> ListenerPolicy {
    let limits = Limits { queue: 1000, ..Limits::default() };
    ListenerPolicy {
        name: "test".into(),
        transport,
        chain: Chain::new(links),
        route,
        join: Vec::new(),
        limits,
        conflate: None,
        resume: None,
    }
}

pub(super) fn echo(links: Vec<Link>) -> Bench {
    Bench::new(vec![listener(Transport::Tcp, Route::Echo, links)])
}

pub(super) fn line() -> Wire {
    Wire::Framed(Arc::new(Framing::Line { max: 100_000 }))
}

impl Bench {
    pub(super) fn new(listeners: Vec<ListenerPolicy>) -> Self {
        let cluster = |name: &str| ClusterPolicy {
            name: name.into(),
            queue: 1000,
            write_timeout: Duration::from_secs(30),
            wire: line(),
        };
        let mut snapshot = Snapshot {
            version: 0,
            listeners,
            clusters: vec![cluster("alpha"), cluster("beta")],
            ..Snapshot::default()
        };
        snapshot.cluster_names.insert("alpha".into(), crate::ClusterId(0));
        snapshot.cluster_names.insert("beta".into(), crate::ClusterId(1));
        let source = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let directory = Arc::new(Directory::new(2));
        let stats = Arc::new(WorkerStats::new(snapshot.listeners.len(), 2));
        let mut worker = Worker::new(WorkerId(0), source.clone(), directory.clone(), stats.clone(), 2, 1);
        let answers = Arc::new(offload::Letters::default());
        worker.answers_by(answers.clone());
        let mut bench = Self { worker, snapshot, source, stats, directory, answers };
        bench.reload(|_| {});
        bench
    }

    /// Changes the snapshot; the worker takes it up.
    pub(super) fn reload(&mut self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.snapshot);
        self.snapshot.version += 1;
        self.snapshot.bindings.clear();
        for link in self.snapshot.listeners.iter().flat_map(|listener| listener.chain.links()) {
            if self.snapshot.bindings.iter().all(|known| known.binding != link.binding) {
                self.snapshot.bindings.push(link.clone());
            }
        }
        self.source.store(Arc::new(self.snapshot.clone()));
        let now = self.worker.now();
        self.worker.turn(now);
    }

    pub(super) fn open(&mut self, listener: u16) -> ConnId {
        let id = self.open_one_of_many(listener);
        self.worker.check_invariants();
        id
    }

    /// Without the checks, which cost as much as there are sessions.
    pub(super) fn open_one_of_many(&mut self, listener: u16) -> ConnId {
        let policy = &self.snapshot.listeners[usize::from(listener)];
        let wire = match policy.transport {
            Transport::WebSocket => Wire::WebSocket { role: Role::Server },
            Transport::Tcp => line(),
            _ => Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U8, max: 255 })),
        };
        let listener = ListenerId(listener);
        let opening = Opening {
            listener,
            peer: "192.0.2.1:1".into(),
            tls: None,
            request: Vec::new(),
            wire,
            hello: None,
        };
        self.worker.open(opening).unwrap()
    }

    pub(super) fn say(&mut self, id: ConnId, text: &str) -> Flow {
        self.say_on(id, Lane::ONLY, text)
    }

    pub(super) fn say_on(&mut self, id: ConnId, lane: Lane, text: &str) -> Flow {
        self.worker.heard(id);
        let flow = self.worker.received(id, lane, Kind::Text, Payload::Borrowed(text.as_bytes()));
        self.worker.check_invariants();
        flow
    }

    /// Messages of one read, as a driver hands them on; what the clients `to` received meanwhile is taken whenever reading stops.
    pub(super) fn say_together(&mut self, id: ConnId, texts: &[&str], to: &[ConnId]) -> Vec<String> {
        let mut received = vec![String::new(); to.len()];
        let mut together = self.worker.together();
        for text in texts {
            assert!(together.push(Kind::Text, text.as_bytes()));
        }
        self.worker.heard(id);
        loop {
            self.worker.foresee(id, &mut together);
            while let Some((kind, payload)) = together.pop() {
                let flow = self.worker.received(id, Lane::ONLY, kind, Payload::Borrowed(payload));
                self.worker.check_invariants();
                if flow == Flow::Pause {
                    break;
                }
            }
            self.worker.set_aside(&mut together);
            for (to, received) in to.iter().zip(&mut received) {
                *received += &self.take(*to);
                *received += " ";
            }
            if together.is_empty() {
                self.worker.give_back(together);
                return received;
            }
            // Whoever paused is relieved by what was taken, or by the end of a hold.
            self.wait(60);
        }
    }

    /// Writes everything that is queued on the only lane; what it was.
    pub(super) fn take(&mut self, id: ConnId) -> String {
        self.take_on(id, Lane::ONLY)
    }

    pub(super) fn take_on(&mut self, id: ConnId, lane: Lane) -> String {
        let mut bytes = Vec::new();
        while let Some(queue) = self.worker.queue(id) {
            let mut slices = [IoSlice::new(&[]); 2];
            let count = queue.slices(lane, &mut slices);
            let part: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
            if part.is_empty() {
                break;
            }
            self.worker.written(id, lane, part.len());
            bytes.extend_from_slice(&part);
        }
        self.worker.check_invariants();
        bytes.escape_ascii().to_string().replace("\\n", " ").trim_end().to_owned()
    }

    pub(super) fn wait(&mut self, milliseconds: u64) {
        let now = self.worker.now() + Duration::from_millis(milliseconds);
        self.worker.turn(now);
        self.worker.tick();
        self.worker.check_invariants();
    }

    /// Connects the upstreams that are asked for.
    pub(super) fn connect(&mut self) -> Vec<ConnId> {
        let connects = self.worker.take_connects();
        for connect in &connects {
            assert!(self.worker.connected(connect.conn));
        }
        connects.into_iter().map(|connect| connect.conn).collect()
    }

    pub(super) fn is_read(&self, id: ConnId) -> bool {
        matches!(self.worker.status(id), Status::Active { read: true, .. })
    }

    /// The reason and the code of a connection's end.
    pub(super) fn end(&self, id: ConnId) -> Option<(crate::CloseReason, u16)> {
        match self.worker.status(id) {
            Status::Ended(end) => Some((end.reason, end.said.code)),
            _ => None,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.worker.now()
    }
}
