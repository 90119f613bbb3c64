//! Sessions that behave while others do not, and how long they wait: the one way in which every attack measures it.
//!
//! The worker has a core for itself. Attackers and honest sessions share the others, where the attackers give way, and what an honest
//! client waited for a core of its own is taken off its round trip: so it is the gateway that lets honest sessions wait, and not the
//! machine. On a machine with one core that cannot be told apart.

use crate::rig::{HONEST, Rig, figure};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::{Gateway, Metrics, process};

/// Below this a round trip is neither long nor short: a task that is under way is not interrupted, and one handshake of TLS is most of a
/// millisecond of processor time.
const FLOOR: Duration = Duration::from_millis(2);
/// Where clients wait for longer and the worker says that sessions waited for this long, it is the gateway that lets them wait. Below it
/// the clients have waited for the kernel. A few steps that are not interrupted fit in it: a message that is
/// inflated to its limit takes one or two milliseconds.
const WORKER_FLOOR: Duration = Duration::from_millis(10);
/// A worker that was without a core for more than this part of the time may have let one in a hundred wait for that alone.
const OFF_CORE: f64 = 0.01;
/// So long is long whoever had the core.
const STARVED: Duration = Duration::from_millis(20);
/// How long the sessions are measured without an attack.
const BEFORE: Duration = Duration::from_millis(1_500);
/// How the gateway calls its workers' threads.
const WORKERS: &str = "worker-";

/// Round trips, sorted.
#[derive(Debug)]
pub(crate) struct Times(Vec<Duration>);

/// How long honest sessions waited, during an attack and without it.
#[derive(Debug)]
pub(crate) struct Fairness {
    during: Phase,
    without: Phase,
}

#[derive(Debug)]
struct Phase {
    /// Of the clients: from the request to its answer, without what the client waited for a core.
    round_trips: Times,
    /// Of the worker: 99 of 100 sessions with something to do waited no longer for their turns. `None`: so long that it has no bound.
    in_worker: Option<Duration>,
    /// The part of the time that the worker wanted a core and had none.
    off_core: f64,
}

/// The gateway at one moment.
struct Moment {
    at: Instant,
    metrics: Metrics,
    waited: Duration,
}

impl Moment {
    fn of(gateway: &Gateway, metrics: Metrics) -> Self {
        Self { at: Instant::now(), metrics, waited: process::waited(gateway.pid(), WORKERS) }
    }
}

/// Attacks, while ten honest sessions of the same worker talk.
pub(crate) fn during<T: Send>(gateway: &Rig, attack: impl FnOnce() -> T + Send) -> (T, Fairness) {
    process::part(gateway.pid(), WORKERS);
    let (stop, (ready, is_ready)) = (AtomicBool::new(false), sync_channel(1));
    std::thread::scope(|threads| {
        let honest = threads.spawn(|| talk(gateway.address(HONEST), &stop, &ready));
        is_ready.recv().expect("honest sessions are served");
        let first = Moment::of(gateway, gateway.all_metrics());
        std::thread::sleep(BEFORE);
        let second = Moment::of(gateway, gateway.all_metrics());
        // The attack may leave the gateway without a descriptor.
        let call = gateway.call();
        let attacking = threads.spawn(|| {
            process::leave_first_core();
            process::give_way();
            attack()
        });
        let done = attacking.join();
        let end = Instant::now();
        let page = Gateway::get_over(call, "/metrics");
        let metrics = page.map_or_else(|_| gateway.all_metrics(), |(_, page)| Metrics::parse(&page));
        let third = Moment { at: end, ..Moment::of(gateway, metrics) };
        stop.store(true, Ordering::Relaxed);
        let talked = honest.join().expect("honest sessions are served");
        let done = done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let fairness =
            Fairness { without: phase(&talked, &first, &second), during: phase(&talked, &second, &third) };
        (done, fairness)
    })
}

