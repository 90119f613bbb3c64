//! A connection to a cluster: an endpoint is chosen and dialled. Nothing here is on the way of a message.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use weir_codec::{Framing, Kind, Prefix};
use weir_proof::hot::Case;
use weir_upstream::{Balance, Cluster, ClusterSpec, Endpoint, Protocol};

const CASES: &[Case] = &[
    Case { name: "connect: two of 3 endpoints compared (p2c)", of: 1, make: || connect(Balance::P2c, 3) },
    Case {
        name: "connect: the least loaded of 30 endpoints",
        of: 1,
        make: || connect(Balance::LeastConnections, 30),
    },
    Case { name: "endpoint: a name, read", of: 1, make: endpoint },
];

/// To listeners of this process, on loopback.
fn connect(balance: Balance, count: usize) -> Box<dyn FnMut()> {
    let listeners: Vec<_> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a listener")).collect();
    let addresses: Vec<_> =
        listeners.iter().map(|listener| listener.local_addr().expect("an address")).collect();
    let framing = Arc::new(Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 });
    let cluster = Cluster::new(ClusterSpec {
        name: "c".into(),
        protocol: Protocol::Tcp { framing, kind: Kind::Binary },
        tls: None,
        endpoints: addresses.iter().copied().map(Endpoint::from).collect(),
        balance,
        connect_timeout: Duration::from_secs(10),
    })
    .expect("a cluster");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut seed = 0;
    Box::new(move || {
        seed += 1;
        let connected = runtime.block_on(cluster.connect(seed)).expect("a connection");
        let at = addresses.iter().position(|address| *address == connected.peer).expect("one of them");
        // So that no listener's queue fills up, and no port is left waiting for its time.
        let (mut peer, _) = listeners[at].accept().expect("who connected");
        drop(connected);
        let _ = peer.read(&mut [0]);
        let _ = peer.write(&[0]);
    })
}

fn endpoint() -> Box<dyn FnMut()> {
    Box::new(|| {
        black_box(black_box("chat.internal:9001").parse::<Endpoint>().expect("an endpoint"));
    })
}

weir_proof::hot!(CASES);
