//! Plain TCP.

use crate::servers::{LONG, active, ask, cluster, echo, framed, listen, refusing, spec, websocket};
use std::time::Duration;
use weir_codec::{Kind, Wire};
use weir_upstream::{Cluster, Endpoint, Step, Stream};

#[tokio::test]
async fn a_message_goes_there_and_back() {
    let address = echo().await;
    let cluster = cluster(framed(), [address]);
    let mut connected = cluster.connect(1).await.unwrap();
    assert_eq!(connected.peer, address);
    assert_eq!(connected.lease.endpoint().to_string(), address.to_string());
    assert_eq!(connected.wire, cluster.wire());
    assert!(matches!(cluster.wire(), Wire::Framed(_)));
    let Stream::Plain(tcp) = &connected.stream else { panic!("encrypted") };
    assert!(tcp.nodelay().unwrap());
    assert_eq!(ask(&mut connected, Kind::Binary, "hello").await, "hello");
}

#[tokio::test]
async fn a_name_is_resolved() {
    // localhost may be ::1 first, where nothing listens: all its addresses are tried.
    let port = echo().await.port();
    let mut spec = spec(framed(), []);
    spec.endpoints.push(Endpoint::Name { host: "localhost".to_owned(), port });
    let connected = Cluster::new(spec).unwrap().connect(1).await.unwrap();
    assert_eq!(connected.peer, ([127, 0, 0, 1], port).into());
}

#[tokio::test]
async fn a_name_that_is_none_is_a_failure_to_resolve() {
    let mut spec = spec(framed(), []);
    // RFC 6761, section 6.4: never resolved.
    spec.endpoints.push("nowhere.invalid:9001".parse().unwrap());
    let error = Cluster::new(spec).unwrap().connect(1).await.unwrap_err();
    assert_eq!(error.step(), Step::Resolve);
    let text = error.to_string();
    assert!(text.contains("\"backend\": endpoint nowhere.invalid:9001: resolve: "), "{text}");
    assert!(text.contains("resolver") && !text.contains('\n'), "{text}");
}

#[tokio::test]
async fn leases_are_counted_until_they_are_dropped() {
    let cluster = cluster(framed(), [echo().await, refusing().await]);
    let first = cluster.connect(1).await.unwrap();
    let second = cluster.connect(2).await.unwrap();
    assert_eq!(active(&cluster), [2, 0], "a failed attempt is no connection");
    drop(first);
    assert_eq!(active(&cluster), [1, 0]);
    let stats: Vec<_> = cluster.stats().map(|stats| (stats.attempts, stats.failures)).collect();
    assert_eq!(stats, [(2, 0), (1, 1)]);
    // A lease outlives its cluster.
    drop(cluster);
    drop(second);
}

#[tokio::test]
async fn one_that_is_given_up_is_neither_counted_as_failed_nor_kept() {
    let (listener, address) = listen().await;
    let cluster = cluster(websocket("/"), [address]);
    let mut connecting = Box::pin(cluster.connect(1));
    tokio::select! {
        biased;
        _ = &mut connecting => panic!("nobody answers"),
        // Accepted: it waits for the answer to its upgrade now.
        _ = listener.accept() => {}
    }
    assert_eq!(active(&cluster), [1], "one that is being made counts");
    drop(connecting);
    let stats = cluster.stats().next().unwrap();
    assert_eq!((stats.active, stats.attempts, stats.failures, stats.passed_over), (0, 1, 0, false));
}

#[test]
fn a_cluster_that_could_never_connect_is_refused() {
    let error = Cluster::new(spec(framed(), [])).unwrap_err().to_string();
    assert!(error.contains("no endpoint"), "{error}");
    let mut spec = spec(framed(), [([127, 0, 0, 1], 1).into()]);
    spec.connect_timeout = Duration::ZERO;
    let error = Cluster::new(spec.clone()).unwrap_err().to_string();
    assert!(error.contains("connect_timeout"), "{error}");
    spec.connect_timeout = LONG;
    Cluster::new(spec).unwrap();
}

/// Workers share a cluster, and may connect on any thread.
#[test]
fn clusters_and_connecting_cross_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    fn sent(_: impl Send) {}
    shared::<Cluster>();
    shared::<weir_upstream::Connected>();
    shared::<weir_upstream::ConnectError>();
    let cluster = cluster(framed(), [([127, 0, 0, 1], 1).into()]);
    sent(cluster.connect(1));
}
