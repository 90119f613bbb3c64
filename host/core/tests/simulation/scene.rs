//! Listeners, clusters and chains, and how they change.

use crate::elsewhere::Elsewhere;
use crate::payload;
use crate::plugin::{Gossip, PARTS, Part, Play};
use crate::rng::Rng;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_codec::websocket::Role;
use weir_codec::websocket::deflate::Window;
use weir_codec::{Framing, Prefix, Wire};
use weir_core::{
    BindingId, CallStats, Chain, ClusterId, ClusterPolicy, Directions, Era, Key, KeyOf, Limits, Link,
    ListenerPolicy, OnFailure, Rate, RatePolicy, Route, Share, SharedRate, SlowConsumer, Snapshot, Term,
    Transport,
};

/// The longest message on any wire.
pub(crate) const MESSAGE: usize = 4096;
/// The highest limit of a queue in any snapshot.
pub(crate) const QUEUE: usize = 16 * 1024;

/// What stays the same of a listener.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) transport: Transport,
    pub(crate) wire: fn() -> Wire,
    route: Where,
    chain: &'static [usize],
    /// How often it is chosen.
    pub(crate) weight: usize,
    /// Whether its own route gives each message back, or to the upstream, with none missing.
    pub(crate) complete: bool,
}

#[derive(Clone, Copy)]
enum Where {
    Echo,
    Room,
    Cluster(u16),
    Drop,
}

pub(crate) fn length() -> Wire {
    Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U32Be, max: MESSAGE }))
}

fn line() -> Wire {
    Wire::Framed(Arc::new(Framing::Line { max: MESSAGE }))
}

fn websocket() -> Wire {
    Wire::WebSocket { role: Role::Server }
}

/// That agreed to compression.
fn deflating() -> Wire {
    Wire::DeflateWebSocket { window: Window::WIDEST }
}

const fn stage(
    name: &'static str,
    transport: Transport,
    wire: fn() -> Wire,
    route: Where,
    chain: &'static [usize],
    weight: usize,
    complete: bool,
) -> Stage {
    Stage { name, transport, wire, route, chain, weight, complete }
}

use Transport::{Quic, Tcp, WebSocket, WebTransport};

pub(crate) const STAGES: [Stage; 15] = [
    stage("echo", Tcp, length, Where::Echo, &[], 4, true),
    stage("lines", Tcp, line, Where::Echo, &[0, 1, 2, 3, 4], 6, true),
    stage("web", WebSocket, deflating, Where::Echo, &[2, 0, 3], 6, true),
    stage("room", Tcp, length, Where::Room, &[], 1, false),
    stage("room-web", WebSocket, websocket, Where::Room, &[4, 3], 1, false),
    stage("room-deflate", WebSocket, deflating, Where::Room, &[], 1, false),
    stage("cluster", Tcp, length, Where::Cluster(0), &[], 4, true),
    stage("cluster-web", WebSocket, websocket, Where::Cluster(1), &[2, 1, 3], 4, true),
    stage("quic", Quic, length, Where::Echo, &[0, 3], 4, false),
    stage("quic-room", WebTransport, length, Where::Room, &[], 1, false),
    stage("drop", WebSocket, websocket, Where::Drop, &[2], 2, false),
    stage("lies", Tcp, length, Where::Echo, &[5, 6], 3, false),
    stage("lies-web", WebSocket, websocket, Where::Cluster(0), &[7, 0, 5], 3, false),
    stage("lies-room", Tcp, line, Where::Room, &[6], 1, false),
    stage("lies-quic", Quic, length, Where::Echo, &[5, 4, 7], 3, false),
];

pub(crate) const CLUSTERS: [&str; 2] = ["alpha", "beta"];

/// What a client is to get whole is thrown away by nobody.
fn slow_consumer(rng: &mut Rng, complete: bool) -> SlowConsumer {
    let policies = [
        SlowConsumer::Close,
        SlowConsumer::Close,
        SlowConsumer::DropNewest,
        SlowConsumer::Pause,
        SlowConsumer::DropOldest,
        SlowConsumer::Conflate,
    ];
    rng.pick(if complete { &policies[..4] } else { &policies })
}

fn rate(rng: &mut Rng) -> Rate {
    Rate { messages: rng.pick(&[0, 0, 0, 5, 50]), bytes: rng.pick(&[0, 0, 0, 1_000, 10_000]) }
}

