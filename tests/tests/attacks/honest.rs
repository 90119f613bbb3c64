//! Sessions that behave while others do not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use weir_tests::raw::{Frame, Raw, masked};

/// Below this, a round trip says more of the machine's scheduler than of the gateway: the clients of the attack run on the same cores,
/// and so does whatever else the machine does. Who is starved waits for longer. Whether it is less than twice as long as without the
/// attack, on a machine that has nothing else to do, is read from the figures.
const FLOOR: Duration = Duration::from_millis(20);

/// Sessions of an echo over WebSocket, each used in turn; their round trips are measured.
#[derive(Debug)]
pub(crate) struct Honest {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Times>,
}

/// Round trips, sorted.
#[derive(Debug)]
pub(crate) struct Times(Vec<Duration>);

impl Honest {
    /// Begins to measure.
    pub(crate) fn start(echo: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut sessions: Vec<_> = (0..10).map(|_| Raw::websocket(echo)).collect();
            let mut times = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let number = times.len();
                let session = &mut sessions[number % 10];
                let began = Instant::now();
                assert!(session.write(&masked(0x81, number.to_string().as_bytes())));
                assert_eq!(echo_of(session), number.to_string().as_bytes());
                times.push(began.elapsed());
                // A pace, so that the measurement is not an attack itself.
                std::thread::sleep(Duration::from_millis(1));
            }
            for session in &mut sessions {
                session.write(&masked(0x88, &1000_u16.to_be_bytes()));
                while session.frame() != Frame::End {}
            }
            Times::new(times)
        });
        Self { stop, thread }
    }

    /// Ends all sessions; each got its echoes.
    pub(crate) fn stop(self) -> Times {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("honest sessions are served")
    }

    /// Without an attack, for comparison.
    pub(crate) fn undisturbed(echo: SocketAddr) -> Times {
        let honest = Self::start(echo);
        std::thread::sleep(Duration::from_millis(1_500));
        honest.stop()
    }
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

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
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

    /// Says what these, during an attack, are against those without; they are less than twice as long, or shorter than [`FLOOR`].
    pub(crate) fn against(&self, undisturbed: &Self) -> String {
        let (during, without) = (self.p99(), undisturbed.p99());
        let said = format!("honest p99 {during:.1?}, without the attack {without:.1?}");
        assert!(during < (2 * without).max(FLOOR), "{said}");
        said
    }
}
