//! Clients that break the rules: the close code, and the reason that is counted.

use crate::honest::during;
use crate::rig::{Rig, alone, passthrough, prepare};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use weir_tests::raw::{Frame, Raw, masked};

const LISTENERS: &str = r#"
[[listener]]
name = "ws"
protocol = "websocket"
route = "echo"
limits = { message = "64KiB" }
[[listener]]
name = "length"
protocol = "tcp"
framing = { type = "length", prefix = "u32be", max = "64KiB" }
kind = "text"
route = "echo"
[[listener]]
name = "varint"
protocol = "tcp"
framing = { type = "length", prefix = "varint", max = "64KiB" }
route = "echo"
[[listener]]
name = "line"
protocol = "tcp"
framing = { type = "line", max = "4KiB" }
kind = "text"
route = "echo"
[[listener]]
name = "delimiter"
protocol = "tcp"
framing = { type = "delimiter", delimiter = "||", max = "4KiB" }
route = "echo"
[[listener]]
name = "checked"
protocol = "tcp"
framing = { type = "checked", max = "64KiB" }
route = "echo"
"#;

/// So often is each breach committed, so that there is time for honest sessions to notice.
const ROUNDS: u64 = 10;

fn gateway() -> Rig {
    Rig::start(passthrough(prepare(LISTENERS)))
}

/// What a client writes after its handshake and a message that is fine, the code it gets, and the reason that is counted.
fn breaches() -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    let claims = |length: u64| {
        let mut head = vec![0x82, 0xff];
        head.extend(length.to_be_bytes());
        head.extend([1, 2, 3, 4]);
        head
    };
    let fragments = |count: usize, payload: &[u8]| {
        let mut all = masked(0x01, payload);
        (1..count).for_each(|_| all.extend(masked(0x00, payload)));
        all
    };
    let close = |code: u16, reason: &[u8]| masked(0x88, &[&code.to_be_bytes(), reason].concat());
    vec![
        ("a frame that claims 2^63 bytes", claims(1 << 63), 1009, "message_too_long"),
        ("a frame that claims 2^63 - 1 bytes", claims((1 << 63) - 1), 1009, "message_too_long"),
        ("a frame that claims one byte too many", claims((64 << 10) + 1), 1009, "message_too_long"),
        ("fragments that are too long together", fragments(5, &[b'x'; 16_000]), 1009, "message_too_long"),
        ("too many fragments", fragments(129, b"x"), 1009, "fragments"),
        ("too many empty fragments", fragments(129, b""), 1009, "fragments"),
        ("text that is not UTF-8", masked(0x81, b"caf\xe9"), 1007, "invalid_utf8"),
        ("a surrogate", masked(0x81, b"\xed\xa0\x80"), 1007, "invalid_utf8"),
        ("the first fragment is not UTF-8, and no other comes", masked(0x01, b"\xff"), 1007, "invalid_utf8"),
        ("a close reason that is not UTF-8", close(1000, b"\xff"), 1007, "invalid_utf8"),
        ("an unmasked frame", b"\x81\x02hi".to_vec(), 1002, "protocol"),
        ("a reserved bit", masked(0xc1, b"hi"), 1002, "protocol"),
        ("a reserved opcode", masked(0x83, b"hi"), 1002, "protocol"),
        ("a reserved control opcode", masked(0x8b, b"hi"), 1002, "protocol"),
        ("a continuation of nothing", masked(0x80, b"hi"), 1002, "protocol"),
        ("a message inside a message", [masked(0x01, b"a"), masked(0x81, b"b")].concat(), 1002, "protocol"),
        ("a long ping", masked(0x89, &[0; 126]), 1002, "protocol"),
        ("a ping in fragments", masked(0x09, b"hi"), 1002, "protocol"),
        ("a length that is longer than it need be", b"\x81\xfe\x00\x02\0\0\0\0hi".to_vec(), 1002, "protocol"),
        ("a close frame of one byte", masked(0x88, b"\x03"), 1002, "protocol"),
        ("a close code that nobody may send", close(1006, b""), 1002, "protocol"),
        ("a close code of nobody", close(999, b""), 1002, "protocol"),
        ("too many pings", masked(0x89, b"").repeat(41), 1008, "ping_flood"),
    ]
}