/// Uses ten sessions of an echo in turn. When each round trip began, and how long it took but for this thread's wait for a core.
fn talk(echo: SocketAddr, stop: &AtomicBool, ready: &SyncSender<()>) -> Vec<(Instant, Duration)> {
    process::leave_first_core();
    let mut sessions: Vec<_> = (0..10).map(|_| Raw::websocket(echo)).collect();
    ready.send(()).expect("somebody waits");
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = times.len();
        let session = &mut sessions[number % 10];
        let waited = process::waited_here();
        let began = Instant::now();
        assert!(session.write(&masked(0x81, number.to_string().as_bytes())));
        assert_eq!(echo_of(session), number.to_string().as_bytes());
        let took = began.elapsed();
        times.push((began, took.saturating_sub(process::waited_here().saturating_sub(waited))));
        // A pace, so that the measurement is not an attack itself.
        std::thread::sleep(Duration::from_millis(1));
    }
    for session in &mut sessions {
        session.write(&masked(0x88, &1000_u16.to_be_bytes()));
        while session.frame() != Frame::End {}
    }
    times
}

fn echo_of(session: &mut Raw) -> Vec<u8> {
    loop {
        match session.frame() {
            Frame::Frame(9, carried) => assert!(session.write(&masked(0x8a, &carried))),
            Frame::Frame(_, payload) => return payload,
            other => panic!("an honest session got {other:?}"),
        }
    }
}

fn phase(talked: &[(Instant, Duration)], from: &Moment, to: &Moment) -> Phase {
    let within = talked.iter().filter(|(began, _)| (from.at..to.at).contains(began));
    let time = to.at.duration_since(from.at).as_secs_f64();
    Phase {
        round_trips: Times::new(within.map(|(_, took)| *took).collect()),
        in_worker: to.metrics.quantile("worker_wait", &[("kind", "sockets")], 0.99, &from.metrics),
        off_core: to.waited.saturating_sub(from.waited).as_secs_f64() / time,
    }
}

impl Fairness {
    /// Prints the figure of a row whose bar is known to be missed, as docs/robustness.md says: nothing is held against it here.
    pub(crate) fn missed(&self, row: &str, text: &str) {
        figure(row, &format!("{text}; {self}"));
    }

    /// Prints the figure of a row whose bar is missed in the worker. For the clients it holds: they waited less than twice as long as
    /// without the attack, or shorter than [`STARVED`], whoever let them wait.
    pub(crate) fn of_clients(&self, row: &str, text: &str) {
        figure(row, &format!("{text}; {self}"));
        assert!(!self.is_longer_than(STARVED), "{row}: {self}");
    }

    /// The same, and where it was the gateway that let them wait, and had the core, shorter than [`FLOOR`].
    pub(crate) fn figure(&self, row: &str, text: &str) {
        self.of_clients(row, text);
        let let_wait = self.during.in_worker.is_none_or(|waited| waited >= WORKER_FLOOR);
        let had_core = self.during.off_core < OFF_CORE;
        assert!(!(self.is_longer_than(FLOOR) && let_wait && had_core), "{row}: {self}");
    }

    fn is_longer_than(&self, floor: Duration) -> bool {
        self.during.round_trips.p99() >= (2 * self.without.round_trips.p99()).max(floor)
    }
}

impl fmt::Display for Fairness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { during, without } = self;
        write!(
            f,
            "honest p99 {:.2?} of {}, without the attack {:.2?}",
            during.round_trips.p99(),
            during.round_trips.count(),
            without.round_trips.p99(),
        )?;
        if let (Some(during), Some(without)) = (during.in_worker, without.in_worker) {
            write!(f, "; in the worker at most {during:.2?}, without {without:.2?}")?;
        }
        write!(f, "; worker without a core {:.1} % of the time", 100.0 * during.off_core)
    }
}

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn p99(&self) -> Duration {
        self.0[self.0.len() * 99 / 100]
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn least(&self) -> Duration {
        self.0[0]
    }

    pub(crate) fn most(&self) -> Duration {
        self.0[self.0.len() - 1]
    }
}
