//! Counters with one writer each and any number of readers.

use crate::program::{FailureCause, Worn};
use crate::reason::{CloseReason, DropReason};
use crate::verdict::{Forwarding, Verdict};
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that one worker raises and others read: no locked instruction on the way of a message.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Raises the count. Only ever called by the owning worker.
    pub fn add(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// Sets a gauge. Only ever called by the owning worker.
    pub fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    /// Lowers a gauge. Only ever called by the owning worker.
    pub fn sub(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(by), Ordering::Relaxed);
    }

    /// What it is now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations in buckets that double, from 1 µs to a second and beyond.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; Self::BOUNDS.len() + 1],
    sum_ns: Counter,
}

impl Histogram {
    /// Upper bounds of the buckets in nanoseconds; one bucket more has no bound.
    pub const BOUNDS: [u64; 21] = {
        let mut bounds = [1_000; 21];
        let mut at = 1;
        while at < bounds.len() {
            bounds[at] = bounds[at - 1] * 2;
            at += 1;
        }
        bounds
    };

    /// Counts one duration.
    pub fn record(&self, nanoseconds: u64) {
        let micros = nanoseconds.saturating_sub(1) / 1_000;
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.buckets[bucket.min(Self::BOUNDS.len())].add(1);
        self.sum_ns.add(nanoseconds);
    }

    /// Counts by bucket, not cumulative, and the sum of all durations in nanoseconds.
    pub fn read(&self) -> ([u64; Self::BOUNDS.len() + 1], u64) {
        (std::array::from_fn(|bucket| self.buckets[bucket].value()), self.sum_ns.value())
    }
}

/// What one worker counts about one generation of a binding.
#[derive(Debug, Default)]
pub struct CallStats {
    /// Calls begun, of every kind.
    pub calls: Counter,
    /// Of these, calls of `on-open`, `on-close` and `on-timer`; all others are of `on-message`.
    pub others: [Counter; 3],
    /// Calls of `on-message`, and releases, that gave no answer that could be taken.
    pub unanswered: Counter,
    /// Verdicts on messages that were held before.
    pub released: Counter,
    /// Sessions refused in `on-open`.
    pub refused: Counter,
    /// Processor time of all calls, in nanoseconds, as far as the instances measure it.
    pub cpu_ns: Counter,
    /// Bytes of memory that the instance has now; 0: there is none.
    pub memory: Counter,
    /// The most that an instance had.
    pub memory_peak: Counter,
    /// How long each `on-message` took that gave an answer.
    pub latency: Histogram,
    /// Messages forwarded as they were.
    pub forwarded: Counter,
    /// Messages forwarded with a new payload or to another place.
    pub changed: Counter,
    /// Messages dropped by verdict.
    pub dropped: Counter,
    /// Sessions closed by verdict.
    pub closed: Counter,
    /// Messages held.
    pub held: Counter,
    /// Calls that gave no answer, by cause.
    pub failures: [Counter; FailureCause::ALL.len()],
    /// Effects that named something that is not there, or is not allowed.
    pub refused_effects: Counter,
    /// Instances made.
    pub instances: Counter,
    /// Calls that were asked for elsewhere: see [`Offload`](crate::Offload).
    pub offloaded: Counter,
    /// Of these, those that are no longer in a queue. Counted by the threads.
    pub taken: Counter,
    /// How long calls elsewhere waited until they began. Counted by the threads.
    pub waits: Histogram,
    /// Instances that had not failed and were thrown away, by cause.
    pub renewals: [Counter; Worn::ALL.len()],
    /// Messages that went by without a call, because they are not those that the binding is for; see [`When`](crate::When).
    pub skipped: Counter,
    /// Calls that were made for several messages at once. Each message whose verdict was used is a call beside.
    pub batches: Counter,
    /// Of these, those that failed, so that their messages were given to the plugin one by one.
    pub batches_failed: Counter,
}

impl CallStats {
    /// The counter of one cause.
    pub fn failure(&self, cause: FailureCause) -> &Counter {
        &self.failures[cause as usize]
    }

    /// Counts a verdict by its kind. Calls of `on-message` and releases are as many as verdicts and those without an answer.
    pub(crate) fn verdict(&self, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Forward(Forwarding { payload: None, route: None }) => &self.forwarded,
            Verdict::Forward(_) => &self.changed,
            Verdict::Drop(_) => &self.dropped,
            Verdict::Close(_) => &self.closed,
            Verdict::Hold(_) => &self.held,
        };
        counter.add(1);
    }

    /// The counter of one cause.
    pub fn renewal(&self, cause: Worn) -> &Counter {
        &self.renewals[cause as usize]
    }
}

