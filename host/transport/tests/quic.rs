//! QUIC listeners: streams as lanes, datagrams, ends.

mod support;

use quinn::{ConnectionError, TransportConfig, VarInt};
use std::time::Duration;
use support::quic::{client, connect};
use support::{Entrance, Gateway, frame, run, until};
use weir_core::{CloseReason, DropReason};

async fn expect(stream: &mut quinn::RecvStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).await.unwrap();
    assert!(read == bytes);
}

#[test]
fn each_stream_is_answered_on_itself() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic()]);
        let (_endpoint, connection) = connect(&gateway, 0).await;
        let mut streams = Vec::new();
        for at in 0..16_u8 {
            let (mut send, recv) = connection.open_bi().await.unwrap();
            send.write_all(&frame(&[at; 3])[..5]).await.unwrap();
            streams.push((at, send, recv));
        }
        for (at, send, _) in &mut streams {
            send.write_all(&frame(&[*at; 3])[5..]).await.unwrap();
        }
        for (at, _, recv) in &mut streams {
            expect(recv, &frame(&[*at; 3])).await;
        }
        let large = frame(&vec![3; 1 << 20]);
        let (_, send, recv) = &mut streams[7];
        let (sent, ()) = tokio::join!(send.write_all(&large), expect(recv, &large));
        sent.unwrap();
        connection.close(VarInt::from_u32(4000), b"bye");
        assert_eq!(gateway.settled().await, (17, 17));
        assert_eq!(gateway.closed(0, CloseReason::Client), 1);
    });
}

#[test]
fn streams_that_are_finished_make_room_for_others() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic()]);
        let (_endpoint, connection) = connect(&gateway, 0).await;
        for at in 0..100_u8 {
            let (mut send, mut recv) = connection.open_bi().await.unwrap();
            send.write_all(&frame(&[at])).await.unwrap();
            send.finish().unwrap();
            assert_eq!(recv.read_to_end(100).await.unwrap(), frame(&[at]));
        }
        connection.close(VarInt::from_u32(0), b"");
        assert_eq!(gateway.settled().await, (100, 100));
    });
}

#[test]
fn a_stream_that_is_not_read_does_not_stop_the_others() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic().with(|limits| limits.queue = 64 << 10)]);
        let mut transport = TransportConfig::default();
        transport.stream_receive_window(VarInt::from_u32(256 << 10));
        let endpoint = client(b"weir/1", transport);
        let connection = endpoint.connect(gateway.address(0), "localhost").unwrap().await.unwrap();
        let message = frame(&[1; 1020]);
        // What the client takes without reading, and some that waits in the gateway.
        let (mut deaf, _unread) = connection.open_bi().await.unwrap();
        deaf.write_all(&message.repeat(256 + 4)).await.unwrap();
        let inbound = &gateway.stats.listeners[0].inbound;
        until("received", || inbound.received.value() == 256 + 4).await;
        // More than the rest of the queue, several times.
        let batch = message.repeat(200);
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        let (sent, ()) = tokio::join!(send.write_all(&batch), expect(&mut recv, &batch));
        sent.unwrap();
        connection.close(VarInt::from_u32(0), b"");
        assert_eq!(gateway.settled().await.0, 256 + 4 + 200);
    });
}

#[test]
fn what_was_sent_before_a_close_is_taken() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic()]);
        let (_endpoint, connection) = connect(&gateway, 0).await;
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        for _ in 0..50 {
            send.write_all(&frame(&[1; 100])).await.unwrap();
        }
        send.finish().unwrap();
        // Acknowledged: it is with the gateway, read or not.
        send.stopped().await.unwrap();
        connection.close(VarInt::from_u32(0), b"");
        let (received, _) = gateway.settled().await;
        assert_eq!(received, 50);
    });
}

#[test]
fn datagrams_are_answered_by_datagrams() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic()]);
        let (_endpoint, connection) = connect(&gateway, 0).await;
        for message in [&b"one"[..], b"", b"three"] {
            connection.send_datagram(bytes::Bytes::copy_from_slice(message)).unwrap();
            assert_eq!(connection.read_datagram().await.unwrap(), message);
        }
        connection.close(VarInt::from_u32(0), b"");
        assert_eq!(gateway.settled().await, (3, 3));
    });
}

