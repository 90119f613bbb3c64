//! A gateway of one worker in the test's own thread, with no plugins, and what a client needs to talk to it.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod quic;

use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use weir_codec::{Framing, Prefix};
use weir_core::{
    Chain, CloseReason, ClusterPolicy, Directory, Kind, Limits, ListenerId, ListenerPolicy, Route, Snapshot,
    Transport, Worker, WorkerId, WorkerStats,
};
use weir_transport::{ListenerSpec, Listeners, Local, Overload, Protocol, Serving, bind};

/// Longer than anything here takes, unless it never ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One listener of a test.
pub(crate) struct Entrance {
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) limits: Limits,
    pub(crate) route: Route,
    pub(crate) join: Vec<Arc<str>>,
}

pub(crate) struct Gateway {
    pub(crate) local: Rc<Local>,
    pub(crate) listeners: Listeners,
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) serving: Serving,
    pub(crate) overload: Arc<Overload>,
}

impl Entrance {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self { protocol, tls: None, limits: Limits::default(), route: Route::Echo, join: Vec::new() }
    }

    pub(crate) fn tcp(framing: Framing) -> Self {
        Self::new(Protocol::Tcp { framing: Arc::new(framing), kind: Kind::Binary })
    }

    pub(crate) fn u32be() -> Self {
        Self::tcp(Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 })
    }

    pub(crate) fn websocket() -> Self {
        let (path, origins, subprotocols) = ("/ws".to_owned(), None, vec!["v2".into(), "v1".into()]);
        Self::new(Protocol::WebSocket { path, origins, subprotocols, deflate: false })
    }

    /// That agrees to compression.
    pub(crate) fn deflating() -> Self {
        let mut entrance = Self::websocket();
        if let Protocol::WebSocket { deflate, .. } = &mut entrance.protocol {
            *deflate = true;
        }
        entrance
    }

    pub(crate) fn quic() -> Self {
        let mut entrance = Self::new(Protocol::Quic { kind: Kind::Binary });
        entrance.tls = Some(weir_transport::tls::self_signed().unwrap().config);
        entrance
    }

    pub(crate) fn webtransport() -> Self {
        let (path, origins) = ("/wt".to_owned(), None);
        let protocol = Protocol::WebTransport { path, origins, kind: Kind::Binary };
        Self { protocol, ..Self::quic() }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(crate) fn in_group(mut self, name: &str) -> Self {
        self.route = Route::Group(name.into());
        self.join = vec![name.into()];
        self
    }
}

impl Gateway {
    /// Starts one; within a `LocalSet`.
    pub(crate) fn start(entrances: Vec<Entrance>) -> Self {
        Self::start_with(entrances, Vec::new())
    }

    /// The same, with clusters.
    pub(crate) fn start_with(entrances: Vec<Entrance>, clusters: Vec<ClusterPolicy>) -> Self {
        let mut snapshot = Snapshot { version: 1, clusters, ..Snapshot::default() };
        let mut specs = Vec::new();
        for (at, entrance) in entrances.into_iter().enumerate() {
            let name: Arc<str> = format!("listener-{at}").into();
            let transport = match entrance.protocol {
                Protocol::Tcp { .. } => Transport::Tcp,
                Protocol::WebSocket { .. } => Transport::WebSocket,
                Protocol::Quic { .. } => Transport::Quic,
                Protocol::WebTransport { .. } => Transport::WebTransport,
            };
            snapshot.listeners.push(ListenerPolicy {
                conflate: None,
                resume: None,
                name: name.clone(),
                transport,
                chain: Chain::default(),
                route: entrance.route,
                join: entrance.join,
                limits: entrance.limits.clone(),
            });
            specs.push(ListenerSpec {
                id: ListenerId(at as u16),
                name,
                bind: "127.0.0.1:0".parse().unwrap(),
                protocol: entrance.protocol,
                tls: entrance.tls,
                limits: entrance.limits,
                accept_rate: 0,
                resume: None,
                records_opens: true,
            });
        }
        let stats = Arc::new(WorkerStats::new(specs.len(), snapshot.clusters.len()));
        let source = Arc::new(ArcSwap::from_pointee(snapshot));
        let worker = Worker::new(WorkerId(0), source, Arc::new(Directory::new(1)), stats.clone(), 1, 7);
        let local = Local::new(worker, Instant::now());
        let overload: Arc<Overload> = Arc::default();
        let (listeners, mut shares) = bind(specs, 1, &overload).unwrap();
        let serving = shares.remove(0).serve(&local).unwrap();
        let timers = local.clone();
        tokio::task::spawn_local(async move { timers.run_timers().await });
        Self { local, listeners, stats, serving, overload }
    }

    pub(crate) fn address(&self, listener: usize) -> SocketAddr {
        self.listeners.addresses()[listener].1
    }

    pub(crate) fn closed(&self, listener: usize, reason: CloseReason) -> u64 {
        self.stats.listeners[listener].closed.of(reason).value()
    }

    /// Waits until so many sessions are open.
    pub(crate) async fn sessions(&self, count: u64) {
        let open = || self.stats.listeners.iter().map(|listener| listener.sessions.value()).sum::<u64>();
        until("sessions", || open() == count).await;
    }

    /// Waits until every session has ended, and adds up that every message has one fate. Gives how many were received and delivered.
    pub(crate) async fn settled(&self) -> (u64, u64) {
        self.sessions(0).await;
        let (mut received, mut delivered) = (0, 0);
        for listener in &self.stats.listeners {
            let inbound = &listener.inbound;
            assert_eq!(inbound.received.value(), inbound.routed_total() + inbound.dropped.total());
            let outbound = &listener.outbound;
            assert_eq!(outbound.offered.value(), outbound.delivered.value() + outbound.dropped.total());
            received += inbound.received.value();
            delivered += outbound.delivered.value();
        }
        #[cfg(debug_assertions)]
        self.local.with(|worker| worker.check_invariants());
        (received, delivered)
    }
}

/// Runs a test on a worker's thread.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(PATIENCE, test).await.expect("the test ends");
    });
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: never");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Reads exactly what is expected.
pub(crate) async fn expect<S: AsyncRead + Unpin>(stream: &mut S, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).await.unwrap();
    assert!(read == bytes, "other bytes than were sent");
}

/// Reads to the end.
pub(crate) async fn rest<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}

/// A message as `u32be` frames it.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}

/// One HTTP request by hand: the whole answer.
pub(crate) async fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    String::from_utf8(rest(&mut stream).await).unwrap()
}
