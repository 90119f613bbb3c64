//! What all workers read and none writes: listeners, their chains and routes. Replaced whole when a plugin changes; a worker looks
//! for a new one once per batch.

use crate::conflate::KeyOf;
use crate::id::{BindingId, ClusterId, GenerationId};
use crate::lineup::{Era, Term, Who};
use crate::message::{Direction, Transport};
use crate::offload::Offload;
use crate::program::{Directions, Program};
use crate::quarantine::Quarantine;
use crate::rate::{Rate, RatePolicy, SharedRate};
use crate::resume::Resumption;
use crate::stats::CallStats;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use weir_codec::Wire;

/// One immutable state of the routing table.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with each change.
    pub version: u64,
    /// Of the bindings' generations: what sessions remember that open now.
    pub era: Era,
    /// By [`ListenerId`](crate::ListenerId).
    pub listeners: Vec<ListenerPolicy>,
    /// By [`ClusterId`].
    pub clusters: Vec<ClusterPolicy>,
    /// From a cluster's name to its place.
    pub cluster_names: HashMap<Arc<str>, ClusterId>,
    /// Every binding that some chain uses, each once: for timers, which run on the link's own generation.
    pub bindings: Vec<Link>,
}

impl Snapshot {
    /// The link of a binding that some chain uses.
    pub(crate) fn link(&self, binding: BindingId) -> Option<&Link> {
        self.bindings.iter().find(|link| link.binding == binding)
    }

    /// The link of a generation; where it serves no more, of its binding.
    pub(crate) fn link_of(&self, by: GenerationId) -> Option<&Link> {
        Some(self.link(by.binding)?.at(by.generation))
    }

    /// Whether all that happens because time passes happens at the same times.
    pub(crate) fn has_times_of(&self, other: &Self) -> bool {
        let times = |listener: &ListenerPolicy| {
            let Limits { idle_timeout, ping_interval, pong_floor, slow_consumer, slow_grace, .. } =
                listener.limits;
            let Limits { first_message_timeout, frame_timeout, write_timeout, .. } = listener.limits;
            let silence = (idle_timeout, ping_interval, pong_floor);
            (silence, slow_consumer, slow_grace, first_message_timeout, frame_timeout, write_timeout)
        };
        self.listeners.iter().map(times).eq(other.listeners.iter().map(times))
    }

    /// Whether messages that wait are about the same by the same rule, where there is one.
    pub(crate) fn has_keys_of(&self, other: &Self) -> bool {
        let rule = |listener: &ListenerPolicy| {
            let conflates = listener.limits.slow_consumer == SlowConsumer::Conflate;
            listener.conflate.as_ref().filter(|_| conflates).map(Arc::as_ptr).map(<*const _>::cast::<()>)
        };
        self.listeners.iter().map(rule).eq(other.listeners.iter().map(rule))
    }

    pub(crate) fn names_all_bindings(&self) -> bool {
        let mut links = self.listeners.iter().flat_map(|listener| listener.chain.links());
        links.all(|link| self.link(link.binding).is_some())
    }
}

/// What the core knows of a listener.
#[derive(Clone, Debug)]
pub struct ListenerPolicy {
    /// For plugins, logs and metrics.
    pub name: Arc<str>,
    /// How its clients are connected.
    pub transport: Transport,
    /// In inbound order.
    pub chain: Chain,
    /// Where a message goes that no plugin sent elsewhere.
    pub route: Route,
    /// Groups that each session is in from the beginning.
    pub join: Vec<Arc<str>>,
    /// What a session may use.
    pub limits: Limits,
    /// For [`SlowConsumer::Conflate`]: which messages are about the same.
    pub conflate: Option<Arc<dyn KeyOf>>,
    /// Whether sessions wait for clients that lost their connections.
    pub resume: Option<Arc<Resumption>>,
}

/// What the core knows of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterPolicy {
    /// For plugins, logs and metrics.
    pub name: Arc<str>,
    /// The most bytes that wait for one upstream connection before reading from its client stops.
    pub queue: usize,
    /// For how long an upstream may take nothing at all of what waits for it; zero: as long as it likes.
    pub write_timeout: Duration,
    /// How messages to it become frames.
    pub wire: Wire,
}

/// A listener's own route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the session's connection to this cluster, opened with the session.
    Cluster(ClusterId),
    /// Published to the group.
    Group(Arc<str>),
    /// Back to the sender.
    Echo,
    /// Nowhere, counted.
    Drop,
}

/// The ordered bindings that a listener's messages meet: first to last inbound, last to first outbound.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    links: Arc<[Link]>,
    /// The links' bindings: what a session, or a held message, remembers of the chain it met, for it may have changed since.
    bindings: Arc<Vec<BindingId>>,
    /// Whether any link wants messages of a direction, at whatever generation.
    wanted: [bool; 2],
}

