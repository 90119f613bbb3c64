//! Requests that are no upgrade that anybody wants: heads without end, pages of other sites.

use crate::honest::during;
use crate::rig::{alone, closed, gateway, scaled};
use weir_tests::peer::{forget_peak, peak_kib, resident_kib};
use weir_tests::raw::{Frame, Raw, UPGRADE, masked};

const LISTENERS: &str = r#"
[[listener]]
name = "open"
protocol = "websocket"
route = "echo"
limits = { handshake_timeout = "60s" }
[[listener]]
name = "listed"
protocol = "websocket"
origins = ["https://chat.example"]
route = "echo"
"#;

#[test]
fn heads_are_bounded() {
    let _alone = alone();
    let count = scaled(1_000, 5_000);
    let gateway = gateway(LISTENERS);
    let address = gateway.address("open");
    let begin = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}");
    let status = |head: String| Raw::connect(address).request(&head).0;
    // Five are there already.
    let headers = |more: usize| format!("{begin}{}\r\n", "X: x\r\n".repeat(more));
    assert_eq!([59, 60, 1_000].map(|more| status(headers(more))), [101, 431, 431]);
    let long = |length: usize| format!("{begin}X: {}\r\n\r\n", "x".repeat(length - begin.len() - 7));
    let statuses = [12 << 10, (16 << 10) + 1, 64 << 10, 200 << 10].map(|length| status(long(length)));
    assert_eq!(statuses, [101, 431, 431, 431]);

    // As much as is allowed, without an end.
    let part = format!("{begin}X: {}", "x".repeat(15_000 - begin.len()));
    let (each, fairness) = during(&gateway, || {
        forget_peak(gateway.pid());
        let before = resident_kib(gateway.pid());
        let mut peers: Vec<_> = (0..count).map(|_| Raw::connect(address)).collect();
        for peer in &mut peers {
            assert!(peer.write(part.as_bytes()));
        }
        // One that comes after all of them is answered when they have been read.
        let mut last = Raw::websocket(address);
        last.write(&masked(0x81, b"x"));
        assert_eq!(last.frame(), Frame::Frame(1, b"x".to_vec()));
        let each = (peak_kib(gateway.pid()) - before) / count;
        for peer in &mut peers {
            assert!(peer.write(&[b'x'; 2_000]));
            let answer = peer.rest();
            assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
        }
        each
    });
    fairness.figure(
        "header bomb",
        &format!(
            "more than 64 headers or 16 KiB get 431; {count} heads of 15,000 bytes without an end: {each} KiB held for each"
        ),
    );
    // hyper's buffer doubles as it grows, and may be there twice while it does.
    assert!(each < 48, "{each} KiB");
    gateway.settle("all ended", |metrics| closed(metrics, "protocol") == count + 5);
}

/// So often each page asks, so that there is time for honest sessions to notice.
const ROUNDS: usize = 50;

#[test]
fn pages_of_other_sites_are_refused() {
    let _alone = alone();
    let gateway = gateway(LISTENERS);
    let (open, listed) = (gateway.address("open"), gateway.address("listed"));
    let same = format!("http://{open}");
    let cases = [
        (open, Some(&*same), 101),
        (open, None, 101),
        (open, Some("https://evil.example"), 403),
        (open, Some("null"), 403),
        (open, Some(""), 403),
        (open, Some("http://127.0.0.1"), 403),
        (listed, Some("https://chat.example"), 101),
        (listed, None, 101),
        (listed, Some("http://chat.example"), 403),
        (listed, Some("https://chat.example.evil.example"), 403),
        (listed, Some("https://evil.example/https://chat.example"), 403),
        (listed, Some("https://chat.example, https://evil.example"), 403),
        (listed, Some("null"), 403),
    ];
    let ask = || {
        for (address, origin, status) in cases {
            let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
            let head = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}{origin}\r\n");
            assert_eq!(Raw::connect(address).request(&head).0, status, "{origin}");
        }
        // Two of them, of which one may.
        let two = "Origin: https://chat.example\r\nOrigin: https://evil.example\r\n";
        let head = format!("GET / HTTP/1.1\r\nHost: {listed}\r\n{UPGRADE}{two}\r\n");
        assert_eq!(Raw::connect(listed).request(&head).0, 403);
    };
    let ((), fairness) = during(&gateway, || (0..ROUNDS).for_each(|_| ask()));
    let refused = (cases.iter().filter(|case| case.2 == 403).count() + 1) * ROUNDS;
    fairness.figure(
        "cross-site WebSocket",
        &format!(
            "{refused} of {refused} requests of pages of other sites got 403; pages that may and clients without a page got in"
        ),
    );
    gateway.settle("all ended", |metrics| closed(metrics, "protocol") == refused as u64);
}
