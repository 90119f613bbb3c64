//! Peers that begin and do not go on: with a TLS handshake, an upgrade, a frame.

use crate::crowd;
use crate::honest::{Times, during};
use crate::rig::{Rig, alone, block_on, closed, gateway, scaled};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use weir_tests::PATIENCE;

/// How a slow one begins, and the byte that some of them send each second from then on.
#[derive(Clone, Copy)]
struct Slowness {
    row: &'static str,
    listener: &'static str,
    reason: &'static str,
    begin: &'static [u8],
    drip: u8,
}

const WAYS: [Slowness; 3] = [
    Slowness {
        row: "slow handshake",
        listener: "tls",
        reason: "handshake_timeout",
        // A record of 512 bytes, of which a client hello.
        begin: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        drip: 0,
    },
    Slowness {
        row: "slow upgrade",
        listener: "echo",
        reason: "upgrade_timeout",
        begin: b"GET / HTTP/1.1\r\nHost: gateway\r\nX-Slow: ",
        drip: b'z',
    },
    Slowness {
        row: "slow frame",
        listener: "echo",
        reason: "frame_timeout",
        // 100 bytes, masked.
        begin: b"\x82\xe4mask1234",
        drip: b'z',
    },
];

fn listeners(timeout: Duration) -> Rig {
    let limits = ["handshake", "upgrade", "frame"]
        .map(|phase| format!("{phase}_timeout = \"{}s\"", timeout.as_secs()))
        .join(", ");
    let limits = format!("limits = {{ {limits} }}");
    gateway(&format!(
        "\n[[listener]]\nname = \"echo\"\nprotocol = \"websocket\"\nroute = \"echo\"\n{limits}\n\
         [[listener]]\nname = \"tls\"\nprotocol = \"websocket\"\nroute = \"echo\"\n{limits}\n\
         tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n"
    ))
}

/// From the moment that the peer could have begun to the moment that the gateway has had enough.
async fn suffer(address: SocketAddr, way: Slowness, number: usize) -> Duration {
    let mut stream = crowd::connect(address, number).await.expect("a connection");
    let frames = way.reason == "frame_timeout";
    if frames {
        crowd::upgrade(&mut stream).await.expect("an upgrade");
    }
    let began = Instant::now();
    // One in four says nothing at all, where that is slow; one in two goes on dripping.
    if frames || !number.is_multiple_of(4) {
        stream.write_all(way.begin).await.expect("the beginning");
    }
    let ended = until_end(&mut stream, (number % 2 == 1).then_some(way.drip));
    tokio::time::timeout(PATIENCE, ended).await.expect("an end");
    began.elapsed()
}

/// Until the gateway closes, or says that it will.
async fn until_end(stream: &mut TcpStream, drip: Option<u8>) {
    let (mut read, mut write) = stream.split();
    let dripping = async {
        let Some(drip) = drip else { return std::future::pending().await };
        let mut each = tokio::time::interval(Duration::from_secs(1));
        while write.write_all(&[drip]).await.is_ok() {
            each.tick().await;
        }
        std::future::pending::<()>().await;
    };
    let mut byte = [0];
    tokio::select! {
        // A byte is the beginning of a close frame, nothing the end, and an error too.
        _ = read.read(&mut byte) => {}
        () = dripping => {}
    }
}

#[test]
fn those_who_are_slow_are_ended_in_time_and_nobody_waits_for_them() {
    let _alone = alone();
    let count = scaled(2_000, 10_000);
    let timeout = Duration::from_secs(scaled(4, 10));
    let gateway = listeners(timeout);
    let mut ended = 0;
    for way in WAYS {
        let before = gateway.settle("nobody is there", |metrics| metrics.sum("sessions", &[]) == 0);
        let address = gateway.address(way.listener);
        let (times, fairness) = during(&gateway, || {
            Times::new(block_on(crowd::paced(count, move |number| suffer(address, way, number))))
        });
        let second = Duration::from_secs(1);
        fairness.figure(
            way.row,
            &format!(
                "{count} at once, timeout {timeout:?}, closed after {:.2?} to {:.2?}",
                times.least(),
                times.most()
            ),
        );
        assert!(times.least() + second > timeout && times.most() < timeout + second);
        ended += count as u64;
        let metrics = gateway.settle("all have gone", |metrics| metrics.sum("sessions", &[]) == 0);
        assert_eq!(closed(&metrics, way.reason) - closed(&before, way.reason), count as u64);
    }
    let metrics = gateway.metrics();
    assert_eq!(WAYS.iter().map(|way| closed(&metrics, way.reason)).sum::<u64>(), ended);
}
