//! Frames that claim more than they are, and messages that are more than they seem.

use crate::honest::during;
use crate::rig::{alone, closed, gateway, scaled};
use serde_json::json;
use weir_tests::Peer;
use weir_tests::peer::{forget_peak, peak_kib, resident_kib};
use weir_tests::raw::{Frame, Raw, masked};

const LISTENERS: &str = r#"
[[listener]]
name = "ws"
protocol = "websocket"
route = "echo"
[[listener]]
name = "varint"
protocol = "tcp"
framing = { type = "length", prefix = "varint", max = "1MiB" }
route = "echo"
[[listener]]
name = "u32be"
protocol = "tcp"
route = "echo"
"#;

/// How a WebSocket frame of this length begins.
fn head(length: u64) -> Vec<u8> {
    [&[0x82, 0xff], &length.to_be_bytes()[..], &[1, 2, 3, 4]].concat()
}

#[test]
fn a_claim_takes_no_memory() {
    let _alone = alone();
    let count = scaled(1_000, 5_000);
    let gateway = gateway(LISTENERS);
    let varint = b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01".to_vec();
    let mut ended = 0;
    for (listener, what, claim, refused) in [
        ("ws", "2^63 bytes", head(1 << 63), true),
        ("varint", "2^63 bytes", varint, true),
        ("u32be", "4 GiB", vec![0xff; 4], true),
        // As long as allowed, of which nothing comes.
        ("ws", "1 MiB, which is allowed,", head(1 << 20), false),
        ("u32be", "1 MiB, which is allowed,", vec![0, 0x10, 0, 0], false),
    ] {
        let address = gateway.address(listener);
        let open = || if listener == "ws" { Raw::websocket(address) } else { Raw::connect(address) };
        let mut claimed = || {
            let mut peers: Vec<_> = (0..count).map(|_| open()).collect();
            gateway.settle("all in", |metrics| metrics.sum("sessions", &[]) == count);
            forget_peak(gateway.pid());
            let before = resident_kib(gateway.pid());
            for peer in &mut peers {
                assert!(peer.write(&claim));
            }
            if refused {
                for peer in &mut peers {
                    match listener {
                        "ws" => assert_eq!(peer.frame(), Frame::Close(1009)),
                        _ => assert_eq!(peer.rest(), b""),
                    }
                }
                ended += count;
                gateway.settle("all have gone", |metrics| closed(metrics, "message_too_long") == ended);
            } else {
                // An echo of another is behind all of them.
                let mut last = open();
                if listener == "ws" {
                    assert!(last.write(&masked(0x82, b"x")));
                    assert_eq!(last.frame(), Frame::Frame(2, b"x".to_vec()));
                } else {
                    assert!(last.write(b"\0\0\0\x01x"));
                    last.finish();
                    assert_eq!(last.rest(), b"\0\0\0\x01x");
                }
            }
            peak_kib(gateway.pid()).saturating_sub(before)
        };
        // Twice: what the first ones needed is there for the second ones.
        let (grown, fairness) = during(&gateway, || {
            claimed();
            claimed()
        });
        let each = grown as f64 / count as f64;
        let end = if refused { "refused with 1009, " } else { "" };
        fairness.figure(
            "a frame that claims",
            &format!("{what} over {listener}, {count} at once: {end}{each:.2} KiB for each"),
        );
        assert!(each < 1.0, "{what} over {listener}: {grown} KiB");
        gateway.settle("all have gone", |metrics| metrics.sum("sessions", &[]) == 0);
    }
}

#[test]
fn fragments_take_no_more_than_the_message_limit() {
    let _alone = alone();
    let gateway = gateway(LISTENERS);
    let address = gateway.address("ws");
    let count: u64 = 100;
    let part = vec![b'x'; (1 << 20) / 128];
    let (each, fairness) = during(&gateway, || {
        let mut peers: Vec<_> = (0..count).map(|_| Raw::websocket(address)).collect();
        gateway.settle("all in", |metrics| metrics.sum("sessions", &[]) == count);
        let before = resident_kib(gateway.pid());
        for peer in &mut peers {
            assert!(peer.write(&masked(0x02, &part)));
            let next = masked(0x00, &part);
            for _ in 1..127 {
                assert!(peer.write(&next));
            }
        }
        // As much as is allowed, but for one fragment, of each of them; and then one byte too many.
        let last = [masked(0x00, &part), masked(0x80, b"x")].concat();
        forget_peak(gateway.pid());
        for peer in &mut peers {
            assert!(peer.write(&last));
            assert_eq!(peer.frame(), Frame::Close(1009));
        }
        (peak_kib(gateway.pid()) - before) / count
    });
    fairness.figure(
        "fragment flood",
        &format!(
            "128 fragments pass, 129, empty ones too, get 1009; messages of 1 MiB in 128: {each} KiB held for each"
        ),
    );
    // A buffer that grows as it fills may be there twice while it is copied, of one message at a time.
    assert!(each < 1024 + 128, "{each} KiB");
    gateway.settle("all have gone", |metrics| {
        closed(metrics, "message_too_long") + closed(metrics, "fragments") == count
    });
}

#[test]
fn a_deflate_bomb_takes_no_memory_and_nobody_hears_of_it() {
    let _alone = alone();
    let bombs: u64 = scaled(200, 1_000);
    let gateway = gateway(
        "\n[[listener]]\nname = \"group\"\nprotocol = \"websocket\"\ncompression = \"permessage-deflate\"\n\
         route = \"group:room\"\nlimits.queue = \"4MiB\"\n",
    );
    let url = format!("ws://{}/", gateway.address("group"));
    let (grown, fairness) = during(&gateway, || {
        let before = resident_kib(gateway.pid());
        let said = Peer::run("compression_bomb.py", &[&url, &bombs.to_string()]);
        assert_eq!(said, json!({ "bombs": bombs, "codes": [1009] }));
        peak_kib(gateway.pid()).saturating_sub(before)
    });
    fairness.of_clients(
        "deflate bomb",
        &format!(
            "{bombs} at once of 60 MiB in 60 KiB, limit 1 MiB: refused with 1009, the gateway grew by {grown} KiB at most"
        ),
    );
    // Not even one of them, besides what they are on the wire: the limit and 64 KiB a bomb would be more.
    assert!(grown < 16 << 10, "{grown} KiB");
    let metrics = gateway.settle("all have gone", |metrics| metrics.sum("sessions", &[]) == 0);
    assert_eq!(metrics.sum("messages_received", &[]), 0);
    assert_eq!(metrics.sum("uncompressed_bytes", &[]), 0);
}