/// What the host plugin says of a session, and what the gateway does.
fn shared_rates(rng: &mut Rng) -> Arc<[SharedRate]> {
    let mut rates = Vec::new();
    for (attribute, messages) in [("user", 200), ("weir.tls.sni", 100)] {
        if rng.chance(300) {
            let rate = Rate { messages, bytes: rng.pick(&[0, 50_000]) };
            rates.push(SharedRate { attribute: attribute.into(), rate });
        }
    }
    rates.into()
}

fn rate_policy(rng: &mut Rng, complete: bool) -> RatePolicy {
    match rng.below(20) {
        0 => RatePolicy::Close,
        1..=6 if !complete => RatePolicy::Drop,
        _ => RatePolicy::Pause,
    }
}

/// Messages of one client by one way are about the same.
#[derive(Debug)]
struct ByWay;

impl KeyOf for ByWay {
    fn key(&self, payload: &[u8]) -> Option<Key> {
        let (origin, path, _) = payload::read(payload)?;
        let hash =
            path.bytes().fold(origin as u64 + 1, |hash, byte| hash.wrapping_mul(1_000_003) ^ u64::from(byte));
        Some(Key::new(hash))
    }
}

/// Makes one snapshot after another.
pub(crate) struct Script {
    version: u64,
    generations: [u64; PARTS.len()],
    /// What served before, of each part.
    before: Vec<Link>,
    stats: Vec<Arc<[CallStats]>>,
    gossip: Arc<Mutex<Gossip>>,
    seed: u64,
    groups: bool,
    pub(crate) elsewhere: Elsewhere,
}

impl Script {
    pub(crate) fn new(workers: usize, gossip: Arc<Mutex<Gossip>>, seed: u64, groups: bool) -> Self {
        let stats = PARTS.iter().map(|_| (0..workers).map(|_| CallStats::default()).collect()).collect();
        let elsewhere = Elsewhere::new(workers);
        Self {
            version: 0,
            generations: [1; PARTS.len()],
            before: Vec::new(),
            stats,
            gossip,
            seed,
            groups,
            elsewhere,
        }
    }

    /// How many calls gave an answer to a message.
    pub(crate) fn answers(&self) -> u64 {
        let all = self.stats.iter().chain(&self.elsewhere.stats).flat_map(|stats| stats.iter());
        all.map(|stats| stats.latency.read().0.iter().sum::<u64>()).sum()
    }

    /// How many calls for several messages did.
    pub(crate) fn batches(&self) -> u64 {
        let all = self.stats.iter().flat_map(|stats| stats.iter());
        all.map(|stats| stats.batches.value() - stats.batches_failed.value()).sum()
    }

    /// Every message that a plugin was asked about, and every release, has a verdict or is counted as one without.
    pub(crate) fn check_verdicts(&self) {
        for (stats, threads) in self.stats.iter().zip(&self.elsewhere.stats) {
            let sum =
                |of: &dyn Fn(&CallStats) -> u64| stats.iter().chain(threads.iter()).map(of).sum::<u64>();
            assert_eq!(sum(&|stats| stats.offloaded.value()), sum(&|stats| stats.taken.value()));
            let others = sum(&|stats| stats.others.iter().map(weir_core::Counter::value).sum());
            let messages = sum(&|stats| stats.calls.value()) - others;
            let verdicts = sum(&|stats| {
                let kinds = [&stats.forwarded, &stats.changed, &stats.dropped, &stats.closed, &stats.held];
                kinds.iter().map(|kind| kind.value()).sum()
            });
            let unanswered = sum(&|stats| stats.unanswered.value());
            assert_eq!(messages + sum(&|stats| stats.released.value()), verdicts + unanswered);
        }
    }