#[test]
fn a_datagram_that_does_not_fit_is_counted() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic()]);
        let mut transport = TransportConfig::default();
        // What the client takes is less than what it sends.
        transport.datagram_receive_buffer_size(Some(100));
        let endpoint = client(b"weir/1", transport);
        let connection = endpoint.connect(gateway.address(0), "localhost").unwrap().await.unwrap();
        connection.send_datagram(vec![0; 500].into()).unwrap();
        let dropped = &gateway.stats.listeners[0].outbound.dropped;
        until("dropped", || dropped.of(DropReason::TooLong).value() == 1).await;
        connection.close(VarInt::from_u32(0), b"");
        assert_eq!(gateway.settled().await, (1, 0));
    });
}

#[test]
fn the_gateways_close_comes_after_everything_that_it_wrote() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic()]);
        let (_endpoint, connection) = connect(&gateway, 0).await;
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        let batch: Vec<u8> = (0..200).flat_map(|_| frame(&[2; 500])).collect();
        send.write_all(&batch).await.unwrap();
        let inbound = &gateway.stats.listeners[0].inbound;
        until("received", || inbound.received.value() == 200).await;
        gateway.local.with(|worker| worker.drain(Duration::ZERO, Duration::ZERO));
        assert_eq!(recv.read_to_end(1 << 20).await.unwrap(), batch);
        let ConnectionError::ApplicationClosed(close) = connection.closed().await else { panic!() };
        assert_eq!(close.error_code, VarInt::from_u32(1001));
        assert_eq!(&*close.reason, b"gateway is going away");
        assert_eq!(gateway.settled().await, (200, 200));
        gateway.serving.idle().await;
    });
}

#[test]
fn a_frame_beyond_the_limit_and_one_cut_off_close_the_session() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic().with(|limits| limits.message = 1000)]);
        let (_endpoint, connection) = connect(&gateway, 0).await;
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        send.write_all(&1001_u32.to_be_bytes()).await.unwrap();
        let ConnectionError::ApplicationClosed(close) = connection.closed().await else { panic!() };
        assert_eq!(close.error_code, VarInt::from_u32(1009));

        let (_endpoint, connection) = connect(&gateway, 0).await;
        connection.send_datagram(vec![0; 1001].into()).unwrap();
        let ConnectionError::ApplicationClosed(close) = connection.closed().await else { panic!() };
        assert_eq!(close.error_code, VarInt::from_u32(1009));

        let (_endpoint, connection) = connect(&gateway, 0).await;
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        send.write_all(&frame(b"whole")[..6]).await.unwrap();
        send.finish().unwrap();
        connection.closed().await;
        gateway.settled().await;
        assert_eq!(gateway.closed(0, CloseReason::MessageTooLong), 2);
        assert_eq!(gateway.closed(0, CloseReason::Truncated), 1);
    });
}

#[test]
fn other_protocols_and_silent_clients_are_refused() {
    run(async {
        let gateway = Gateway::start(vec![
            Entrance::quic().with(|limits| limits.idle_timeout = Duration::from_millis(300)),
        ]);
        let endpoint = client(b"h3", TransportConfig::default());
        assert!(endpoint.connect(gateway.address(0), "localhost").unwrap().await.is_err());
        until("refused", || gateway.closed(0, CloseReason::Protocol) == 1).await;

        let (endpoint, connection) = connect(&gateway, 0).await;
        gateway.sessions(1).await;
        // Gone without a word: its packets go nowhere.
        let nowhere = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        endpoint.rebind(nowhere).unwrap();
        until("idle", || gateway.closed(0, CloseReason::IdleTimeout) == 1).await;
        drop(connection);
        gateway.settled().await;
    });
}

#[test]
fn a_storm_of_handshakes_is_weathered() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::quic().with(|limits| {
            limits.connections = 200;
            // A goodbye may be lost too: then the client is asked, and says it again.
            limits.ping_interval = Duration::from_millis(300);
        })]);
        let endpoint = client(b"weir/1", TransportConfig::default());
        // Beyond what is accepted without asking whether the address is the client's.
        let connects = (0..200).map(|_| endpoint.connect(gateway.address(0), "localhost").unwrap());
        let connections = futures_util::future::try_join_all(connects).await.unwrap();
        gateway.sessions(200).await;
        let refused = endpoint.connect(gateway.address(0), "localhost").unwrap().await;
        assert!(matches!(refused, Err(ConnectionError::ConnectionClosed(_))), "{refused:?}");
        assert_eq!(gateway.closed(0, CloseReason::TooManyConnections), 1);
        for connection in connections {
            connection.close(VarInt::from_u32(0), b"");
        }
        gateway.settled().await;
    });
}
