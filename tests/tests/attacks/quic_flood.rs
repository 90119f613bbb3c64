//! First packets of QUIC connections, and nothing more: what addresses get that never said that they are theirs.

use crate::honest::{Times, during};
use crate::quic::LISTENERS;
use crate::rig::{alone, block_on, gateway, scaled};
use std::time::{Duration, Instant};
use weir_tests::Peer;
use weir_tests::client::Client;
use weir_tests::peer::{forget_peak, peak_kib, resident_kib};

#[test]
fn a_spoofed_source_gets_three_times_as_much_or_a_retry() {
    let _alone = alone();
    let count: u64 = scaled(1_000, 5_000);
    let gateway = gateway(LISTENERS);
    let quic = gateway.address("quic");
    let port = quic.port().to_string();
    let flooded = async {
        let flood = tokio::task::spawn_blocking(move || {
            Peer::run("quic_attacker.py", &["spoofed", &port, &count.to_string(), "5"])
        });
        // Clients that are who they say they are come in meanwhile.
        let mut times = Vec::new();
        while !flood.is_finished() {
            let began = Instant::now();
            let mut client = Client::quic(quic).await.expect("an honest client gets in");
            client.send(b"hello").await.unwrap();
            assert_eq!(client.message().await.unwrap(), "hello");
            times.push(began.elapsed());
            client.close().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (flood.await.unwrap(), Times::new(times))
    };
    forget_peak(gateway.pid());
    let before = resident_kib(gateway.pid());
    let ((said, times), fairness) = during(&gateway, || block_on(flooded));
    let grown = peak_kib(gateway.pid()).saturating_sub(before);
    let (most, retried, shaken) =
        (said["most"].as_f64().unwrap(), said["retried"].as_u64().unwrap(), said["shaken"].as_u64().unwrap());
    fairness.figure(
        "QUIC: spoofed source, handshake flood",
        &format!(
            "{count} first packets: {most:.2} times as much came back at most; {shaken} were shaken hands with, {retried} got a Retry; \
             {grown} KiB; {} honest clients got in, after {:.1?} at most",
            times.count(),
            times.most()
        ),
    );
    // RFC 9000, section 8.1, by the clients' own count.
    assert!(most <= 3.0, "{said}");
    // 64 handshakes under way are the threshold; those that time out after three seconds make room for others.
    assert!(retried >= count - 64 * 3 && shaken <= 64 * 3, "{said}");
    gateway.settle("all have gone", |metrics| metrics.sum("sessions", &[]) == 0);
}