/// Each breach once; how often each reason is to be counted for it.
fn break_the_rules(address: SocketAddr, expected: &mut BTreeMap<&'static str, u64>) {
    for (what, bytes, code, reason) in breaches() {
        let mut client = Raw::websocket(address);
        client.write(&masked(0x81, b"fine"));
        assert_eq!(client.frame(), Frame::Frame(1, b"fine".to_vec()), "{what}");
        client.write(&bytes);
        let end = loop {
            match client.frame() {
                // Pongs, for the pings that are not too many.
                Frame::Frame(10, _) => {}
                other => break other,
            }
        };
        assert_eq!(end, Frame::Close(code), "{what}");
        client.write(&masked(0x88, &code.to_be_bytes()));
        assert_eq!(client.frame(), Frame::End, "{what}");
        *expected.entry(reason).or_default() += 1;
    }
    // A client that is gone in the middle of a frame, and one that is gone without goodbye.
    for (bytes, reason) in [(&b"\x81\x85"[..], "truncated"), (b"", "client_reset")] {
        let mut client = Raw::websocket(address);
        client.write(&masked(0x81, b"fine"));
        assert_eq!(client.frame(), Frame::Frame(1, b"fine".to_vec()));
        client.write(bytes);
        client.finish();
        assert_eq!(client.frame(), Frame::End);
        *expected.entry(reason).or_default() += 1;
    }
    // As many fragments as are allowed are a message.
    let mut client = Raw::websocket(address);
    client.write(&[masked(0x01, b"x"), masked(0x00, b"").repeat(126), masked(0x80, b"y")].concat());
    assert_eq!(client.frame(), Frame::Frame(1, b"xy".to_vec()));
    client.write(&masked(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(client.frame(), Frame::Close(1000));
    *expected.entry("client").or_default() += 1;
}

#[test]
fn over_websocket() {
    let _alone = alone();
    let gateway = gateway();
    let address = gateway.address("ws");
    let (expected, fairness) = during(&gateway, || {
        let mut expected = BTreeMap::new();
        (0..ROUNDS).for_each(|_| break_the_rules(address, &mut expected));
        expected
    });
    let all: u64 = expected.values().sum();
    let metrics = gateway.settle("all closed", |metrics| metrics.sum("sessions_closed", &[]) == all);
    for (reason, count) in expected {
        assert_eq!(metrics.sum("sessions_closed", &[("reason", reason)]), count, "{reason}: {metrics}");
    }
    assert_eq!(metrics.sum("messages_received", &[]), all, "only what was fine");
    assert_eq!(metrics.sum("messages_delivered", &[]), all);
    fairness.figure(
        "invalid UTF-8, reserved bits, bad opcodes, unmasked frames, bad close codes",
        &format!(
            "{} breaches, each got the code of RFC 6455 and was counted by its reason, {ROUNDS} times",
            breaches().len()
        ),
    );
}

#[test]
fn over_tcp_framings() {
    let checked = |bytes: [u8; 13], body: &[u8]| [&bytes[..], body].concat();
    // docs/wire-formats.md: text `hi`.
    let sound = [0x42, 0x4d, 1, 0, 1, 0, 0, 0, 2, 0xa5, 0x25, 0x6e, 0x18];
    let with = |at: usize, byte: u8| {
        let mut head = sound;
        head[at] = byte;
        checked(head, b"hi")
    };
    let length_hi = b"\0\0\0\x02hi".to_vec();
    let cases = [
        ("length", &length_hi, b"\xff\xff\xff\xff".to_vec(), "message_too_long"),
        ("length", &length_hi, b"\0\x01\0\x01".to_vec(), "message_too_long"),
        ("length", &length_hi, b"\0\0\0\x04caf\xe9".to_vec(), "invalid_utf8"),
        ("length", &length_hi, b"\0\0\0\x05half".to_vec(), "truncated"),
        ("length", &length_hi, b"\0\0".to_vec(), "truncated"),
        (
            "varint",
            &b"\x02hi".to_vec(),
            b"\x81\x80\x80\x80\x80\x80\x80\x80\x80\x01".to_vec(),
            "message_too_long",
        ),
        ("varint", &b"\x02hi".to_vec(), [0xff; 11].to_vec(), "protocol"),
        ("varint", &b"\x02hi".to_vec(), b"\x82\x00hi".to_vec(), "protocol"),
        ("line", &b"hi\n".to_vec(), vec![b'x'; 4100], "message_too_long"),
        ("line", &b"hi\n".to_vec(), b"caf\xe9\n".to_vec(), "invalid_utf8"),
        ("line", &b"hi\n".to_vec(), b"no end".to_vec(), "truncated"),
        ("delimiter", &b"hi||".to_vec(), b"|x".repeat(2100), "message_too_long"),
        ("delimiter", &b"hi||".to_vec(), b"hi|".to_vec(), "truncated"),
        ("checked", &checked(sound, b"hi"), with(0, 0x43), "bad_magic"),
        ("checked", &checked(sound, b"hi"), with(2, 2), "bad_version"),
        ("checked", &checked(sound, b"hi"), with(4, 3), "protocol"),
        ("checked", &checked(sound, b"hi"), with(9, 0), "bad_checksum"),
        ("checked", &checked(sound, b"hi"), checked(sound, b"ho"), "bad_checksum"),
        ("checked", &checked(sound, b"hi"), with(5, 0xff), "message_too_long"),
        ("checked", &checked(sound, b"hi"), sound.to_vec(), "truncated"),
    ];
    let _alone = alone();
    let gateway = gateway();
    let ((), fairness) = during(&gateway, || {
        for (listener, fine, breach, reason) in cases.iter().cycle().take(cases.len() * ROUNDS as usize) {
            let mut client = Raw::connect(gateway.address(listener));
            // In one piece: what was fine is answered all the same.
            client.write(&[&fine[..], breach].concat());
            if *reason == "truncated" {
                client.finish();
            }
            assert_eq!(&client.rest(), *fine, "{listener}, {reason}");
        }
    });
    let all = cases.len() as u64 * ROUNDS;
    let metrics = gateway.settle("all closed", |metrics| metrics.sum("sessions_closed", &[]) == all);
    for (listener, _, _, reason) in &cases {
        let label = [("listener", *listener), ("reason", *reason)];
        let same = cases.iter().filter(|case| case.0 == *listener && case.3 == *reason).count() as u64;
        assert_eq!(metrics.sum("sessions_closed", &label), same * ROUNDS, "{label:?}: {metrics}");
    }
    assert_eq!(metrics.sum("messages_received", &[]), all, "only what was fine");
    assert_eq!(metrics.sum("messages_delivered", &[]), all);
    let checked = cases.iter().filter(|case| case.0 == "checked");
    fairness.figure(
        "CRC, magic or version wrong in a checked frame",
        &format!(
            "{} breaches, each closed the session and was counted by its reason, {ROUNDS} times; the log has 1002",
            checked.count()
        ),
    );
    for reason in ["bad_magic", "bad_version", "bad_checksum"] {
        let line = gateway.wait_for_log(reason, |line| line["reason"] == reason);
        assert_eq!(line["code"], 1002, "{reason}");
    }
}
