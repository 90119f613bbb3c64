//! Upstream connections are driven by the same driver.

mod support;

use std::rc::Rc;
use std::sync::Arc;
use support::{Entrance, Gateway, frame, rest, run};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use weir_codec::{Decoder, Framing, Prefix, Wire};
use weir_core::{CloseReason, ClusterId, ClusterPolicy, Kind, Route};
use weir_transport::{Driver, StreamLink};

fn framing() -> Arc<Framing> {
    Arc::new(Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 })
}

/// A gateway whose only cluster is at `upstream`.
fn start(upstream: std::net::SocketAddr) -> Gateway {
    let mut entrance = Entrance::u32be();
    entrance.route = Route::Cluster(ClusterId(0));
    let cluster = ClusterPolicy {
        name: "backend".into(),
        queue: 64 << 10,
        write_timeout: std::time::Duration::ZERO,
        wire: Wire::Framed(framing()),
    };
    let gateway = Gateway::start_with(vec![entrance], vec![cluster]);
    let local = Rc::clone(&gateway.local);
    tokio::task::spawn_local(async move {
        loop {
            local.connects_wanted().await;
            for connect in local.with(weir_core::Worker::take_connects) {
                let local = Rc::clone(&local);
                tokio::task::spawn_local(async move {
                    let stream = tokio::select! {
                        () = local.unwanted(connect.conn) => None,
                        stream = TcpStream::connect(upstream) => stream.ok(),
                    };
                    let Some(stream) = stream else {
                        return local.with(|worker| {
                            worker.connect_failed(connect.conn);
                            worker.release(connect.conn);
                        });
                    };
                    local.with(|worker| worker.connected(connect.conn));
                    let link = StreamLink::new(stream, Decoder::framed(&framing(), Kind::Binary));
                    let wire = Wire::Framed(framing());
                    Driver::upstream(Rc::clone(&local), connect.conn, link, &[], &wire).await;
                });
            }
        }
    });
    gateway
}

#[test]
fn a_client_that_ends_its_side_gets_the_upstreams_answer() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = start(listener.local_addr().unwrap());
        // Answers when it has heard the end, as many a service does.
        let service = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let heard = rest(&mut stream).await;
            stream.write_all(&heard).await.unwrap();
        };
        let batch: Vec<u8> = (0..100_u32).flat_map(|at| frame(&at.to_be_bytes().repeat(1000))).collect();
        let client = async {
            let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
            client.write_all(&batch).await.unwrap();
            client.shutdown().await.unwrap();
            assert!(rest(&mut client).await == batch);
        };
        tokio::join!(service, client);
        assert_eq!(gateway.settled().await, (100, 100));
        assert_eq!(gateway.closed(0, CloseReason::Client), 1);
        let cluster = &gateway.stats.clusters[0];
        assert_eq!((cluster.delivery.delivered.value(), cluster.received.value()), (100, 100));
        assert_eq!(cluster.connections.value(), 0);
    });
}

#[test]
fn an_upstream_that_does_not_read_stops_its_client_and_loses_nothing() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = start(listener.local_addr().unwrap());
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let message = frame(&vec![4; 60_000]);
        let mut sent = 0;
        // Until everything between the two is full, and stays so.
        while tokio::time::timeout(std::time::Duration::from_millis(200), client.writable()).await.is_ok() {
            match client.try_write(&message[sent % message.len()..]) {
                Ok(bytes) => sent += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        let listener = &gateway.stats.listeners[0].inbound;
        assert!((listener.received_bytes.value() as usize) < sent, "the client is not read from");
        let service = rest(&mut stream);
        let finish = async {
            client.write_all(&message[sent % message.len()..]).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let (heard, ()) = tokio::join!(service, finish);
        drop(stream);
        let messages = sent / message.len() + 1;
        assert_eq!(heard.len(), messages * message.len());
        assert!(rest(&mut client).await.is_empty());
        assert_eq!(gateway.settled().await.0, messages as u64);
    });
}

#[test]
fn an_upstream_that_is_not_there_ends_the_session() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = listener.local_addr().unwrap();
        drop(listener);
        let gateway = start(nobody);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        assert!(rest(&mut client).await.is_empty());
        drop(client);
        gateway.settled().await;
        assert_eq!(gateway.closed(0, CloseReason::UpstreamUnreachable), 1);
    });
}