/// What one worker counts about everything that is not a plugin.
///
/// The ledger: at any moment when no call is under way, for every listener
/// `received = routed + dropped inbound + held inbound`, and for every listener and cluster
/// `offered = delivered + dropped + waiting`. The end-to-end tests add them up.
#[derive(Debug)]
pub struct WorkerStats {
    /// By listener; the last is for messages to sessions that are not open, and to groups that lost their members on the way.
    pub listeners: Box<[ListenerStats]>,
    /// By cluster.
    pub clusters: Box<[ClusterStats]>,
    /// What plugins sent by themselves: `received` counts the sends.
    pub sends: IntakeStats,
    /// Connections, both ways, that the worker holds.
    pub connections: Counter,
    /// How long who waits for the worker has to.
    pub turns: TurnStats,
    /// What was done about overload.
    pub overload: OverloadStats,
}

/// Whom overload has cost the connection, by step.
#[derive(Debug, Default)]
pub struct OverloadStats {
    /// Sessions that were idle.
    pub idle: Counter,
    /// Sessions that were drained.
    pub drained: Counter,
    /// Connections that were not let in.
    pub refused: Counter,
}

/// How a worker's time goes: everything that it does waits for the turn that is under way.
#[derive(Debug, Default)]
pub struct TurnStats {
    /// How late what is due was done.
    pub delay: Histogram,
    /// How long turns of the sockets took, without plugins: of a share of them.
    pub sockets: Histogram,
    /// How long plugins took for all messages of a turn, where they were called.
    pub plugins: Histogram,
    /// How long turns of the timers took, without plugins.
    pub timers: Histogram,
    /// How long tasks of each kind waited that were ready.
    pub waits: WaitStats,
}

/// How long it took until what was ready had its turn. The kinds stand apart: a crowd of one does not stand before the others.
#[derive(Debug, Default)]
pub struct WaitStats {
    /// A session with something to read, write or deliver: of a share of them.
    pub sockets: Histogram,
    /// A session that has had a turn and has more to do.
    pub busy: Histogram,
    /// A handshake's next step.
    pub handshakes: Histogram,
    /// A connection that has ended, and is to be let go.
    pub ends: Histogram,
}

/// Messages that come in, and where they went.
#[derive(Debug, Default)]
pub struct IntakeStats {
    /// Accepted.
    pub received: Counter,
    /// Bytes of their payloads.
    pub received_bytes: Counter,
    /// Sent on, by kind of target.
    pub routed: [Counter; TargetKind::ALL.len()],
    /// Not sent on, by reason.
    pub dropped: Reasons,
    /// Held by a plugin now.
    pub held: Counter,
}

/// Messages on their way to a peer.
#[derive(Debug, Default)]
pub struct DeliveryStats {
    /// Directed to it.
    pub offered: Counter,
    /// The last byte handed to the transport.
    pub delivered: Counter,
    /// Bytes of frames handed to the transport.
    pub delivered_bytes: Counter,
    /// Not delivered, by reason.
    pub dropped: Reasons,
}

/// Payloads of messages that are compressed on the wire; of others nothing is counted here.
#[derive(Debug, Default)]
pub struct CompressionStats {
    /// Bytes as they are on the wire.
    pub compressed_bytes: Counter,
    /// Bytes of the messages themselves.
    pub uncompressed_bytes: Counter,
}

impl CompressionStats {
    /// Counts one message.
    pub(crate) fn add(&self, compressed: usize, uncompressed: usize) {
        self.compressed_bytes.add(compressed as u64);
        self.uncompressed_bytes.add(uncompressed as u64);
    }
}

/// One counter a drop reason.
#[derive(Debug)]
pub struct Reasons(Box<[Counter]>);

impl Default for Reasons {
    fn default() -> Self {
        Self(DropReason::ALL.iter().map(|_| Counter::default()).collect())
    }
}

impl Reasons {
    /// The counter of a reason.
    pub fn of(&self, reason: DropReason) -> &Counter {
        &self.0[reason as usize]
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(Counter::value).sum()
    }
}

/// Where a message was routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants of Target")]
pub enum TargetKind {
    Cluster,
    Group,
    Session,
    Echo,
}

impl TargetKind {
    /// In the order of their counters.
    pub const ALL: [Self; 4] = [Self::Cluster, Self::Group, Self::Session, Self::Echo];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Group => "group",
            Self::Session => "session",
            Self::Echo => "echo",
        }
    }
}

