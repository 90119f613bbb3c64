//! Workers, peers, what is between them, and time.

use crate::onlooker::Seen;
use crate::payload;
use crate::peer::{Peer, Reading, Said, Side, upstream_wire};
use crate::plugin::Gossip;
use crate::rng::Rng;
use crate::scene::{CLUSTERS, MESSAGE, QUEUE, STAGES, Script, Stage};
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_core::{
    CloseReason, ConnId, Directory, DropReason, Flow, Lane, ListenerId, Mail, Opening, Payload, Snapshot,
    Status, Time, TlsInfo, Transport, Worker, WorkerId, WorkerStats,
};

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) sessions: usize,
    /// Most steps before the gateway stops.
    pub(crate) steps: usize,
    /// Open at once.
    pub(crate) at_once: usize,
    /// Whether messages go to groups: if not, every single delivery can be foretold.
    pub(crate) groups: bool,
    /// All invariants are checked after every so many steps.
    pub(crate) check_every: usize,
}

pub(crate) const WORKERS: usize = 4;

pub(crate) struct World {
    plan: Plan,
    rng: Rng,
    step: usize,
    now: Time,
    workers: Vec<Worker>,
    stats: Vec<Arc<WorkerStats>>,
    directory: Arc<Directory>,
    source: Arc<ArcSwap<Snapshot>>,
    script: Script,
    gossip: Arc<Mutex<Gossip>>,
    seen: Arc<Mutex<Seen>>,
    peers: BTreeMap<ConnId, Peer>,
    /// By worker, for picking one.
    alive: Vec<Vec<ConnId>>,
    /// Connections that their driver was told of and has not looked at.
    woken: Vec<BTreeSet<ConnId>>,
    transit: BTreeMap<(usize, usize), VecDeque<Vec<Mail>>>,
    opened: usize,
    everyone: Vec<ConnId>,
    /// No more is begun.
    draining: bool,
    counted: Counted,
}

/// What the peers count, to be compared with what the gateway counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    accepted: [u64; STAGES.len()],
    delivered: [u64; STAGES.len()],
    answered: [u64; CLUSTERS.len()],
    forwarded: [u64; CLUSTERS.len()],
    released: u64,
}

