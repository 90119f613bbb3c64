//! TCP listeners: every framing, the ends of a connection, and clients that misbehave.

mod support;

use socket2::SockRef;
use std::sync::Arc;
use std::time::Duration;
use support::{Entrance, Gateway, expect, frame, rest, run, until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use weir_codec::{Framing, Prefix};
use weir_core::{CloseReason, DropReason};

const MAX: usize = 1 << 20;

fn length(prefix: Prefix) -> Framing {
    Framing::Length { prefix, max: 200 }
}

/// Two messages, "hello" and "x", in every framing.
fn framings() -> Vec<(Framing, Vec<u8>)> {
    let checked = Framing::Checked { max: MAX };
    let mut frames = bytes::BytesMut::new();
    let wire = weir_codec::Wire::Framed(Arc::new(checked.clone()));
    for payload in [&b"hello"[..], b"x"] {
        wire.encode(weir_core::Kind::Binary, payload, [0; 4], &mut frames).unwrap();
    }
    vec![
        (length(Prefix::U8), b"\x05hello\x01x".to_vec()),
        (length(Prefix::U16Be), b"\0\x05hello\0\x01x".to_vec()),
        (length(Prefix::U16Le), b"\x05\0hello\x01\0x".to_vec()),
        (length(Prefix::U32Be), b"\0\0\0\x05hello\0\0\0\x01x".to_vec()),
        (length(Prefix::U32Le), b"\x05\0\0\0hello\x01\0\0\0x".to_vec()),
        (length(Prefix::Varint), b"\x05hello\x01x".to_vec()),
        (Framing::Line { max: MAX }, b"hello\nx\n".to_vec()),
        (Framing::Delimiter { delimiter: b"||"[..].into(), max: MAX }, b"hello||x||".to_vec()),
        (checked, frames.to_vec()),
        (Framing::Raw { max: MAX }, b"hellox".to_vec()),
    ]
}

#[test]
fn every_framing_echoes_however_its_bytes_are_cut() {
    run(async {
        let framings = framings();
        let entrances = framings.iter().map(|(framing, _)| Entrance::tcp(framing.clone())).collect();
        let gateway = Gateway::start(entrances);
        for (at, (_, bytes)) in framings.iter().enumerate() {
            let mut client = TcpStream::connect(gateway.address(at)).await.unwrap();
            client.set_nodelay(true).unwrap();
            client.write_all(bytes).await.unwrap();
            expect(&mut client, bytes).await;
            for part in bytes.chunks(1) {
                client.write_all(part).await.unwrap();
                // The gateway has its turn, and sees a part by itself.
                tokio::task::yield_now().await;
            }
            expect(&mut client, bytes).await;
            client.shutdown().await.unwrap();
            assert!(rest(&mut client).await.is_empty());
        }
        let (received, delivered) = gateway.settled().await;
        assert_eq!(received, delivered);
    });
}

#[test]
fn messages_in_flight_come_back_in_order() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::u32be()]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        for round in 0..100_u32 {
            let batch: Vec<u8> = (0..64).flat_map(|at| frame(&(round * 64 + at).to_be_bytes())).collect();
            client.write_all(&batch).await.unwrap();
            expect(&mut client, &batch).await;
        }
        drop(client);
        assert_eq!(gateway.settled().await, (6400, 6400));
        assert_eq!(gateway.closed(0, CloseReason::Client), 1);
    });
}

#[test]
fn a_large_message_passes_and_a_larger_one_does_not() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::u32be()]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        let large = frame(&vec![7; MAX]);
        let (mut read, mut write) = client.split();
        tokio::join!(expect(&mut read, &large), async { write.write_all(&large).await.unwrap() });
        client.write_all(&(MAX as u32 + 1).to_be_bytes()).await.unwrap();
        assert!(rest(&mut client).await.is_empty());
        drop(client);
        assert_eq!(gateway.settled().await, (1, 1));
        assert_eq!(gateway.closed(0, CloseReason::MessageTooLong), 1);
    });
}