impl Chain {
    /// A chain of these links in inbound order.
    pub fn new(links: Vec<Link>) -> Self {
        let wants =
            |direction| links.iter().any(|link| link.all().any(|one| one.directions.contains(direction)));
        Self {
            wanted: [wants(Direction::Inbound), wants(Direction::Outbound)],
            bindings: Arc::new(links.iter().map(|link| link.binding).collect()),
            links: links.into(),
        }
    }

    /// In inbound order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// In the order in which messages of this direction meet them.
    pub(crate) fn along(&self, direction: Direction) -> impl Iterator<Item = &Link> {
        let total = self.links.len();
        (0..total).map(move |at| match direction {
            Direction::Inbound => &self.links[at],
            Direction::Outbound => &self.links[total - 1 - at],
        })
    }

    /// Whether any link wants outbound messages: if not, a group message is framed once for all receivers.
    pub fn has_outbound(&self) -> bool {
        self.wants(Direction::Outbound)
    }

    /// Whether any link wants messages of a direction: if not, they are where they go at once.
    #[inline]
    pub(crate) fn wants(&self, direction: Direction) -> bool {
        self.wanted[direction as usize]
    }

    /// The first link at or after `position` (a count of links passed already) that wants this direction, at the generation that the
    /// session meets, and its position.
    #[inline]
    pub(crate) fn next(
        &self,
        direction: Direction,
        position: usize,
        who: impl Fn() -> Who,
    ) -> Option<(usize, &Link)> {
        for at in position..self.links.len() {
            let link = match direction {
                Direction::Inbound => &self.links[at],
                Direction::Outbound => &self.links[self.links.len() - 1 - at],
            };
            let link = link.met_by(&who);
            if link.directions.contains(direction) {
                return Some((at, link));
            }
        }
        None
    }

    /// The bindings of the links, in inbound order.
    pub(crate) fn bindings(&self) -> &Arc<Vec<BindingId>> {
        &self.bindings
    }

    /// Where a message goes on that has come so far in a chain with these bindings. If the chain has changed, it goes through the
    /// new one from its beginning, and past those links that it has met: it meets none twice, and dodges none.
    pub(crate) fn resume(
        &self,
        direction: Direction,
        bindings: &Arc<Vec<BindingId>>,
        progress: Progress,
    ) -> Progress {
        if Arc::ptr_eq(bindings, &self.bindings) {
            return progress;
        }
        let passed = match direction {
            Direction::Inbound => &bindings[..progress.passed],
            Direction::Outbound => &bindings[bindings.len() - progress.passed..],
        };
        let before = progress.met.iter().flat_map(|met| met.iter());
        Progress { passed: 0, met: Some(before.chain(passed).copied().collect()) }
    }

    /// The same for a message that meets the last link which it passed, that of `binding`, once more.
    pub(crate) fn resume_at(
        &self,
        direction: Direction,
        bindings: &Arc<Vec<BindingId>>,
        progress: Progress,
        binding: BindingId,
    ) -> Progress {
        let mut progress = self.resume(direction, bindings, progress);
        match &progress.met {
            Some(met) if met.contains(&binding) => {
                progress.met = Some(met.iter().copied().filter(|known| *known != binding).collect());
            }
            _ => progress.passed = progress.passed.saturating_sub(1),
        }
        progress
    }
}

/// How far a message has come in its chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Links that it has passed.
    pub(crate) passed: usize,
    /// Bindings that it met in chains before this one; mostly there were none.
    met: Option<Arc<[BindingId]>>,
}

impl Progress {
    /// It has met nobody yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.passed == 0 && self.met.is_none()
    }

    /// Goes to the next link. False: it has met that binding before.
    pub(crate) fn meet(&mut self, at: usize, link: &Link) -> bool {
        self.passed = at + 1;
        !self.met.as_ref().is_some_and(|met| met.contains(&link.binding))
    }
}

/// One binding in a chain, at one generation.
#[derive(Clone, Debug)]
pub struct Link {
    /// Which binding.
    pub binding: BindingId,
    /// Its name.
    pub name: Arc<str>,
    /// Which version of it: grows with each swap, never reused for the binding.
    pub generation: u64,
    /// What runs.
    pub program: Arc<dyn Program>,
    /// What it wants to see.
    pub directions: Directions,
    /// What becomes of a message that it failed on.
    pub on_failure: OnFailure,
    /// The generation's counters, one set a worker.
    pub stats: Arc<[CallStats]>,
    /// Where several generations serve at once: who meets which, the newest first. Sessions that fit none of them meet the link itself;
    /// it is also the one that timers run on.
    pub terms: Arc<[Term]>,
    /// The most bytes of messages that it holds on one worker, with what keeps them.
    pub max_held: usize,
    /// Whether it is tried at all.
    pub quarantine: Arc<Quarantine>,
    /// Where it is called; `None`: on the workers.
    pub offload: Option<Arc<dyn Offload>>,
}

