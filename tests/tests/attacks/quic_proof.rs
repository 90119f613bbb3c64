//! Honest QUIC clients, whose handshakes are held to what their addresses may get: with certificate chains of usual lengths, over lines
//! that lose datagrams and lines that do not.

use crate::quic::LISTENERS;
use crate::quic_line::Line;
use crate::rig::{alone, block_on, figure};
use std::time::{Duration, Instant};
use weir_tests::Gateway;
use weir_tests::certificate::Authority;
use weir_tests::client::Client;

const DELAY: Duration = Duration::from_millis(50);
/// The least that a client or quinn waits before it takes something for lost, as long as nothing was measured.
const PROBE: Duration = Duration::from_millis(900);

fn gateway(chain: usize) -> Gateway {
    let listeners =
        LISTENERS.replace("3s", "30s").replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nprotocol");
    let certificate = "protocol = \"quic\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }";
    let listeners = listeners.replace("protocol = \"quic\"", certificate);
    let config = format!("[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 1\n{listeners}");
    Gateway::prepare(&config, &[]).with(|dir| Authority::default().write_of(dir, chain)).start()
}

/// Says hello over a line. Gives how long the handshake took.
async fn greet(address: std::net::SocketAddr) -> Duration {
    let began = Instant::now();
    let mut client = Client::quic(address).await.expect("an honest client gets in");
    let took = began.elapsed();
    client.send(b"hello").await.unwrap();
    assert_eq!(client.message().await.unwrap(), "hello");
    client.close().await.unwrap();
    took
}

#[test]
fn honest_clients_get_in_with_chains_of_any_length() {
    let _alone = alone();
    block_on(honest_clients());
}

async fn honest_clients() {
    for chain in [0, 2_500, 3_000, 6_000, 12_000] {
        let gateway = gateway(chain);
        let line = Line { delay: DELAY, lost: 0 }.lay(gateway.address("quic")).await;
        let mut least = Duration::MAX;
        for _ in 0..5 {
            least = least.min(greet(line.address).await);
        }
        let lossy = Line { delay: DELAY / 5, lost: 10 }.lay(gateway.address("quic")).await;
        let address = lossy.address;
        let all: Vec<_> = (0..30).map(|_| tokio::spawn(greet(address))).collect();
        let mut took = Vec::new();
        for one in all {
            took.push(one.await.expect("all get in"));
        }
        took.sort();
        figure(
            "QUIC: honest handshakes",
            &format!(
                "a chain of {chain} bytes: {:.2} round trips of 100 ms, {:.2} times as much came back before an answer; 30 over a line that \
                 loses 10 % each way: half in after {:.0?}, the last after {:.1?}, {:.2} times",
                least.as_secs_f64() / (2 * DELAY).as_secs_f64(),
                line.most(),
                took[15],
                took[29],
                lossy.most()
            ),
        );
        // Nothing is lost, so nobody may have had to wait for something that was not coming.
        assert!(least < PROBE, "a chain of {chain} bytes: {least:?}");
        assert!(line.most() <= 3.0, "{}", line.most());
        assert!(lossy.most() <= 3.0, "{}", lossy.most());
    }
}