    pub(crate) fn next(&mut self, rng: &mut Rng) -> Arc<Snapshot> {
        self.version += 1;
        let changes = self.version > 1;
        let programs: Vec<Link> = (0..PARTS.len())
            .map(|at| {
                if changes && rng.chance(300) {
                    self.generations[at] += 1;
                }
                let mut link = self.link(at, rng);
                self.elsewhere.place(&mut link, rng);
                if changes && rng.chance(200) {
                    link.terms = self.terms(&link, rng);
                }
                link
            })
            .collect();
        self.before = programs.iter().map(|link| Link { terms: Arc::default(), ..link.clone() }).collect();
        // Honest plugins stay loaded; of the others one may be gone altogether.
        let gone = if changes && rng.chance(400) { rng.pick(&[1, 5, 6, 7]) } else { usize::MAX };
        let mut listeners = Vec::new();
        for stage in &STAGES {
            let mut chain: Vec<usize> = stage.chain.to_vec();
            if changes {
                for at in (1..chain.len()).rev() {
                    chain.swap(at, rng.below(at + 1));
                }
                // The router stays: without it a message goes another way than its path says, and order is kept by way.
                chain.retain(|at| PARTS[*at] == Part::Route || rng.chance(850));
            }
            chain.retain(|at| *at != gone);
            let route = match stage.route {
                Where::Room if self.groups => Route::Group("room".into()),
                Where::Echo | Where::Room => Route::Echo,
                Where::Cluster(id) => Route::Cluster(ClusterId(id)),
                Where::Drop => Route::Drop,
            };
            let room = matches!(stage.route, Where::Room) && self.groups;
            let grace = Duration::from_secs(2);
            listeners.push(ListenerPolicy {
                name: stage.name.into(),
                transport: stage.transport,
                chain: Chain::new(chain.iter().map(|at| programs[*at].clone()).collect()),
                route,
                join: if room { vec!["room".into(), "g1".into()] } else { Vec::new() },
                limits: Limits {
                    message: MESSAGE,
                    queue: rng.pick(&[QUEUE / 2, QUEUE]),
                    slow_consumer: slow_consumer(rng, stage.complete),
                    slow_grace: grace,
                    idle_timeout: Duration::from_secs(20),
                    ping_interval: Duration::from_secs(8),
                    rate: rate(rng),
                    shared_rates: shared_rates(rng),
                    rate_policy: rate_policy(rng, stage.complete),
                    ..Limits::default()
                },
                conflate: Some(Arc::new(ByWay)),
                resume: None,
            });
        }
        let wires = [length(), Wire::WebSocket { role: Role::Client }];
        let clusters = CLUSTERS.iter().zip(wires);
        Arc::new(Snapshot {
            version: self.version,
            listeners,
            clusters: clusters
                .map(|(name, wire)| ClusterPolicy {
                    name: (*name).into(),
                    queue: QUEUE / 2,
                    write_timeout: std::time::Duration::from_secs(30),
                    wire,
                })
                .collect(),
            cluster_names: CLUSTERS
                .iter()
                .enumerate()
                .map(|(at, name)| ((*name).into(), ClusterId(at as u16)))
                .collect(),
            era: Era(self.version as u32),
            bindings: programs
                .into_iter()
                .enumerate()
                .filter(|(at, _)| *at != gone)
                .map(|(_, link)| link)
                .collect(),
        })
    }

    /// A share of the sessions meets the generation before this one, or those do that opened before some moment.
    fn terms(&self, link: &Link, rng: &mut Rng) -> Arc<[Term]> {
        let before = self.before[link.binding.index()].clone();
        let own = Link { terms: Arc::default(), ..link.clone() };
        if rng.chance(500) {
            [Term { link: before, since: Era(0), share: Share::new(0.3) }].into()
        } else {
            let since = Era(self.version as u32 / 2);
            [
                Term { link: own, since, share: Share::ALL },
                Term { link: before, since: Era(0), share: Share::ALL },
            ]
            .into()
        }
    }

    fn link(&self, at: usize, rng: &mut Rng) -> Link {
        let (part, binding) = (PARTS[at], BindingId(at as u16));
        let generation = self.generations[at];
        let seed = self.seed ^ (generation << 20) ^ (at as u64);
        let lies = part == Part::Lie;
        Link {
            binding,
            name: format!("{part:?}{at}").into(),
            generation,
            program: Arc::new(Play { part, binding, seed, gossip: self.gossip.clone() }),
            directions: Directions { inbound: true, outbound: part != Part::Route },
            on_failure: if lies {
                rng.pick(&[OnFailure::Open, OnFailure::Closed, OnFailure::Closed, OnFailure::Close])
            } else {
                OnFailure::Open
            },
            stats: self.stats[at].clone(),
            terms: Arc::default(),
            max_held: if lies { 4096 } else { usize::MAX },
            quarantine: Arc::default(),
            offload: None,
        }
    }
}
