//! Which endpoint, and what happens when it fails.

use crate::servers::{LONG, active, ask, cluster, echo, framed, listen, refusing, silent, spec, websocket};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time;
use weir_codec::Kind;
use weir_upstream::{Balance, Cause, Cluster, Step};

/// Lets time pass without waiting for it.
async fn pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

#[tokio::test]
async fn turns_are_taken() {
    let cluster = cluster(framed(), [echo().await, echo().await, echo().await]);
    let mut connections = Vec::new();
    for seed in 0..9 {
        connections.push(cluster.connect(seed).await.unwrap());
    }
    assert_eq!(active(&cluster), [3, 3, 3]);
}

#[tokio::test]
async fn the_fewest_connections_are_filled_up() {
    let mut spec = spec(framed(), [echo().await, echo().await]);
    spec.balance = Balance::LeastConnections;
    let cluster = Cluster::new(spec).unwrap();
    let mut connections = Vec::new();
    for seed in 0..6 {
        connections.push(cluster.connect(seed).await.unwrap());
    }
    assert_eq!(active(&cluster), [3, 3]);
    let second = connections[0].peer;
    connections.retain(|connected| connected.peer != second);
    for seed in 0..3 {
        connections.push(cluster.connect(seed).await.unwrap());
        assert_eq!(connections.last().unwrap().peer, second, "the one that was emptied");
    }
}

#[tokio::test]
async fn two_choices_leave_no_endpoint_behind() {
    let mut spec = spec(framed(), [echo().await, echo().await, echo().await, echo().await]);
    spec.balance = Balance::P2c;
    let cluster = Cluster::new(spec).unwrap();
    let mut connections = Vec::new();
    for seed in 0..100 {
        connections.push(cluster.connect(seed).await.unwrap());
    }
    let active = active(&cluster);
    assert!(active.iter().all(|count| (22..=28).contains(count)), "{active:?}");
}

#[tokio::test]
async fn one_that_refuses_is_replaced_and_passed_over() {
    let (closed, open) = (refusing().await, echo().await);
    let cluster = cluster(framed(), [closed, open]);
    for seed in 0..5 {
        let mut connected = cluster.connect(seed).await.unwrap();
        assert_eq!(connected.peer, open);
        assert_eq!(ask(&mut connected, Kind::Binary, "hello").await, "hello");
    }
    let stats: Vec<_> = cluster.stats().collect();
    assert_eq!((stats[0].attempts, stats[0].failures, stats[0].passed_over), (1, 1, true));
    assert_eq!((stats[1].attempts, stats[1].failures, stats[1].passed_over), (5, 0, false));
}

#[tokio::test]
async fn one_that_is_passed_over_comes_back() {
    let (closed, open) = (refusing().await, echo().await);
    let cluster = cluster(framed(), [closed, open]);
    cluster.connect(1).await.unwrap();
    assert!(cluster.stats().next().unwrap().passed_over);

    let _back = TcpListener::bind(closed).await.unwrap();
    pass(Duration::from_millis(500)).await;
    assert!(!cluster.stats().next().unwrap().passed_over);
    let connections = [cluster.connect(2).await.unwrap(), cluster.connect(3).await.unwrap()];
    assert!(connections.iter().any(|connected| connected.peer == closed));
    assert_eq!(active(&cluster), [1, 1]);
}

#[tokio::test]
async fn with_all_passed_over_all_are_tried() {
    let (first, second) = (refusing().await, refusing().await);
    let cluster = cluster(framed(), [first, second]);
    let error = cluster.connect(1).await.unwrap_err();
    assert_eq!(error.step(), Step::Connect);
    assert_eq!(error.endpoint(), second.to_string());
    assert_eq!(error.earlier().unwrap().endpoint(), first.to_string());
    let text = error.to_string();
    assert!(text.contains(&first.to_string()) && text.contains(&second.to_string()), "{text}");
    assert!(text.contains("refused") && text.contains("listens") && !text.contains('\n'), "{text}");
    assert!(cluster.stats().all(|stats| stats.passed_over));

    let _back = TcpListener::bind(second).await.unwrap();
    assert_eq!(cluster.connect(2).await.unwrap().peer, second);
    let passed_over: Vec<_> = cluster.stats().map(|stats| stats.passed_over).collect();
    assert!(!passed_over[1], "success clears it");
}

#[tokio::test]
async fn silence_ends_with_the_time_and_is_remembered() {
    let mut spec = spec(websocket("/"), [silent().await]);
    spec.connect_timeout = Duration::from_millis(100);
    let cluster = Cluster::new(spec).unwrap();
    let error = time::timeout(LONG, cluster.connect(1)).await.unwrap().unwrap_err();
    assert!(matches!(error.cause(), Cause::TimedOut { step: Step::Upgrade, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("upgrade: no answer within 100ms; ") && text.contains("connect_timeout"), "{text}");
    assert!(error.earlier().is_none());
    let stats = cluster.stats().next().unwrap();
    assert_eq!((stats.failures, stats.active, stats.passed_over), (1, 0, true));
}

#[tokio::test]
async fn no_second_endpoint_when_the_time_is_over() {
    let (_unaccepted, waiting) = listen().await;
    let mut spec = spec(websocket("/"), [silent().await, waiting]);
    spec.connect_timeout = Duration::from_millis(100);
    let cluster = Cluster::new(spec).unwrap();
    let error = cluster.connect(1).await.unwrap_err();
    assert!(error.earlier().is_none(), "{error}");
    assert_eq!(cluster.stats().map(|stats| stats.attempts).collect::<Vec<_>>(), [1, 0]);
    // The next one does not wait for it again.
    let error = cluster.connect(2).await.unwrap_err();
    assert_eq!(error.endpoint(), waiting.to_string());
}

#[tokio::test]
async fn what_another_took_of_the_time_is_not_held_against_the_next() {
    let ((slow, first), (next, second)) = (listen().await, listen().await);
    let cluster = cluster(websocket("/"), [first, second]);
    let servers = async {
        // The first ends the connection when most of the time is over; the second has too little left.
        let (tcp, _) = slow.accept().await.unwrap();
        pass(LONG * 3 / 4).await;
        drop(tcp);
        let _silent = next.accept().await.unwrap();
        pass(LONG / 4).await;
        std::future::pending::<()>().await;
    };
    let error = tokio::select! {
        outcome = cluster.connect(1) => outcome.unwrap_err(),
        () = servers => unreachable!(),
    };
    assert!(matches!(error.cause(), Cause::TimedOut { step: Step::Upgrade, .. }), "{error}");
    let second = cluster.stats().nth(1).unwrap();
    assert_eq!((second.failures, second.passed_over), (1, false));
}