/// Whether the clients of a listener have lanes.
pub(crate) fn has_lanes(stage: usize) -> bool {
    matches!(STAGES[stage].transport, Transport::Quic | Transport::WebTransport)
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "failed in step {} of {:?}\nreplay: WEIR_SEED={} WEIR_SESSIONS={} WEIR_CHECK_EVERY=1",
                self.step, self.plan, self.plan.seed, self.plan.sessions
            );
        }
    }
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut rng = Rng(plan.seed);
        let gossip = Arc::new(Mutex::new(Gossip::new(plan.groups)));
        let mut script = Script::new(WORKERS, gossip.clone(), plan.seed, plan.groups);
        let source = Arc::new(ArcSwap::new(script.next(&mut rng)));
        let directory = Arc::new(Directory::new(WORKERS));
        let stats: Vec<_> =
            (0..WORKERS).map(|_| Arc::new(WorkerStats::new(STAGES.len(), CLUSTERS.len()))).collect();
        let seen = Seen::new();
        let workers = (0..WORKERS).map(|at| {
            let (id, stats) = (WorkerId(at as u8), stats[at].clone());
            let mut worker = Worker::new(id, source.clone(), directory.clone(), stats, WORKERS, rng.next());
            worker.tap(Some(Seen::tap(&seen)));
            worker.answers_by(script.elsewhere.back[at].clone());
            worker
        });
        let workers: Vec<_> = workers.collect();
        Self {
            plan,
            rng,
            step: 0,
            now: Time(1),
            workers,
            stats,
            directory,
            source,
            script,
            gossip,
            seen,
            peers: BTreeMap::new(),
            alive: vec![Vec::new(); WORKERS],
            woken: vec![BTreeSet::new(); WORKERS],
            transit: BTreeMap::new(),
            opened: 0,
            everyone: Vec::new(),
            draining: false,
            counted: Counted::default(),
        }
    }

    /// The whole story: sessions come and go, then the gateway stops; the sums are compared at the end.
    pub(crate) fn run(&mut self) {
        while self.step < self.plan.steps && !(self.opened == self.plan.sessions && self.peers.len() < 40) {
            self.advance();
            self.turn();
        }
        assert_eq!(self.opened, self.plan.sessions, "so many steps are too few");
        self.draining = true;
        for at in 0..WORKERS {
            self.workers[at].turn(self.now);
            self.workers[at].drain(Duration::ZERO, Duration::ZERO);
        }
        let end = self.step + 100_000;
        while self.peers.len() + self.transit.values().map(VecDeque::len).sum::<usize>() > 0
            || !self.script.elsewhere.is_idle()
        {
            assert!(self.step < end, "the gateway does not come to an end: {} are left", self.peers.len());
            self.now = self.now + Duration::from_millis(1);
            self.turn();
        }
        self.settle();
    }

    fn advance(&mut self) {
        self.now = self.now + Duration::from_micros(self.rng.below(1500) as u64);
        if self.rng.chance(2) {
            self.now = self.now + Duration::from_millis(self.rng.below(3000) as u64);
        }
        if self.rng.below(10_000) == 0 {
            self.now = self.now + Duration::from_secs(25);
        }
        if self.rng.chance(5) {
            let snapshot = self.script.next(&mut self.rng);
            self.source.store(snapshot);
        }
    }

    /// One turn of one worker.
    fn turn(&mut self) {
        self.step += 1;
        let at = self.rng.below(WORKERS);
        self.workers[at].turn(self.now);
        if !self.draining && self.opened < self.plan.sessions && self.peers.len() < self.plan.at_once {
            self.open(at);
        }
        for _ in 0..4 {
            if self.alive[at].is_empty() {
                break;
            }
            let id = self.rng.pick(&self.alive[at]);
            self.poke(at, id);
            self.drive(at, id);
        }
        if self.workers[at].next_deadline().is_some_and(|due| due <= self.now) {
            self.workers[at].tick();
        }
        self.connect(at);
        self.carry(at);
        self.script.elsewhere.work(self.now, &mut self.rng);
        let answers = self.script.elsewhere.back[at].take(self.rng.below(40));
        self.workers[at].deliver(answers);
        let mut dirty = Vec::new();
        self.workers[at].take_dirty(&mut dirty);
        self.woken[at].extend(dirty);
        for id in std::mem::take(&mut self.woken[at]) {
            if self.rng.chance(800) || self.draining {
                self.drive(at, id);
            } else {
                self.woken[at].insert(id);
            }
        }
        self.workers[at].take_notices();
        if self.step.is_multiple_of(self.plan.check_every) {
            self.check();
        }
    }

    fn check(&self) {
        #[cfg(debug_assertions)]
        self.workers.iter().for_each(Worker::check_invariants);
        for id in self.peers.keys() {
            let queue = self.workers[usize::from(id.worker().0)].queue(*id);
            let bytes = queue.map_or(0, weir_core::Queue::bytes);
            // A message more from each source that is then held back.
            assert!(bytes <= QUEUE + 5 * (MESSAGE + 16), "{bytes} bytes wait for {id}");
        }
    }

    fn open(&mut self, at: usize) {
        let total: usize = STAGES.iter().map(|stage| stage.weight).sum();
        let mut dice = self.rng.below(total);
        let stage = STAGES
            .iter()
            .position(|stage| {
                let hit = dice < stage.weight;
                dice = dice.wrapping_sub(stage.weight);
                hit
            })
            .expect("one of them");
        let wire = (STAGES[stage].wire)();
        let tls =
            self.rng.chance(300).then(|| TlsInfo { sni: Some("a.example".into()), ..TlsInfo::default() });
        let opening = Opening {
            listener: ListenerId(stage as u16),
            peer: format!("192.0.2.1:{}", self.opened).into(),
            tls,
            request: vec![(":path".into(), "/".into())],
            wire: wire.clone(),
            hello: None,
        };
        let id = self.workers[at].open(opening).expect("there is room");
        let reading = match self.rng.below(20) {
            0 => Reading::Never,
            1..=4 => Reading::Slow,
            _ => Reading::Eager,
        };
        let side = Side::Client { stage, lanes: Vec::new(), next_lane: 0, sent: HashMap::new() };
        let complete = STAGES[stage].complete;
        self.peers.insert(id, Peer::new(self.opened, side, wire, reading, complete));
        self.alive[at].push(id);
        self.everyone.push(id);
        self.opened += 1;
    }

    /// A peer does something by itself.
    fn poke(&mut self, at: usize, id: ConnId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let worker = &mut self.workers[at];
        match &mut peer.side {
            Side::Client { stage, lanes, next_lane, .. } => {
                if has_lanes(*stage) && self.rng.chance(150) {
                    let lane = *next_lane;
                    *next_lane += 4;
                    lanes.push(lane);
                    worker.lane_opened(id, Lane(lane));
                } else if !lanes.is_empty() && self.rng.chance(60) {
                    let lane = lanes.swap_remove(self.rng.below(lanes.len()));
                    peer.inbox.retain(|said| !matches!(said, Said::Message(on, ..) if on.0 == lane));
                    worker.lane_ended(id, Lane(lane));
                }
                if self.rng.chance(3) {
                    peer.done = true;
                    worker.lost(id);
                    return;
                }
                let recent = &self.everyone[self.everyone.len().saturating_sub(50)..];
                let others = [self.rng.pick(recent).raw(), self.rng.pick(recent).raw()];
                if !self.draining {
                    peer.act(&mut self.rng, &others);
                }
            }
            Side::Upstream { dialling: None, .. } if !peer.done => match self.rng.below(1000) {
                0 => worker.lost(id),
                1 | 2 => {
                    peer.done = true;
                    peer.inbox.push_back(if peer.is_websocket() {
                        Said::Close(Some((4321, "upstream says".into())))
                    } else {
                        Said::Fin
                    });
                }
                3 => peer.inbox.push_back(Said::Broken(weir_codec::WireError::BadLength)),
                4 => peer.reading = self.rng.pick(&[Reading::Eager, Reading::Slow, Reading::Never]),
                5..=20 => {
                    let (kind, words) = (weir_core::Kind::Binary, b"p:by itself".to_vec());
                    peer.inbox.push_back(Said::Message(Lane::ONLY, kind, words));
                }
                _ if peer.was_finished => {
                    peer.done = true;
                    peer.inbox.push_back(Said::Fin);
                }
                _ => {}
            },
            Side::Upstream { .. } => {}
        }
    }

    /// What the transport does: reads, writes, ends.
    fn drive(&mut self, at: usize, id: ConnId) {
        let Some(peer) = self.peers.get(&id) else { return };
        if let Side::Upstream { dialling: Some((when, answers)), .. } = peer.side {
            self.dial(at, id, when, answers);
            return;
        }
        match self.workers[at].status(id) {
            Status::Active { read, finish } => {
                if read {
                    self.read(at, id);
                }
                self.write(at, id);
                if finish && let Some(peer) = self.peers.get_mut(&id) {
                    peer.was_finished = true;
                }
            }
            Status::Lingering => self.linger(at, id),
            Status::Parted(end) => unreachable!("no client here said hello: {end:?}"),
            Status::Ended(end) => {
                assert!(
                    weir_codec::websocket::may_be_sent(end.said.code)
                        || matches!(
                            end.reason,
                            CloseReason::ClientReset | CloseReason::Truncated | CloseReason::Client
                        ),
                    "{end:?}"
                );
                assert!(end.said.reason.len() <= 123);
                self.let_go(at, id);
            }
        }
    }

    fn let_go(&mut self, at: usize, id: ConnId) {
        let farewell = self.workers[at].release(id).expect("released once");
        let peer = self.peers.remove(&id).expect("known");
        assert_eq!(farewell.peer.is_some(), matches!(peer.side, Side::Client { .. }));
        self.alive[at].retain(|other| *other != id);
        self.counted.released += 1;
        assert!(self.workers[at].release(id).is_none());
    }

    fn dial(&mut self, at: usize, id: ConnId, when: Time, answers: bool) {
        if self.now < when {
            return;
        }
        if answers {
            if self.workers[at].connected(id) {
                if let Some(Peer { side: Side::Upstream { dialling, .. }, .. }) = self.peers.get_mut(&id) {
                    *dialling = None;
                }
            } else {
                self.let_go(at, id);
            }
        } else {
            self.workers[at].connect_failed(id);
            self.let_go(at, id);
        }
    }

    fn read(&mut self, at: usize, id: ConnId) {
        for _ in 0..self.rng.below(20) {
            if self.workers[at].takes_several(id) && self.rng.chance(700) {
                if self.read_together(at, id) != Flow::Continue {
                    return;
                }
                continue;
            }
            let Some(peer) = self.peers.get_mut(&id) else { return };
            let Some(said) = peer.inbox.pop_front() else { return };
            let worker = &mut self.workers[at];
            worker.heard(id);
            let flow = match said {
                Said::Message(lane, kind, payload) => {
                    match peer.side {
                        Side::Client { stage, .. } => self.counted.accepted[stage] += 1,
                        Side::Upstream { cluster, .. } => self.counted.answered[cluster] += 1,
                    }
                    let payload = if self.rng.chance(300) {
                        Payload::Owned(payload.clone().into())
                    } else {
                        Payload::Borrowed(&payload)
                    };
                    worker.received(id, lane, kind, payload)
                }
                Said::Ping => worker.ping(id, b"are you there?"),
                Said::Close(close) => worker.peer_ended(id, Some(close)),
                Said::Fin => worker.peer_ended(id, None),
                Said::Broken(error) => worker.broken(id, &error),
            };
            if flow != Flow::Continue {
                return;
            }
        }
    }

    /// Messages that come together, as a driver hands them on; those behind one at which reading stops come again.
    fn read_together(&mut self, at: usize, id: ConnId) -> Flow {
        let Some(peer) = self.peers.get_mut(&id) else { return Flow::Stop };
        let Some(Said::Message(lane, ..)) = peer.inbox.front() else { return Flow::Continue };
        let (lane, worker) = (*lane, &mut self.workers[at]);
        let (mut together, mut taken) = (worker.together(), VecDeque::new());
        let most = 1 + self.rng.below(20);
        while taken.len() < most
            && let Some(Said::Message(on, kind, payload)) = peer.inbox.front()
            && *on == lane
            && together.push(*kind, payload)
        {
            taken.extend(peer.inbox.pop_front());
        }
        worker.heard(id);
        worker.foresee(id, &mut together);
        let mut flow = Flow::Continue;
        while flow == Flow::Continue
            && let Some((kind, payload)) = together.pop()
        {
            taken.pop_front();
            match peer.side {
                Side::Client { stage, .. } => self.counted.accepted[stage] += 1,
                Side::Upstream { cluster, .. } => self.counted.answered[cluster] += 1,
            }
            flow = worker.received(id, lane, kind, Payload::Borrowed(payload));
        }
        worker.set_aside(&mut together);
        worker.give_back(together);
        for said in taken.into_iter().rev() {
            peer.inbox.push_front(said);
        }
        flow
    }

    fn write(&mut self, at: usize, id: ConnId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let budget = match peer.reading {
            Reading::Eager => 1 + self.rng.below(8192),
            Reading::Slow => self.rng.below(60),
            Reading::Never => return,
        };
        let worker = &mut self.workers[at];
        let Some(queue) = worker.queue(id) else { return };
        let lanes: Vec<Lane> = queue.lanes().collect();
        for lane in lanes {
            if lane == Lane::DATAGRAMS {
                while let Some(datagram) = worker.queue(id).and_then(|queue| queue.first_frame(lane)) {
                    if self.rng.chance(30) {
                        worker.unsendable(id, lane, DropReason::TooLong);
                        continue;
                    }
                    worker.written(id, lane, datagram.len());
                    let (messages, _) = peer.hear(lane, datagram.to_vec());
                    assert_eq!(messages.len(), 1);
                    if let Side::Client { stage, .. } = peer.side {
                        self.counted.delivered[stage] += 1;
                    }
                }
                continue;
            }
            let Some(queue) = worker.queue(id) else { return };
            let mut slices = [IoSlice::new(&[]); 4];
            let count = queue.slices(lane, &mut slices);
            let mut bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
            assert!(!bytes.is_empty(), "a lane of the queue has something to write");
            let in_hand = peer.in_hand.remove(&lane).unwrap_or_default();
            assert!(bytes.starts_with(&in_hand), "what was in hand is not there any more");
            if self.rng.chance(100) {
                // Taken, and not written yet, as TLS does it.
                bytes.truncate(in_hand.len().max(budget));
                worker.in_hand(id, lane, bytes.len());
                peer.in_hand.insert(lane, bytes);
                continue;
            }
            bytes.truncate(budget);
            if let Some(rest) = in_hand.get(bytes.len()..).filter(|rest| !rest.is_empty()) {
                peer.in_hand.insert(lane, rest.to_vec());
            }
            worker.written(id, lane, bytes.len());
            let (messages, pings) = peer.hear(lane, bytes);
            for (kind, payload) in messages {
                match peer.side {
                    Side::Client { stage, .. } => self.counted.delivered[stage] += 1,
                    Side::Upstream { cluster, answers, .. } => {
                        self.counted.forwarded[cluster] += 1;
                        if self.rng.chance(answers) && !peer.done {
                            let answer = payload::answer(&payload);
                            peer.inbox.push_back(Said::Message(Lane::ONLY, kind, answer));
                        }
                    }
                }
            }
            // A pong.
            if pings > 0 && self.rng.chance(900) {
                worker.heard(id);
            }
        }
    }

    /// The gateway waits for the peer's own end.
    fn linger(&mut self, at: usize, id: ConnId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        assert!(self.workers[at].queue(id).is_none(), "everything is written");
        if peer.reading == Reading::Never || self.rng.chance(500) {
            return;
        }
        let websocket = peer.is_websocket();
        assert!(peer.was_closed || !websocket, "it was told that this is the end");
        if websocket && self.rng.chance(900) {
            self.workers[at].peer_ended(id, Some(None));
        } else if self.rng.chance(800) {
            self.workers[at].peer_ended(id, None);
        } else {
            self.workers[at].lost(id);
        }
    }

    fn connect(&mut self, at: usize) {
        for connect in self.workers[at].take_connects() {
            let cluster = connect.cluster.index();
            let Some(client) = self.peers.get(&connect.session) else {
                // Its session is gone, or was opened in this turn and is already refused; the attempt is made all the same.
                self.workers[at].connect_failed(connect.conn);
                self.workers[at].release(connect.conn);
                self.counted.released += 1;
                continue;
            };
            let Side::Client { stage, .. } = client.side else { unreachable!("sessions are clients") };
            let wait =
                Duration::from_millis(if self.rng.chance(200) { 2000 } else { self.rng.below(20) as u64 });
            let side = Side::Upstream {
                cluster,
                dialling: Some((self.now + wait, self.rng.chance(950))),
                answers: self.rng.pick(&[0, 500, 1000]),
            };
            let complete = client.complete
                && matches!((STAGES[stage].name, cluster), ("cluster", 0) | ("cluster-web", 1));
            let peer = Peer::new(client.origin, side, upstream_wire(cluster), Reading::Eager, complete);
            self.peers.insert(connect.conn, peer);
            self.alive[at].push(connect.conn);
        }
    }

    /// Letters: some are posted, some stay in hand while the mailbox is full, some arrive.
    fn carry(&mut self, at: usize) {
        for other in 0..WORKERS {
            let to = WorkerId(other as u8);
            let waiting = self.transit.get(&(at, other)).map_or(0, VecDeque::len);
            if waiting < 8
                && self.rng.chance(500)
                && let Some(post) = self.workers[at].mail(to)
            {
                assert_eq!(post.to, to);
                let letters = post.letters.len();
                self.transit.entry((at, other)).or_default().push_back(post.letters);
                self.workers[at].posted(to, letters);
            }
            if self.rng.chance(500)
                && let Some(letters) = self.transit.get_mut(&(other, at)).and_then(VecDeque::pop_front)
            {
                self.workers[at].deliver(letters);
            }
        }
    }

    /// Everything has come to an end: nothing is left, and the sums match.
    fn settle(&mut self) {
        // Letters to those who are gone by now.
        for (from, to) in (0..WORKERS).flat_map(|from| (0..WORKERS).map(move |to| (from, to))) {
            if let Some(post) = self.workers[from].mail(WorkerId(to as u8)) {
                self.workers[from].posted(post.to, post.letters.len());
                self.workers[to].deliver(post.letters);
            }
        }
        assert!(self.workers.iter().all(|worker| worker.connections() == 0 && !worker.has_mail()));
        self.check();
        assert_eq!(self.directory.group_count(), 0, "groups end with their members");
        for id in &self.everyone {
            assert!(self.directory.attributes(*id).is_none(), "{id} is still in the directory");
        }
        let gossip = self.gossip.lock().expect("one thread");
        for binding in [0, 2, 3, 4] {
            assert_eq!(gossip.left_open(weir_core::BindingId(binding)), 0, "each end is told");
        }
        let sum = |of: &dyn Fn(&WorkerStats) -> u64| self.stats.iter().map(|stats| of(stats)).sum::<u64>();
        assert_eq!(sum(&|stats| stats.connections.value()), 0);
        let mut opened = 0;
        for (stage, Stage { name, .. }) in STAGES.iter().enumerate() {
            let of =
                |of: &dyn Fn(&weir_core::ListenerStats) -> u64| sum(&|stats| of(&stats.listeners[stage]));
            assert_eq!(of(&|stats| stats.sessions.value()), 0, "{name}");
            assert_eq!(of(&|stats| stats.inbound.held.value()), 0, "{name}");
            assert_eq!(of(&|stats| stats.outbound_held.value()), 0, "{name}");
            assert_eq!(of(&|stats| stats.inbound.received.value()), self.counted.accepted[stage], "{name}");
            assert_eq!(
                of(&|stats| stats.outbound.delivered.value()),
                self.counted.delivered[stage],
                "{name}"
            );
            assert_eq!(of(&|stats| stats.opened.value()), of(&|stats| stats.closed.total()), "{name}");
            assert_eq!(
                of(&|stats| stats.inbound.received.value()),
                of(&|stats| stats.inbound.routed_total() + stats.inbound.dropped.total()),
                "{name}"
            );
            assert_eq!(
                of(&|stats| stats.outbound.offered.value()),
                of(&|stats| stats.outbound.delivered.value() + stats.outbound.dropped.total()),
                "{name}"
            );
            opened += of(&|stats| stats.opened.value());
        }
        for cluster in 0..CLUSTERS.len() {
            let of =
                |of: &dyn Fn(&weir_core::ClusterStats) -> u64| sum(&|stats| of(&stats.clusters[cluster]));
            assert_eq!(of(&|stats| stats.connections.value()), 0);
            assert_eq!(of(&|stats| stats.received.value()), self.counted.answered[cluster]);
            assert_eq!(of(&|stats| stats.delivery.delivered.value()), self.counted.forwarded[cluster]);
            assert_eq!(
                of(&|stats| stats.delivery.offered.value()),
                of(&|stats| stats.delivery.delivered.value() + stats.delivery.dropped.total())
            );
            assert_eq!(of(&|stats| stats.opened.value()), of(&|stats| stats.closed.total()));
            opened += of(&|stats| stats.opened.value());
        }
        assert_eq!(opened, self.counted.released, "each connection is released once");
        self.foretell();
        self.seen.lock().unwrap().compare(&self.stats);
        self.script.check_verdicts();
        assert!(self.plan.sessions < 1_000 || self.script.batches() > 100, "few were asked for several");
        drop(gossip);
        self.print();
    }

    /// Without groups, every delivery that was offered follows from what was routed.
    fn foretell(&self) {
        let [cluster, group, session, echo] = [0, 1, 2, 3];
        let (mut offered, mut routed) = (0, 0);
        for stats in &self.stats {
            for listener in &stats.listeners {
                offered += listener.outbound.offered.value();
                let to = &listener.inbound.routed;
                routed += to[session].value() + to[echo].value();
                assert!(self.plan.groups || to[group].value() == 0);
            }
            routed += stats.sends.routed[session].value() + stats.sends.routed[echo].value();
            for cluster in &stats.clusters {
                routed += cluster.received.value() - cluster.orphaned.value();
            }
        }
        assert!(offered >= routed, "{offered} deliveries, {routed} of them not to groups");
        assert!(self.plan.groups || offered == routed, "{offered} deliveries of {routed} that were routed");
        let all = |stats: &Arc<WorkerStats>| {
            let listeners: u64 =
                stats.listeners.iter().map(|stats| stats.inbound.routed[cluster].value()).sum();
            listeners + stats.sends.routed[cluster].value()
        };
        let to_clusters: u64 = self.stats.iter().map(all).sum();
        let clusters = self.stats.iter().flat_map(|stats| stats.clusters.iter());
        assert_eq!(to_clusters, clusters.map(|stats| stats.delivery.offered.value()).sum::<u64>());
    }

    fn print(&self) {
        let sum = |of: &dyn Fn(&WorkerStats) -> u64| self.stats.iter().map(|stats| of(stats)).sum::<u64>();
        println!(
            "seed {}: {} steps, {} sessions, {} seconds, {} snapshots, {} plugin answers, {} calls for several",
            self.plan.seed,
            self.step,
            self.opened,
            self.now.0 / 1_000_000,
            self.source.load().version,
            self.script.answers(),
            self.script.batches(),
        );
        let all = |of: &dyn Fn(&weir_core::ListenerStats) -> u64| {
            sum(&|stats| stats.listeners.iter().map(of).sum::<u64>())
        };
        println!(
            "accepted {}, sent by plugins {}, offered {}, delivered {}",
            all(&|stats| stats.inbound.received.value()),
            sum(&|stats| stats.sends.received.value()),
            all(&|stats| stats.outbound.offered.value()),
            all(&|stats| stats.outbound.delivered.value()),
        );
        println!("paused for their rates {}", all(&|stats| stats.rate_pauses.value()));
        for reason in DropReason::ALL {
            let inbound = all(&|stats| stats.inbound.dropped.of(*reason).value());
            let outbound = all(&|stats| stats.outbound.dropped.of(*reason).value());
            let upstream = sum(&|stats| {
                stats.clusters.iter().map(|stats| stats.delivery.dropped.of(*reason).value()).sum()
            });
            let sends = sum(&|stats| stats.sends.dropped.of(*reason).value());
            println!(
                "  {:20} inbound {inbound:6} outbound {outbound:6} upstream {upstream:6} sends {sends:6}",
                reason.label()
            );
        }
        for reason in CloseReason::ALL {
            let sessions = all(&|stats| stats.closed.of(*reason).value());
            let upstreams =
                sum(&|stats| stats.clusters.iter().map(|stats| stats.closed.of(*reason).value()).sum());
            println!("  {:20} sessions {sessions:6} upstreams {upstreams:6}", reason.label());
        }
    }
}
