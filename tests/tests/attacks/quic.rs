//! QUIC clients that break the rules: streams, gaps, flow control, protocols, early data. Floods of first packets: [`crate::quic_flood`].

use crate::honest::during;
use crate::rig::{Rig, alone, block_on, figure, gateway, scaled};
use serde_json::json;
use weir_tests::Peer;
use weir_tests::client::Client;
use weir_tests::peer::{forget_peak, peak_kib, resident_kib};

/// What a client may send ahead on a stream, and on all of a connection: host/transport/src/quic/config.rs.
pub(crate) const STREAM_WINDOW: u64 = 32 << 10;
pub(crate) const WINDOW: u64 = 256 << 10;

pub(crate) const LISTENERS: &str = r#"
[[listener]]
name = "quic"
protocol = "quic"
route = "echo"
limits = { handshake_timeout = "3s" }
"#;

fn port(gateway: &Rig) -> String {
    gateway.address("quic").port().to_string()
}

#[test]
fn streams_and_windows_are_what_was_granted() {
    let _alone = alone();
    let gateway = gateway(LISTENERS);
    let (ticket, fairness) = during(&gateway, || {
        forget_peak(gateway.pid());
        let before = resident_kib(gateway.pid());
        let said = Peer::run("quic_attacker.py", &["streams", &port(&gateway)]);
        // RFC 9000, section 20.1: STREAM_LIMIT_ERROR.
        assert_eq!(said["codes"], json!([4, 4]));
        let grown = peak_kib(gateway.pid()).saturating_sub(before);
        figure(
            "QUIC: stream flood",
            &format!(
                "a 17th stream and one of a kind that is not granted get STREAM_LIMIT_ERROR; {} streams begun and reset in 2 s: {grown} KiB",
                said["reset"]
            ),
        );
        assert!(grown < 8 << 10, "{grown} KiB");
        let (stream, all) = (STREAM_WINDOW.to_string(), WINDOW.to_string());
        let said = Peer::run("quic_attacker.py", &["flow", &port(&gateway), &stream, &all]);
        // FLOW_CONTROL_ERROR.
        assert_eq!(said, json!({ "codes": [3, 3] }));
        let said = Peer::run("quic_attacker.py", &["alpn", &port(&gateway)]);
        // A crypto error with the alert no_application_protocol (RFC 9001, section 4.8).
        assert_eq!(said, json!({ "code": 0x178 }));
        let said = Peer::run("quic_attacker.py", &["early", &port(&gateway)]);
        assert_ne!(said["accepted"], json!(true));
        said["ticket"] == json!(true)
    });
    fairness.figure(
        "QUIC: broken rules",
        "a byte beyond the window of a stream or a connection gets FLOW_CONTROL_ERROR, another protocol 0x178, early data is refused and \
         delivered once",
    );
    let metrics = gateway.settle("all ended", |metrics| metrics.sum("sessions", &[]) == 0);
    let received = metrics.sum("messages_received", &[("listener", "quic")]);
    assert_eq!(received, u64::from(ticket));
}

#[test]
fn gaps_hold_no_more_than_the_windows() {
    let _alone = alone();
    let connections: u64 = scaled(20, 100);
    let gateway = gateway(LISTENERS);
    // Bytes of each piece, and from one to the next: large ones, small ones, the smallest.
    for (piece, step) in [(1_000, 1_001), (100, 101), (1, 2)] {
        let ((sent, each, ended), fairness) = during(&gateway, || {
            forget_peak(gateway.pid());
            let before = resident_kib(gateway.pid());
            let numbers = [connections, piece, step, STREAM_WINDOW, WINDOW].map(|number| number.to_string());
            let numbers = numbers.each_ref().map(String::as_str);
            let mut peer =
                Peer::start("quic_attacker.py", &[&["gaps", &port(&gateway)], &numbers[..]].concat());
            let sent = peer.said()["sent"].as_u64().unwrap();
            let each = peak_kib(gateway.pid()).saturating_sub(before) as f64 / connections as f64;
            // An honest client of the same endpoint is served, with a message longer than its window too.
            block_on(async {
                let mut lane = Client::quic(gateway.address("quic")).await.unwrap();
                for message in [&b"hello"[..], &vec![7; 1 << 20]] {
                    lane.send(message).await.unwrap();
                    assert!(lane.message().await.unwrap() == message);
                }
                lane.close().await.unwrap();
            });
            peer.order("enough");
            (sent, each, peer.finish()["ended"].clone())
        });
        fairness.figure(
            "QUIC: gap flood",
            &format!(
                "{connections} connections, {sent} pieces of {piece} bytes with gaps, {} KiB a stream, {} KiB a connection: {each:.0} KiB held \
                 for each, {:.0} a stream; codes {ended}",
                STREAM_WINDOW >> 10,
                WINDOW >> 10,
                each / (WINDOW / STREAM_WINDOW) as f64,
            ),
        );
        // The bar: a stream that is put together holds no more than 64 KiB, with all that quinn keeps around its pieces.
        assert!(each / ((WINDOW / STREAM_WINDOW) as f64) < 64.0, "{each} KiB");
        gateway.settle("they have gone", |metrics| metrics.sum("sessions", &[]) == 0);
    }
}

#[test]
fn pieces_keep_no_more_than_their_own_datagram() {
    let _alone = alone();
    let connections: u64 = scaled(20, 100);
    let gateway = gateway(LISTENERS);
    let ((sent, each, ended), fairness) = during(&gateway, || {
        forget_peak(gateway.pid());
        let before = resident_kib(gateway.pid());
        let numbers = [connections, STREAM_WINDOW, WINDOW].map(|number| number.to_string());
        let numbers = numbers.each_ref().map(String::as_str);
        let mut peer =
            Peer::start("quic_attacker.py", &[&["segments", &port(&gateway)], &numbers[..]].concat());
        let sent = peer.said()["sent"].as_u64().unwrap();
        let each = peak_kib(gateway.pid()).saturating_sub(before) as f64 / connections as f64;
        peer.order("enough");
        (sent, each, peer.finish()["ended"].clone())
    });
    fairness.missed(
        "QUIC: gap flood",
        &format!(
            "{connections} connections, {sent} single bytes with gaps, each among 40 datagrams that arrive as one: {each:.0} KiB held for each; \
             codes {ended}"
        ),
    );
    assert!(each < 1024.0, "{each} KiB");
    gateway.settle("they have gone", |metrics| metrics.sum("sessions", &[]) == 0);
}