impl Link {
    /// Which generation it is.
    pub const fn id(&self) -> GenerationId {
        GenerationId { binding: self.binding, generation: self.generation }
    }
}

/// What becomes of a message when the plugin gave no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// The message is dropped.
    #[default]
    Closed,
    /// The message goes on as it was.
    Open,
    /// The session is closed.
    Close,
}

/// What one session may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a message.
    pub message: usize,
    /// Fragments of a WebSocket message.
    pub fragments: usize,
    /// Bytes that wait to be written to the client.
    pub queue: usize,
    /// What happens when they are more.
    pub slow_consumer: SlowConsumer,
    /// For how long a queue may stay over half full before the session is closed; see [`SlowConsumer::Close`].
    pub slow_grace: Duration,
    /// Silence after which the session is closed; zero: never.
    pub idle_timeout: Duration,
    /// How often the gateway asks whether the client is there, and looks how well it is reached; zero: never.
    pub ping_interval: Duration,
    /// The shortest time that an answer to that may take; at most [`LONGEST_PATIENCE`](crate::LONGEST_PATIENCE).
    pub pong_floor: Duration,
    /// What becomes of a session that is reached badly.
    pub degraded: Degraded,
    /// Whether clients of framed transports are asked, and answered, with [heartbeat](weir_codec::heartbeat) messages.
    pub heartbeat: bool,
    /// From an open session to its first message; zero: as long as it likes.
    pub first_message_timeout: Duration,
    /// From the first byte of a frame to its last; zero: as long as it likes. Over the whole of a fragmented message.
    pub frame_timeout: Duration,
    /// For how long the client may take nothing at all of what waits for it; zero: as long as it likes.
    pub write_timeout: Duration,
    /// From accept to the end of the TLS or QUIC handshake.
    pub handshake_timeout: Duration,
    /// From there to the end of the upgrade to WebSocket.
    pub upgrade_timeout: Duration,
    /// Connections at once, over all workers.
    pub connections: usize,
    /// Of these, from one network of clients; 0: no limit.
    pub connections_per_client: usize,
    /// What one network of clients is.
    pub client_network: ClientNetwork,
    /// What a client may send.
    pub rate: Rate,
    /// What clients may send together.
    pub shared_rates: Arc<[SharedRate]>,
    /// What happens to a client that sends more.
    pub rate_policy: RatePolicy,
}

impl Limits {
    /// Whether anybody has to look at how fast messages come.
    pub(crate) fn is_rated(&self) -> bool {
        self.rate.is_limited() || !self.shared_rates.is_empty()
    }
}

/// Clients whose addresses begin with the same bits are one network: the prefix lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientNetwork {
    /// Of IPv4 addresses, at most 32.
    pub ipv4: u8,
    /// Of IPv6 addresses, at most 128.
    pub ipv6: u8,
}

impl Default for ClientNetwork {
    /// One IPv4 address; of IPv6 what one site has (RFC 6177), for a host may take any address in it.
    fn default() -> Self {
        Self { ipv4: 32, ipv6: 64 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1 << 20,
            fragments: 128,
            queue: 256 << 10,
            slow_consumer: SlowConsumer::Close,
            slow_grace: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            ping_interval: Duration::from_secs(30),
            pong_floor: Duration::from_secs(2),
            degraded: Degraded::Keep,
            heartbeat: false,
            first_message_timeout: Duration::ZERO,
            frame_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            upgrade_timeout: Duration::from_secs(10),
            connections: 100_000,
            connections_per_client: 0,
            client_network: ClientNetwork::default(),
            rate: Rate::default(),
            shared_rates: Arc::new([]),
            rate_policy: RatePolicy::default(),
        }
    }
}

/// What becomes of a session whose client is reached badly: see [`Health`](crate::Health).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Degraded {
    /// It is counted, and shown to plugins as the attribute `weir.health`.
    #[default]
    Keep,
    /// It is closed as well, and told to connect again: by another way, or to another gateway.
    Reconnect,
}

