//! A session over a socket of this machine, driven as the gateway drives it, client and worker in one thread: there and back. The
//! client's part is among it, and so is tokio's; the kernel's is not counted.

use arc_swap::ArcSwap;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
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
];

const SIZE: usize = 64;
const MESSAGES: usize = 64;

/// A gateway and a client.
struct Pair {
    runtime: Runtime,
    tasks: LocalSet,
    client: TcpStream,
    /// It goes with them.
    gateway: (Rc<Local>, Listeners, Serving),
}

fn pair() -> Pair {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tasks = LocalSet::new();
    let (client, gateway) = tasks.block_on(&runtime, async {
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
        let stats = Arc::new(WorkerStats::new(1, 0));
        let worker = Worker::new(WorkerId(0), source, Arc::new(Directory::new(1)), stats, 1, 7);
        let local = Local::new(worker, Instant::now());
        let (listeners, mut shares) = bind(vec![spec], 1, &Arc::default()).expect("a port");
        let serving = shares.remove(0).serve(&local).expect("accept loops");
        let timers = local.clone();
        tokio::task::spawn_local(async move { timers.run_timers().await });
        let client = TcpStream::connect(listeners.addresses()[0].1).await.expect("a connection");
        client.set_nodelay(true).expect("an option");
        (client, (local, listeners, serving))
    });
    Pair { runtime, tasks, client, gateway }
}

/// 64 messages, so many in each write; the next write when all of them are back.
fn there_and_back(together: usize) -> Box<dyn FnMut()> {
    let Pair { runtime, tasks, mut client, gateway } = pair();
    let frame = [&(SIZE as u32).to_be_bytes()[..], &[7; SIZE]].concat();
    let write = frame.repeat(together);
    let mut read = vec![0; write.len()];
    Box::new(move || {
        black_box(&gateway);
        tasks.block_on(&runtime, async {
            for _ in 0..MESSAGES / together {
                client.write_all(&write).await.expect("it goes out");
                client.read_exact(&mut read).await.expect("it comes back");
            }
        });
    })
}

weir_proof::hot!(CASES);
