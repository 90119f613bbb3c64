//! RFC 6455, rule by rule: the stream, what is said, how it ends, and with which close code.

use super::*;
use crate::fuzzing::{Outcome, Said, drive};
use crate::{Decoder, Kind, Wire, WireError};
use bytes::BytesMut;

const LIMITS: Limits = Limits { message: 70_000, fragments: 4 };
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as no encoder here would write it.
pub(super) struct Frame<'a> {
    pub(super) first: u8,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) payload: &'a [u8],
    /// Bytes of length beyond the seven bits: 0, 2 or 8; the least that is needed if `None`.
    pub(super) extended: Option<usize>,
}

impl Frame<'_> {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = self.payload.len();
        let least = if length < 126 {
            0
        } else if length <= 0xffff {
            2
        } else {
            8
        };
        let extended = self.extended.unwrap_or(least).max(least);
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match extended {
            0 => bytes.push(masked | length as u8),
            2 => {
                bytes.push(masked + 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(masked + 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(self.mask.iter().flatten());
        let mask = self.mask.unwrap_or_default();
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }
}

/// Frames of a server, each as its first byte and its payload; masked, they are a client's.
fn frames(mask: Option<[u8; 4]>, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|&(first, payload)| Frame { first, mask, payload, extended: None }.bytes())
        .collect()
}

/// What either end hears of these frames: the same at every cut.
fn hear(spoken: &[(u8, &[u8])]) -> Outcome {
    let client = decode(Role::Client, &frames(None, spoken));
    assert_eq!(decode(Role::Server, &frames(Some(MASK), spoken)), client);
    assert_eq!(decode(Role::Server, &frames(Some([0; 4]), spoken)), client);
    client
}

fn decode(role: Role, stream: &[u8]) -> Outcome {
    let run = |reads: &[usize]| {
        let reads = reads.iter().copied().chain(std::iter::repeat(usize::MAX));
        drive(Decoder::websocket(role, LIMITS), stream, reads, LIMITS.message + 512)
    };
    let whole = run(&[]);
    // Every cut of a short stream, and the first ones of a long one.
    for first in 1..=stream.len().min(60) {
        for second in 1..=(stream.len() - first).min(60) {
            assert_eq!(run(&[first, second]), whole, "cut after {first} and {second} more");
        }
    }
    assert_eq!(run(&vec![1; stream.len()]), whole, "byte by byte");
    whole
}

fn text(payload: &str) -> Said {
    Said::Message(Kind::Text, payload.into())
}

fn binary(payload: &[u8]) -> Said {
    Said::Message(Kind::Binary, payload.to_vec())
}

#[test]
fn what_the_rfc_allows() {
    let long: Vec<u8> = (0..=255).cycle().take(66_000).collect();
    let pieces = "κόσμε".as_bytes();
    for (spoken, said) in [
        // Section 5.7, the examples.
        (&[(0x81, &b"Hello"[..])][..], vec![text("Hello")]),
        (&[(0x01, b"Hel"), (0x80, b"lo")], vec![text("Hello")]),
        (
            &[(0x89, b"Hello"), (0x8a, b"Hello")],
            vec![Said::Ping(b"Hello".into()), Said::Pong(b"Hello".into())],
        ),
        (&[(0x82, &long[..256])], vec![binary(&long[..256])]),
        (&[(0x82, &long)], vec![binary(&long)]),
        // Section 5.2: lengths where their form changes.
        (&[(0x82, &long[..125]), (0x82, &long[..126])], vec![binary(&long[..125]), binary(&long[..126])]),
        (
            &[(0x82, &long[..65_535]), (0x82, &long[..65_536])],
            vec![binary(&long[..65_535]), binary(&long[..65_536])],
        ),
        // Section 5.4: control frames between fragments, fragments without bytes.
        (
            &[(0x01, b"Hel"), (0x89, b"1"), (0x00, b""), (0x8a, b""), (0x80, b"lo"), (0x82, b"")],
            vec![Said::Ping(b"1".into()), Said::Pong(vec![]), text("Hello"), binary(b"")],
        ),
        (&[(0x02, b""), (0x80, b"")], vec![binary(b"")]),
        // Section 5.6: characters may be cut between fragments.
        (&[(0x01, &pieces[..1]), (0x00, &pieces[1..6]), (0x80, &pieces[6..])], vec![text("κόσμε")]),
        (&[(0x82, &[0xff])], vec![binary(&[0xff])]),
        // Section 5.5: the longest control frame.
        (&[(0x89, &long[..125])], vec![Said::Ping(long[..125].to_vec())]),
        // Sections 5.5.1 and 7.4: what follows a close frame is not looked at.
        (&[(0x88, b"")], vec![Said::Close(None)]),
        (&[(0x88, b"\x03\xe8"), (0xff, b"junk")], vec![Said::Close(Some((1000, "".into())))]),
        (&[(0x01, b"begun"), (0x88, b"\x0f\xa0bye")], vec![Said::Close(Some((4000, "bye".into())))]),
    ] {
        assert_eq!(hear(spoken), Outcome { said, end: Ok(()) });
    }
}

#[test]
fn what_the_rfc_forbids() {
    let long = vec![b'a'; 70_001];
    for (spoken, code) in [
        // Section 5.2: reserved bits.
        (&[(0xc1, &b"x"[..])][..], 1002),
        (&[(0xa1, b"x")], 1002),
        (&[(0x91, b"x")], 1002),
        (&[(0x99, b"x")], 1002),
        // Section 5.4: nothing to continue, something not ended.
        (&[(0x80, b"x")], 1002),
        (&[(0x00, b"x")], 1002),
        (&[(0x01, b"x"), (0x81, b"y")], 1002),
        (&[(0x01, b"x"), (0x02, b"y")], 1002),
        // Section 5.5: fragmented or long control frames.
        (&[(0x09, b"x")], 1002),
        (&[(0x0a, b"x")], 1002),
        (&[(0x08, b"")], 1002),
        (&[(0x89, &long[..126])], 1002),
        (&[(0x88, &long[..126])], 1002),
        // Section 5.5.1: half a code, and a reason that is not text.
        (&[(0x88, b"\x03")], 1002),
        (&[(0x88, b"\x03\xe8\xc3\x28")], 1007),
        // Section 8.1: not UTF-8, in one frame, across fragments, and cut short.
        (&[(0x81, b"\xce\xba\xe1\xbd")], 1007),
        (&[(0x81, b"\xed\xa0\x80")], 1007),
        (&[(0x01, b"\xce"), (0x80, b"x")], 1007),
        (&[(0x01, b"\xce"), (0x80, b"")], 1007),
        // Section 10.4: limits.
        (&[(0x82, &long)], 1009),
        (&[(0x02, &long[..70_000]), (0x80, b"x")], 1009),
        (&[(0x02, b""), (0x00, b""), (0x00, b""), (0x00, b""), (0x80, b"")], 1009),
    ] {
        let outcome = hear(spoken);
        let error = outcome.end.expect_err("refused");
        assert_eq!(error.close_code(), code, "{error}: {:x?}", spoken[0].0);
        assert_eq!(outcome.said, []);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(hear(&[(0x80 | opcode, b"")]).end, Err(WireError::WebSocket("reserved opcode")));
    }
}

#[test]
fn close_codes_are_those_that_may_be_sent() {
    for code in 0..=u16::MAX {
        let stream = frames(None, &[(0x88, &code.to_be_bytes())]);
        let outcome = drive(Decoder::websocket(Role::Client, LIMITS), &stream, [usize::MAX], 0);
        let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        if valid {
            assert_eq!(outcome.said, [Said::Close(Some((code, "".into())))]);
        } else {
            assert_eq!(outcome.end.unwrap_err().close_code(), 1002, "{code}");
        }
    }
}

#[test]
fn masks_are_for_clients_and_for_them_alone() {
    // Section 5.1. The second byte shows it.
    let unmasked = decode(Role::Server, &[0x81, 0x05]);
    assert_eq!(unmasked.end, Err(WireError::WebSocket("frame of a client is not masked")));
    let masked = decode(Role::Client, &[0x81, 0x85]);
    assert_eq!(masked.end, Err(WireError::WebSocket("frame of a server is masked")));
}

#[test]
fn lengths_are_written_in_the_least_number_of_bytes() {
    for (length, extended) in [(0, 2), (125, 2), (0, 8), (126, 8), (65_535, 8)] {
        let payload = vec![0; length];
        let frame = Frame { first: 0x82, mask: None, payload: &payload, extended: Some(extended) };
        let end = decode(Role::Client, &frame.bytes()[..10.min(2 + extended)]).end;
        let expected = WireError::WebSocket("length is written with more bytes than it needs");
        assert_eq!(end, Err(expected), "{length} in {extended}");
    }
}

#[test]
fn a_claim_is_refused_by_the_header_alone() {
    for claimed in [70_001, 1 << 32, u64::MAX >> 1, 1 << 63, u64::MAX] {
        let header = [&[0x82, 0x7f][..], &claimed.to_be_bytes()].concat();
        let refused = decode(Role::Client, &header).end.unwrap_err();
        assert_eq!(refused, WireError::TooLong { claimed, limit: LIMITS.message });
        assert_eq!(refused.close_code(), 1009);
    }
    // Without any limit the highest bit is still not a length (section 5.2).
    let limits = Limits { message: usize::MAX, fragments: 1 };
    let header = [&[0x82, 0x7f][..], &(1_u64 << 63).to_be_bytes()].concat();
    let outcome = drive(Decoder::websocket(Role::Client, limits), &header, [1; 10], 256);
    assert_eq!(outcome.end.unwrap_err().close_code(), 1002);
}

#[test]
fn a_bad_byte_is_not_waited_out() {
    // Section 8.1, as strict conformance suites ask: of a frame of 100 bytes only the bad beginning has arrived.
    let mut frame = frames(None, &[(0x81, &[b'a'; 100])]);
    frame[5..7].copy_from_slice(&[0xf4, 0x90]);
    for arrived in 2..7 {
        assert_eq!(decode(Role::Client, &frame[..arrived]).end, Err(WireError::Truncated));
    }
    assert_eq!(decode(Role::Client, &frame[..7]).end, Err(WireError::InvalidUtf8));
}

#[test]
fn ends_in_the_middle_are_seen() {
    for (stream, end) in [
        (&[][..], Ok(())),
        (&[0x81], Err(WireError::Truncated)),
        (&[0x81, 2, b'a'], Err(WireError::Truncated)),
        (&[0x01, 1, b'a'], Err(WireError::Truncated)),
        (&[0x01, 1, b'a', 0x89, 1], Err(WireError::Truncated)),
        (&[0x81, 1, b'a'], Ok(())),
        (&[0x01, 1, b'a', 0x88, 0, 0x81], Ok(())),
    ] {
        assert_eq!(decode(Role::Client, stream).end, end, "{stream:x?}");
    }
}

#[test]
fn frames_that_are_sent_are_those_of_the_rfc() {
    let mut out = BytesMut::new();
    // Section 5.7.
    Wire::WebSocket { role: Role::Server }.encode(Kind::Text, b"Hello", MASK, &mut out).unwrap();
    assert_eq!(out.split(), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f][..]);
    Wire::WebSocket { role: Role::Client }.encode(Kind::Text, b"Hello", MASK, &mut out).unwrap();
    assert_eq!(out.split(), [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58][..]);
    encode_ping(b"Hello", None, &mut out);
    assert_eq!(out.split(), [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f][..]);
    encode_pong(b"Hello", Some(MASK), &mut out);
    assert_eq!(out.split(), [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58][..]);
    encode_close(Some((1001, "away")), None, &mut out);
    assert_eq!(out.split(), b"\x88\x06\x03\xe9away"[..]);
    for never in [None, Some((1005, "")), Some((1006, "lost"))] {
        encode_close(never, None, &mut out);
        assert_eq!(out.split(), [0x88, 0x00][..]);
    }
}

#[test]
fn control_frames_that_are_sent_are_never_too_long() {
    let mut out = BytesMut::new();
    for mask in [None, Some(MASK)] {
        let role = if mask.is_some() { Role::Server } else { Role::Client };
        encode_ping(&[7; 300], mask, &mut out);
        encode_pong(&[8; 300], mask, &mut out);
        // The 123rd byte is in the middle of a character.
        encode_close(Some((4999, &"€".repeat(100)[..])), mask, &mut out);
        let said = vec![
            Said::Ping(vec![7; 125]),
            Said::Pong(vec![8; 125]),
            Said::Close(Some((4999, "€".repeat(41).into()))),
        ];
        assert_eq!(decode(role, &out.split()), Outcome { said, end: Ok(()) });
        encode_close(Some((1000, &format!("a{}", "€".repeat(100)))), mask, &mut out);
        let said = vec![Said::Close(Some((1000, format!("a{}", "€".repeat(40)).into())))];
        assert_eq!(decode(role, &out.split()), Outcome { said, end: Ok(()) });
    }
}