/// What happens to a message for a client whose queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowConsumer {
    /// The message is dropped and counted; a session whose queue does not empty within the grace is closed.
    #[default]
    Close,
    /// The message is dropped and counted; the session stays.
    DropNewest,
    /// The oldest that wait are dropped and counted, as many as it takes; the session stays.
    DropOldest,
    /// Who can be held back is, as under every policy: the client itself for its echoes, and its upstreams. From all others, who
    /// must not wait for this client, the message is dropped and counted; the session stays.
    Pause,
    /// While it waits, a message is replaced by a newer one about the same, and counted; see [`ListenerPolicy::conflate`]. When the
    /// queue is full all the same, the message is dropped and counted; the session stays.
    Conflate,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Failure, Instance, Seat};
    use crate::verdict::Effect;

    #[derive(Debug)]
    struct Never;

    impl Program for Never {
        fn instantiate(&self, _: &Seat, _: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
            unreachable!("only its place in a chain is looked at")
        }
    }

    fn chain(links: &[(u16, bool, bool)]) -> Chain {
        let link = |(binding, inbound, outbound): &(u16, bool, bool)| Link {
            binding: BindingId(*binding),
            name: "".into(),
            generation: 1,
            program: Arc::new(Never),
            directions: Directions { inbound: *inbound, outbound: *outbound },
            on_failure: OnFailure::default(),
            stats: Arc::default(),
            terms: Arc::default(),
            max_held: usize::MAX,
            quarantine: Arc::default(),
            offload: None,
        };
        Chain::new(links.iter().map(link).collect())
    }

    /// The bindings that a message meets from some place on.
    fn met(chain: &Chain, direction: Direction, mut progress: Progress) -> Vec<u16> {
        let mut met = Vec::new();
        let who = || Who { session: crate::ConnId::from_raw(1), era: Era(0) };
        while let Some((at, link)) = chain.next(direction, progress.passed, who) {
            if progress.meet(at, link) {
                met.push(link.binding.0);
            }
        }
        met
    }

    #[test]
    fn inbound_is_first_to_last_and_outbound_last_to_first() {
        let chain = chain(&[(1, true, true), (2, true, false), (3, false, true), (4, true, true)]);
        assert!(chain.has_outbound());
        assert_eq!(met(&chain, Direction::Inbound, Progress::default()), [1, 2, 4]);
        assert_eq!(met(&chain, Direction::Outbound, Progress::default()), [4, 3, 1]);
        assert!(met(&Chain::default(), Direction::Inbound, Progress::default()).is_empty());
        assert!(!Chain::default().has_outbound());
    }

    #[test]
    fn a_message_that_changes_chains_meets_none_twice_and_dodges_none() {
        let all = |bindings: &[u16]| {
            let links: Vec<_> = bindings.iter().map(|binding| (*binding, true, true)).collect();
            chain(&links)
        };
        let first = all(&[1, 2, 3]);
        let held = Progress { passed: 2, met: None };
        assert_eq!(met(&first, Direction::Inbound, held.clone()), [3]);
        for (second, inbound, outbound) in [
            (&[1, 2, 3][..], &[3][..], &[1][..]),
            (&[3, 2, 1], &[3], &[1]),
            (&[4, 2], &[4], &[4]),
            (&[3], &[3], &[]),
            (&[], &[], &[]),
        ] {
            let second = all(second);
            for (direction, expected) in [(Direction::Inbound, inbound), (Direction::Outbound, outbound)] {
                let progress = second.resume(direction, first.bindings(), held.clone());
                assert_eq!(met(&second, direction, progress), expected, "{direction:?}");
            }
        }
        // And once more.
        let second = all(&[4, 3, 2, 1]);
        let mut progress = second.resume(Direction::Inbound, first.bindings(), held);
        assert!(progress.meet(0, &second.links()[0]));
        let third = all(&[1, 2, 3, 4]);
        let progress = third.resume(Direction::Inbound, second.bindings(), progress);
        assert_eq!(met(&third, Direction::Inbound, progress), [3]);
    }

    #[test]
    fn a_message_that_is_offered_again_meets_the_last_link_once_more() {
        let all = |bindings: &[u16]| {
            let links: Vec<_> = bindings.iter().map(|binding| (*binding, true, true)).collect();
            chain(&links)
        };
        let first = all(&[1, 2, 3]);
        let held = Progress { passed: 2, met: None };
        let met_again = |chain: &Chain| {
            met(
                chain,
                Direction::Inbound,
                chain.resume_at(Direction::Inbound, first.bindings(), held.clone(), BindingId(2)),
            )
        };
        assert_eq!(met_again(&first), [2, 3]);
        assert_eq!(met_again(&all(&[1, 2, 3])), [2, 3]);
        assert_eq!(met_again(&all(&[3, 2, 1])), [3, 2]);
        let outbound = Progress { passed: 1, met: None };
        let second = all(&[1, 2, 3]);
        let progress = second.resume_at(Direction::Outbound, first.bindings(), outbound, BindingId(3));
        assert_eq!(met(&second, Direction::Outbound, progress), [3, 2, 1]);
    }
}
