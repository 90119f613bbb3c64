//! Sessions over sockets of this machine, driven as the gateway drives them, client and worker in one thread: messages there and back, and
//! sessions that come and go. The client's part is among it, and so is tokio's; the kernel's is not counted.

use arc_swap::ArcSwap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, yield_now};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use weir_codec::{Framing, Kind, Prefix};
use weir_core::{
    Chain, Directory, Limits, ListenerId, ListenerPolicy, Route, Snapshot, Transport, Worker, WorkerId,
    WorkerStats,
};
use weir_proof::hot::Case;
use weir_transport::{ListenerSpec, Listeners, Local, Protocol, Serving, bind};

const CASES: &[Case] = &[
    Case { name: "TCP echo: 64 B, alone", of: 64, make: || there_and_back(1) },
    Case { name: "TCP echo: 64 B, 64 together", of: 64, make: || there_and_back(64) },
    Case {
        name: "TCP session: opened, one message, closed",
        of: SESSIONS as u32,
        make: || come_and_go(Dispatch::new(NoSubscriber::new())),
    },
    Case {
        name: "TCP session: the same, with its two access records",
        of: SESSIONS as u32,
        make: || come_and_go(access_log()),
    },
];

const SIZE: usize = 64;
const MESSAGES: usize = 64;
const SESSIONS: usize = 16;

/// A gateway of one worker.
struct Gateway {
    runtime: Runtime,
    tasks: LocalSet,
    address: SocketAddr,
    stats: Arc<WorkerStats>,
    /// It ends with them.
    _parts: (Rc<Local>, Listeners, Serving),
}

fn gateway() -> Gateway {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tasks = LocalSet::new();
    let stats = Arc::new(WorkerStats::new(1, 0));
    let (address, parts) = tasks.block_on(&runtime, async {
        let framing = Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 };
        let policy = ListenerPolicy {
            name: "echo".into(),
            transport: Transport::Tcp,
            chain: Chain::default(),
            route: Route::Echo,
            join: Vec::new(),
            limits: Limits::default(),
            conflate: None,
            resume: None,
        };
        let spec = ListenerSpec {
            id: ListenerId(0),
            name: "echo".into(),
            bind: "127.0.0.1:0".parse().expect("an address"),
            protocol: Protocol::Tcp { framing: Arc::new(framing), kind: Kind::Binary },
            tls: None,
            limits: Limits::default(),
            accept_rate: 0,
            resume: None,
            records_opens: true,
        };
        let snapshot = Snapshot { version: 1, listeners: vec![policy], ..Snapshot::default() };
        let source = Arc::new(ArcSwap::from_pointee(snapshot));
        let worker = Worker::new(WorkerId(0), source, Arc::new(Directory::new(1)), stats.clone(), 1, 7);
        let local = Local::new(worker, Instant::now());
        let (listeners, mut shares) = bind(vec![spec], 1, &Arc::default()).expect("a port");
        let serving = shares.remove(0).serve(&local).expect("accept loops");
        let timers = local.clone();
        tokio::task::spawn_local(async move { timers.run_timers().await });
        (listeners.addresses()[0].1, (local, listeners, serving))
    });
    Gateway { runtime, tasks, address, stats, _parts: parts }
}

async fn client(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).await.expect("a connection");
    client.set_nodelay(true).expect("an option");
    client
}

fn frame() -> Vec<u8> {
    [&(SIZE as u32).to_be_bytes()[..], &[7; SIZE]].concat()
}

/// 64 messages, so many in each write; the next write when all of them are back.
fn there_and_back(together: usize) -> Box<dyn FnMut()> {
    let gateway = gateway();
    let mut client = gateway.tasks.block_on(&gateway.runtime, client(gateway.address));
    let write = frame().repeat(together);
    let mut read = vec![0; write.len()];
    Box::new(move || {
        gateway.tasks.block_on(&gateway.runtime, async {
            for _ in 0..MESSAGES / together {
                client.write_all(&write).await.expect("it goes out");
                client.read_exact(&mut read).await.expect("it comes back");
            }
        });
        assert_eq!(black_box(&read), &write);
    })
}

/// As the gateway writes them when nobody watches a terminal, to nowhere.
fn access_log() -> Dispatch {
    let builder = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false);
    builder.with_writer(std::io::sink).into()
}

/// One after the other: a client connects, has a message back and ends its side; the next when the session is gone.
fn come_and_go(log: Dispatch) -> Box<dyn FnMut()> {
    let gateway = gateway();
    let (write, mut read) = (frame(), vec![0; 4 + SIZE]);
    let mut sessions = async move |address, stats: &WorkerStats| {
        for _ in 0..SESSIONS {
            let mut client = client(address).await;
            client.write_all(&write).await.expect("it goes out");
            client.read_exact(&mut read).await.expect("it comes back");
            client.shutdown().await.expect("its side ends");
            assert_eq!(client.read(&mut [0]).await.expect("the other side ends"), 0);
            while stats.connections.value() > 0 {
                yield_now().await;
            }
        }
    };
    Box::new(move || {
        let all = sessions(gateway.address, &gateway.stats);
        tracing::dispatcher::with_default(&log, || gateway.tasks.block_on(&gateway.runtime, all));
    })
}

weir_proof::hot!(CASES);