#[test]
fn a_client_that_ends_its_side_gets_the_rest() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::u32be()]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        let batch: Vec<u8> = (0..50_u32).flat_map(|_| frame(&[1; 3000])).collect();
        let (mut read, mut write) = client.split();
        let send = async {
            write.write_all(&batch).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let (echoes, ()) = tokio::join!(rest(&mut read), send);
        assert!(echoes == batch, "{} bytes of {}", echoes.len(), batch.len());
        assert_eq!(gateway.settled().await, (50, 50));
        assert_eq!(gateway.closed(0, CloseReason::Client), 1);
    });
}

#[test]
fn an_end_within_a_frame_and_a_reset_are_told_apart() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::u32be()]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        client.write_all(&frame(b"whole")[..7]).await.unwrap();
        client.shutdown().await.unwrap();
        assert!(rest(&mut client).await.is_empty());
        until("truncated", || gateway.closed(0, CloseReason::Truncated) == 1).await;

        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        client.write_all(&frame(b"once")).await.unwrap();
        expect(&mut client, &frame(b"once")).await;
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        until("reset", || gateway.closed(0, CloseReason::ClientReset) == 1).await;
        assert_eq!(gateway.settled().await, (1, 1));
    });
}

#[test]
fn a_client_that_never_reads_is_closed_and_costs_its_queue_at_most() {
    run(async {
        const QUEUE: usize = 64 << 10;
        let gateway = Gateway::start(vec![Entrance::u32be().with(|limits| {
            limits.queue = QUEUE;
            limits.slow_grace = Duration::from_millis(200);
        })]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        let message = frame(&[9; 1000]);
        let closed = async {
            until("slow consumer", || {
                let listener = &gateway.stats.listeners[0];
                let taken = listener.outbound.delivered_bytes.value() as usize;
                let came = listener.inbound.received_bytes.value() as usize;
                // What was read and not written: what the queue may hold, and one pass of the driver.
                assert!(came.saturating_sub(taken) <= QUEUE + (64 << 10), "{came} in, {taken} out");
                gateway.closed(0, CloseReason::SlowConsumer) == 1
            })
            .await;
        };
        let flood = async { while client.write_all(&message).await.is_ok() {} };
        tokio::join!(closed, flood);
        let (received, delivered) = gateway.settled().await;
        let dropped = &gateway.stats.listeners[0].outbound.dropped;
        assert!(received > delivered);
        assert_eq!(received, delivered + dropped.of(DropReason::SessionEnded).value());
    });
}

#[test]
fn a_listener_holds_as_many_connections_as_it_may() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::u32be().with(|limits| limits.connections = 2)]);
        let mut first = TcpStream::connect(gateway.address(0)).await.unwrap();
        let _second = TcpStream::connect(gateway.address(0)).await.unwrap();
        gateway.sessions(2).await;
        let mut third = TcpStream::connect(gateway.address(0)).await.unwrap();
        assert!(rest(&mut third).await.is_empty());
        assert_eq!(gateway.closed(0, CloseReason::TooManyConnections), 1);
        first.shutdown().await.unwrap();
        gateway.sessions(1).await;
        let mut fourth = TcpStream::connect(gateway.address(0)).await.unwrap();
        fourth.write_all(&frame(b"in")).await.unwrap();
        expect(&mut fourth, &frame(b"in")).await;
    });
}

#[test]
fn a_stopped_listener_refuses_and_its_sessions_go_on() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::u32be()]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        gateway.sessions(1).await;
        gateway.listeners.stop();
        loop {
            // Until the socket is closed, the kernel still lets clients connect.
            match TcpStream::connect(gateway.address(0)).await {
                Err(_) => break,
                Ok(_) => tokio::task::yield_now().await,
            }
        }
        client.write_all(&frame(b"still")).await.unwrap();
        expect(&mut client, &frame(b"still")).await;
        gateway.local.with(|worker| worker.drain(Duration::ZERO, Duration::ZERO));
        assert!(rest(&mut client).await.is_empty());
        drop(client);
        gateway.settled().await;
        assert_eq!(gateway.closed(0, CloseReason::Shutdown), 1);
    });
}

#[test]
fn silence_is_ended_after_the_idle_timeout() {
    run(async {
        let gateway = Gateway::start(vec![
            Entrance::u32be().with(|limits| limits.idle_timeout = Duration::from_millis(100)),
        ]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        assert!(rest(&mut client).await.is_empty());
        drop(client);
        gateway.settled().await;
        assert_eq!(gateway.closed(0, CloseReason::IdleTimeout), 1);
    });
}
