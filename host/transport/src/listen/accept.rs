//! The accept loop.

use super::{Gate, Rate, handshake, refuse};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// The first wait after an error that will not go away by itself, doubled with each that follows.
const FIRST_WAIT: Duration = Duration::from_millis(5);
/// The longest: a listener resumes at most so long after what it lacked is there again.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Connections that are accepted before the others have their turn: at 10 to 20 microseconds each.
const TOGETHER: u32 = 8;

/// Where connections come from; a test's may have errors to give.
pub(super) trait Source {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)>;
}

impl Source for TcpListener {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        Self::accept(self).await
    }
}

/// Accepts until it is dropped. Whatever goes wrong is waited out.
pub(super) async fn run(gate: &Rc<Gate>, source: &impl Source) {
    let mut rate = Rate::new(gate.spec().accept_rate, gate.listener.workers);
    let mut backoff = Backoff::default();
    let mut accepted = 0_u32;
    loop {
        rate.ready().await;
        gate.local.handshakes().short().await;
        match source.accept().await {
            Ok((stream, peer)) => {
                if let Some(errors) = backoff.over() {
                    tracing::info!(listener = &*gate.spec().name, errors, "accepting again");
                }
                enter(gate, stream, peer);
                accepted = accepted.wrapping_add(1);
                if accepted.is_multiple_of(TOGETHER) {
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                if backoff.errors == 0 {
                    tracing::warn!(
                        listener = &*gate.spec().name,
                        %error,
                        "cannot accept connections; sessions go on, and accepting resumes by itself"
                    );
                }
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

fn enter(gate: &Rc<Gate>, stream: TcpStream, peer: SocketAddr) {
    let admission = match gate.admit_stream(peer.ip(), stream.as_raw_fd()) {
        Ok(admission) => admission,
        Err(reason) => return refuse::refuse(gate, stream, peer, reason),
    };
    // Messages leave when the turn ends; the kernel is not to wait for more. It fails only if the peer is gone.
    let _ = stream.set_nodelay(true);
    handshake::begin(gate, stream, peer, admission);
}

/// Whether the error says something of one connection that is gone already, and nothing of the next: accept(2), "Error handling".
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EPROTO
                | libc::EINTR
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
                | libc::EPERM
        )
    )
}

/// A burst of errors.
#[derive(Debug, Default)]
struct Backoff {
    errors: u32,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let wait = FIRST_WAIT * 2_u32.saturating_pow(self.errors.min(16));
        self.errors = self.errors.saturating_add(1);
        wait.min(LONGEST_WAIT)
    }

    /// How many there were, if there were any.
    fn over(&mut self) -> Option<u32> {
        match std::mem::take(&mut self.errors) {
            0 => None,
            errors => Some(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::{Listener, ListenerSpec, Protocol, admission::Admissions};
    use crate::local::Local;
    use arc_swap::ArcSwap;
    use std::cell::{Cell, RefCell};
    use std::sync::Arc;
    use weir_core::{
        Chain, Directory, Kind, Limits, ListenerId, ListenerPolicy, Route, Snapshot, Transport, Worker,
        WorkerId, WorkerStats,
    };

    #[test]
    fn waits_double_up_to_a_bound_and_begin_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..9).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 500, 500]);
        assert_eq!((backoff.over(), backoff.over()), (Some(9), None));
        assert_eq!(backoff.next(), FIRST_WAIT);
    }

    /// A listener whose first accepts fail.
    struct Failing {
        errors: RefCell<Vec<i32>>,
        asked: Cell<u32>,
        then: TcpListener,
    }

    impl Source for Failing {
        async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            self.asked.set(self.asked.get() + 1);
            let error = self.errors.borrow_mut().pop();
            match error {
                Some(error) => Err(io::Error::from_raw_os_error(error)),
                None => self.then.accept().await,
            }
        }
    }

    fn gate() -> (Rc<Gate>, Arc<WorkerStats>) {
        let policy = ListenerPolicy {
            name: "test".into(),
            transport: Transport::Tcp,
            chain: Chain::default(),
            route: Route::Echo,
            join: Vec::new(),
            limits: Limits::default(),
            conflate: None,
            resume: None,
        };
        let snapshot = Snapshot { version: 1, listeners: vec![policy], ..Snapshot::default() };
        let stats = Arc::new(WorkerStats::new(1, 0));
        let source = Arc::new(ArcSwap::from_pointee(snapshot));
        let worker = Worker::new(WorkerId(0), source, Arc::new(Directory::new(1)), stats.clone(), 1, 1);
        let spec = ListenerSpec {
            id: ListenerId(0),
            name: "test".into(),
            bind: "127.0.0.1:0".parse().unwrap(),
            protocol: Protocol::Tcp {
                framing: Arc::new(weir_codec::Framing::Line { max: 100 }),
                kind: Kind::Binary,
            },
            tls: None,
            limits: Limits::default(),
            accept_rate: 0,
            resume: None,
            records_opens: true,
        };
        let admissions = Admissions::new(&Limits { connections: 10, ..Limits::default() });
        let listener = Listener { spec, admissions, tls: None, quic: None, rules: None, workers: 1 };
        let local = Local::new(worker, std::time::Instant::now());
        let stop = tokio::sync::watch::channel(false).1;
        let overload = Arc::default();
        (Rc::new(Gate { listener: Arc::new(listener), local, stop, overload, told: Cell::new(0) }), stats)
    }

    #[test]
    fn used_up_descriptors_are_waited_out_without_spinning() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let (gate, stats) = gate();
            let then = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = then.local_addr().unwrap();
            let errors = vec![libc::EMFILE, libc::ENFILE, libc::ECONNABORTED, libc::EMFILE, libc::ENOBUFS];
            let source = Failing { errors: RefCell::new(errors), asked: Cell::new(0), then };
            let began = std::time::Instant::now();
            let client = async {
                let _client = TcpStream::connect(address).await.unwrap();
                while stats.listeners[0].sessions.value() == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                () = run(&gate, &source) => {}
                () = client => {}
            }
            // Five errors, the connection, and the one that is waited for.
            assert_eq!(source.asked.get(), 7);
            assert!(began.elapsed() >= Duration::from_millis(5 + 10 + 20 + 40));
        });
    }
}
