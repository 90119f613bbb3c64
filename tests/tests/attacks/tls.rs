//! What is no TLS, or not one that anybody should speak.

use crate::honest::during;
use crate::rig::{Rig, alone, closed, gateway, scaled};
use std::time::Duration;
use weir_tests::peer::{forget_peak, peak_kib, processor_time, resident_kib};
use weir_tests::raw::Raw;

const LISTENERS: &str = r#"
[[listener]]
name = "tls"
protocol = "websocket"
route = "echo"
tls = { cert = "cert.pem", key = "key.pem" }
limits = { handshake_timeout = "3s" }
"#;

/// A record (RFC 8446, section 5.1) of a handshake.
fn record(version: u8, fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, version][..], &(fragment.len() as u16).to_be_bytes(), fragment].concat()
}

/// A client hello of this version with these extensions (sections 4 and 4.1.2).
fn hello(version: u8, extensions: &[u8]) -> Vec<u8> {
    let mut body = [&[3, version][..], &[7; 32], &[0, 0, 4, 0xc0, 0x2f, 0, 0x2f, 1, 0]].concat();
    if !extensions.is_empty() {
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
    }
    [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat()
}

/// Groups, point formats, signature algorithms.
const USUAL: &[u8] = &[0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 6, 0, 4, 4, 1, 4, 3];

/// An extension of nobody.
fn nobodys(length: usize) -> Vec<u8> {
    [&[0xfa, 0xfa][..], &(length as u16).to_be_bytes(), &vec![0; length]].concat()
}

// Descriptions of alerts (RFC 8446, section 6).
const UNEXPECTED_MESSAGE: u8 = 10;
const HANDSHAKE_FAILURE: u8 = 40;
const DECODE_ERROR: u8 = 50;
const PROTOCOL_VERSION: u8 = 70;

/// In records of so many bytes.
fn records(message: &[u8], each: usize) -> Vec<u8> {
    message.chunks(each).flat_map(|part| record(1, part)).collect()
}

/// The description of the fatal alert that this gets (section 6), or nothing.
fn alert(gateway: &Rig, bytes: &[u8]) -> Option<u8> {
    let mut peer = Raw::connect(gateway.address("tls"));
    peer.write(bytes);
    match *peer.rest() {
        [21, 3, _, 0, 2, 2, description] => Some(description),
        [] => None,
        ref other => panic!("it got {other:?}"),
    }
}

/// So often is each tried, so that there is time for honest sessions to notice.
const ROUNDS: usize = 50;

#[test]
fn what_is_no_tls_of_today_gets_an_alert() {
    let _alone = alone();
    let gateway = gateway(LISTENERS);
    let cases = [
        ("garbage", vec![0xff; 100], DECODE_ERROR),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n".to_vec(), DECODE_ERROR),
        ("SSL 2", [&[0x80, 0x2e, 1, 0, 2][..], &[0; 43]].concat(), DECODE_ERROR),
        // Without extensions there is nothing that could be agreed on, whatever the version.
        ("SSL 3", record(0, &hello(0, &[])), HANDSHAKE_FAILURE),
        ("TLS 1.0 without extensions", record(1, &hello(1, &[])), HANDSHAKE_FAILURE),
        ("TLS 1.0", record(1, &hello(1, USUAL)), PROTOCOL_VERSION),
        ("TLS 1.1", record(1, &hello(2, USUAL)), PROTOCOL_VERSION),
        ("data before a handshake", [&[23, 3, 3, 0, 5][..], b"hello"].concat(), UNEXPECTED_MESSAGE),
        ("a record that claims 64 KiB", [&[22, 3, 1, 0xff, 0xff][..], &[0; 100]].concat(), DECODE_ERROR),
    ];
    let (wrong, fairness) = during(&gateway, || {
        let mut wrong = Vec::new();
        for (what, bytes, description) in cases.iter().cycle().take(cases.len() * ROUNDS) {
            let got = alert(&gateway, bytes);
            if got != Some(*description) {
                wrong.push(format!("{what}: {got:?} instead of {description}"));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
    fairness.figure(
        "TLS: garbage, old versions",
        &format!("{0} of {0} get a fatal alert, TLS 1.0 and 1.1 protocol_version", cases.len()),
    );
    gateway.settle("all counted", |metrics| closed(metrics, "protocol") == (cases.len() * ROUNDS) as u64);
}

#[test]
fn a_huge_hello_is_bounded_in_memory_and_time() {
    let _alone = alone();
    let count = scaled(300, 2_000);
    let gateway = gateway(LISTENERS);
    let tls = gateway.address("tls");
    for (what, each) in [("in records of 16 KiB", 16 << 10), ("in records of one byte", 1)] {
        // All but the last of its bytes.
        let whole = records(&hello(3, &nobodys(60_000)), each);
        let part = &whole[..whole.len() - 1];
        let before = gateway.metrics();
        let ((metrics, memory, time), fairness) = during(&gateway, || {
            forget_peak(gateway.pid());
            let (held, spent) = (resident_kib(gateway.pid()), processor_time(gateway.pid()));
            let mut peers: Vec<_> = (0..count).map(|_| Raw::connect(tls)).collect();
            for peer in &mut peers {
                // It may be refused before it has said all.
                peer.write(part);
            }
            for peer in &mut peers {
                peer.rest();
            }
            let metrics = gateway.settle("all ended", |metrics| {
                metrics.sum("sessions_closed", &[]) - before.sum("sessions_closed", &[]) == count
            });
            let memory = peak_kib(gateway.pid()).saturating_sub(held) / count;
            (metrics, memory, processor_time(gateway.pid()).saturating_sub(spent) / count as u32)
        });
        let ended = |reason| closed(&metrics, reason) - closed(&before, reason);
        fairness.figure(
            "TLS: huge hello",
            &format!(
                "{count} of 60,000 bytes {what}, without an end: {memory} KiB and {time:.1?} of processor time for each; {} refused, {} \
                 ended at the timeout",
                ended("protocol"),
                ended("handshake_timeout")
            ),
        );
        assert!(memory < 160, "{memory} KiB");
        assert!(time < Duration::from_millis(20), "{time:?}");
    }
}