impl IntakeStats {
    /// `routed` of all kinds.
    pub fn routed_total(&self) -> u64 {
        self.routed.iter().map(Counter::value).sum()
    }
}

/// One listener's counters on one worker.
#[derive(Debug, Default)]
pub struct ListenerStats {
    /// From its clients.
    pub inbound: IntakeStats,
    /// To its clients.
    pub outbound: DeliveryStats,
    /// Messages to its clients that a plugin holds or that wait behind one, now.
    pub outbound_held: Counter,
    /// How often the reading from a client stood still because it was too fast.
    pub rate_pauses: Counter,
    /// Compressed messages from its clients.
    pub inflated: CompressionStats,
    /// Compressed messages to its clients, each counted when it is offered.
    pub deflated: CompressionStats,
    /// Sessions ever opened.
    pub opened: Counter,
    /// Sessions open now.
    pub sessions: Counter,
    /// Of its sessions.
    pub heartbeats: HeartbeatStats,
    /// Of those that can be resumed.
    pub resume: ResumeStats,
    /// Connections that ended before they were a session, and sessions that ended, by reason.
    pub closed: Ends,
}

/// How well sessions are reached.
#[derive(Debug, Default)]
pub struct HeartbeatStats {
    /// Heartbeats sent.
    pub sent: Counter,
    /// Answers to them.
    pub answered: Counter,
    /// Those that nothing answered in time.
    pub missed: Counter,
    /// Sessions that are degraded now.
    pub degraded: Counter,
    /// Sessions that ever became so; each time counts.
    pub degraded_ever: Counter,
}

/// Sessions whose clients come back on another connection.
#[derive(Debug, Default)]
pub struct ResumeStats {
    /// Sessions that wait for their clients now. They are open sessions too.
    pub away: Counter,
    /// Messages that wait with them.
    pub waiting: Counter,
    /// How often a connection was lost and its session began to wait.
    pub parted: Counter,
    /// Clients that came back to a session in which nothing was lost.
    pub resumed: Counter,
    /// Clients that came back to their session, and messages were gone.
    pub missed: Counter,
    /// Clients whose token was too old.
    pub expired: Counter,
    /// Clients that wanted a session which was not there (any more).
    pub unknown: Counter,
    /// Sessions that ended because as many waited as may.
    pub crowded: Counter,
    /// Messages that were written once more.
    pub again: Counter,
}

/// One cluster's counters on one worker.
#[derive(Debug, Default)]
pub struct ClusterStats {
    /// Messages from it.
    pub received: Counter,
    /// Bytes of their payloads.
    pub received_bytes: Counter,
    /// Messages to it.
    pub delivery: DeliveryStats,
    /// Messages from it for a session that had ended.
    pub orphaned: Counter,
    /// Connections ever asked for.
    pub opened: Counter,
    /// Connections now, the ones being made among them.
    pub connections: Counter,
    /// Connections that ended, by reason.
    pub closed: Ends,
}

/// One counter a close reason.
#[derive(Debug)]
pub struct Ends(Box<[Counter]>);

impl Default for Ends {
    fn default() -> Self {
        Self(CloseReason::ALL.iter().map(|_| Counter::default()).collect())
    }
}

impl Ends {
    /// The counter of a reason.
    pub fn of(&self, reason: CloseReason) -> &Counter {
        &self.0[reason as usize]
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(Counter::value).sum()
    }
}

impl WorkerStats {
    /// Counters for so many listeners and clusters.
    pub fn new(listeners: usize, clusters: usize) -> Self {
        Self {
            listeners: (0..=listeners).map(|_| ListenerStats::default()).collect(),
            clusters: (0..clusters).map(|_| ClusterStats::default()).collect(),
            sends: IntakeStats::default(),
            connections: Counter::default(),
            turns: TurnStats::default(),
            overload: OverloadStats::default(),
        }
    }

    /// Where messages are counted that have no session, and so no listener, to go to.
    pub fn nobody(&self) -> &DeliveryStats {
        &self.listeners[self.listeners.len() - 1].outbound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_bucket_whose_bound_it_does_not_exceed() {
        for nanoseconds in [0, 1, 999, 1_000, 1_001, 2_000, 2_001, 1_048_576_000, 1_048_576_001, u64::MAX / 2]
        {
            let histogram = Histogram::default();
            histogram.record(nanoseconds);
            let (buckets, sum) = histogram.read();
            let bound = Histogram::BOUNDS.partition_point(|bound| *bound < nanoseconds);
            assert_eq!(buckets.iter().position(|count| *count == 1), Some(bound), "{nanoseconds}");
            assert_eq!(sum, nanoseconds);
        }
    }
}
