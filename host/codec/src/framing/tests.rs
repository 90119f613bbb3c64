//! Every framing against streams that are cut at every place.

use super::{Framing, Prefix};
use crate::fuzzing::{Outcome, Said, drive};
use crate::{Decoder, EncodeError, Kind, Wire, WireError};
use bytes::BytesMut;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn delimiter(delimiter: &[u8], max: usize) -> Framing {
    Framing::Delimiter { delimiter: delimiter.into(), max }
}

/// What comes of a stream: the same, however two cuts make three reads of it, and byte by byte.
fn outcome(framing: &Framing, kind: Kind, stream: &[u8]) -> (Vec<String>, Result<(), WireError>) {
    let run = |reads: &[usize]| {
        let reads = reads.iter().copied().chain(std::iter::repeat(usize::MAX));
        drive(Decoder::framed(framing, kind), stream, reads, usize::MAX)
    };
    let whole = run(&[]);
    for first in 1..=stream.len() {
        for second in 1..=stream.len() - first {
            assert_eq!(run(&[first, second]), whole, "{framing:?}: cut after {first} and {second} more");
        }
    }
    assert_eq!(run(&vec![1; stream.len()]), whole, "{framing:?}: byte by byte");
    (texts(whole.said), whole.end)
}

fn texts(said: Vec<Said>) -> Vec<String> {
    said.into_iter()
        .map(|said| match said {
            Said::Message(_, payload) => payload.escape_ascii().to_string(),
            other => panic!("a framing without control frames said {other:?}"),
        })
        .collect()
}

fn too_long(claimed: u64, limit: usize) -> Result<(), WireError> {
    Err(WireError::TooLong { claimed, limit })
}

#[test]
fn lengths() {
    let framing = |prefix| Framing::Length { prefix, max: 300 };
    for (prefix, stream, messages, end) in [
        (Prefix::U8, &b"\x02hi\x00\x05there"[..], &["hi", "", "there"][..], Ok(())),
        (Prefix::U16Be, b"\x00\x02hi\x00\x00\x00\x05there", &["hi", "", "there"], Ok(())),
        (Prefix::U16Le, b"\x02\x00hi\x00\x00\x05\x00there", &["hi", "", "there"], Ok(())),
        (Prefix::U32Be, b"\x00\x00\x00\x02hi\x00\x00\x00\x00", &["hi", ""], Ok(())),
        (Prefix::U32Le, b"\x02\x00\x00\x00hi\x00\x00\x00\x00", &["hi", ""], Ok(())),
        (Prefix::Varint, b"\x02hi\x00\x05there", &["hi", "", "there"], Ok(())),
        // In the middle of a payload, of a header, and behind a header.
        (Prefix::U8, b"\x02hi\x05the", &["hi"], Err(WireError::Truncated)),
        (Prefix::U32Be, b"\x00\x00\x00\x02hi\x00\x00", &["hi"], Err(WireError::Truncated)),
        (Prefix::Varint, b"\x02hi\x80", &["hi"], Err(WireError::Truncated)),
        (Prefix::U8, b"\x01", &[], Err(WireError::Truncated)),
        // What is refused does not take back what came before.
        (Prefix::U16Be, b"\x00\x02hi\x01\x2d", &["hi"], too_long(301, 300)),
        (Prefix::U32Le, b"\x02\x00\x00\x00hi\xff\xff\xff\xff", &["hi"], too_long(0xffff_ffff, 300)),
        (Prefix::Varint, b"\x02hi\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", &["hi"], too_long(1 << 63, 300)),
        (Prefix::Varint, b"\x02hi\x82\x00", &["hi"], Err(WireError::BadLength)),
    ] {
        let expected = messages.iter().map(ToString::to_string).collect();
        assert_eq!(
            outcome(&framing(prefix), Kind::Binary, stream),
            (expected, end),
            "{}",
            stream.escape_ascii()
        );
    }
}

#[test]
fn lines() {
    let framing = Framing::Line { max: 5 };
    for (stream, messages, end) in [
        (
            &b"one\ntwo\r\n\n\r\n\r\r\nfive!\nfive!\r\n"[..],
            &["one", "two", "", "", "\\r", "five!", "five!"][..],
            Ok(()),
        ),
        (b"a\rb\n", &["a\\rb"], Ok(())),
        (b"one\ntwo", &["one"], Err(WireError::Truncated)),
        (b"one\n\r", &["one"], Err(WireError::Truncated)),
        (b"one\nsixsix\n", &["one"], too_long(6, 5)),
        (b"five!\r\r\n", &[], too_long(6, 5)),
        (b"one\nwithout an end", &["one"], too_long(6, 5)),
    ] {
        let expected = messages.iter().map(ToString::to_string).collect();
        assert_eq!(outcome(&framing, Kind::Text, stream), (expected, end), "{}", stream.escape_ascii());
    }
}

#[test]
fn delimiters() {
    for (end_with, stream, messages, end) in [
        (&b"--"[..], &b"a--b----c-d--"[..], &["a", "b", "", "c-d"][..], Ok(())),
        // The first that can be an end is one.
        (b"--", b"a---b--", &["a", "-b"], Ok(())),
        (b"aab", b"aaab", &["a"], Ok(())),
        (b"\0", b"one\0\0two\0", &["one", "", "two"], Ok(())),
        (b"\r\n.\r\n", b"x\r\n.\ry\r\n.\r\n", &["x\\r\\n.\\ry"], Ok(())),
        (b"--", b"a--b-", &["a"], Err(WireError::Truncated)),
        (b"--", b"a--12345--123456--", &["a", "12345"], too_long(6, 5)),
        (b"--", b"a--123456789", &["a"], too_long(6, 5)),
        // Nothing can end a message: refused when it is too long, and no endless loop.
        (b"", b"12345", &[], too_long(6, 5)),
    ] {
        let framing = delimiter(end_with, if end_with.len() == 5 { 6 } else { 5 });
        let expected = messages.iter().map(ToString::to_string).collect();
        assert_eq!(outcome(&framing, Kind::Binary, stream), (expected, end), "{}", stream.escape_ascii());
    }
}

#[test]
fn checked() {
    let framing = Arc::new(Framing::Checked { max: 10 });
    let wire = Wire::Framed(Arc::clone(&framing));
    let mut sound = BytesMut::new();
    wire.encode(Kind::Text, "grüß".as_bytes(), [0; 4], &mut sound).unwrap();
    wire.encode(Kind::Binary, b"\xff\0", [0; 4], &mut sound).unwrap();
    wire.encode(Kind::Binary, b"", [0; 4], &mut sound).unwrap();
    // The kind is the frame's, whatever the listener says.
    for kind in [Kind::Text, Kind::Binary] {
        let run = drive(Decoder::framed(&framing, kind), &sound, [1; 100], 4096);
        let expected = [(Kind::Text, "grüß".as_bytes()), (Kind::Binary, b"\xff\0"), (Kind::Binary, b"")];
        let said = expected.map(|(kind, payload)| Said::Message(kind, payload.to_vec())).to_vec();
        assert_eq!(run, Outcome { said, end: Ok(()) });
    }
    let first = || vec!["gr\\xc3\\xbc\\xc3\\x9f".to_owned()];
    assert_eq!(outcome(&framing, Kind::Binary, &sound).0.len(), 3);
    // The checksum of the second frame.
    let mut bad = sound.to_vec();
    bad[19 + 9] ^= 1;
    let (messages, end) = outcome(&framing, Kind::Binary, &bad);
    assert!(matches!(end, Err(WireError::BadChecksum { .. })), "{end:?}");
    assert_eq!(messages, first());
    let mut bad = sound.to_vec();
    bad[19] = b'X';
    assert_eq!(outcome(&framing, Kind::Binary, &bad), (first(), Err(WireError::BadMagic { found: 0x584d })));
    assert_eq!(outcome(&framing, Kind::Binary, &sound[..25]), (first(), Err(WireError::Truncated)));
}

#[test]
fn raw_is_what_arrived_in_chunks_of_at_most_the_limit() {
    let decode = |kind, stream: &[u8]| {
        let outcome = drive(Decoder::framed(&Framing::Raw { max: 4 }, kind), stream, [usize::MAX], 0);
        (texts(outcome.said), outcome.end)
    };
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(decode(Kind::Binary, b"123456789"), (owned(&["1234", "5678", "9"]), Ok(())));
    assert_eq!(decode(Kind::Text, b"abc\xc3\xa4d"), (owned(&["abc", "\\xc3\\xa4d"]), Ok(())));
    assert_eq!(decode(Kind::Text, b"ab\xff"), (owned(&["ab"]), Err(WireError::InvalidUtf8)));
    assert_eq!(decode(Kind::Text, b"ab\xe2\x82"), (owned(&["ab"]), Err(WireError::Truncated)));
}

#[test]
fn text_that_is_not_utf8_is_refused_by_every_framing() {
    let bad = [0xc3, 0x28];
    for (framing, stream) in [
        (Framing::Length { prefix: Prefix::U8, max: 9 }, [&[2][..], &bad].concat()),
        (Framing::Line { max: 9 }, [&bad[..], b"\n"].concat()),
        (delimiter(b"--", 9), [&bad[..], b"--"].concat()),
        (Framing::Raw { max: 9 }, bad.to_vec()),
    ] {
        let (said, end) = outcome(&framing, Kind::Text, &stream);
        assert_eq!((said, &end), (vec![], &Err(WireError::InvalidUtf8)), "{framing:?}");
        assert_eq!(end.unwrap_err().close_code(), 1007);
        if !matches!(framing, Framing::Raw { .. }) {
            assert_eq!(outcome(&framing, Kind::Binary, &stream), (vec!["\\xc3(".to_owned()], Ok(())));
        }
    }
    assert_eq!(Decoder::datagrams(Kind::Text).decode(&mut [0xff]).unwrap_err(), WireError::InvalidUtf8);
}

#[test]
fn what_a_framing_cannot_carry_is_refused_and_leaves_nothing() {
    let contains = Err(EncodeError::ContainsDelimiter);
    for (framing, payload, expected) in [
        (Framing::Line { max: 5 }, &b"a\nb"[..], contains.clone()),
        (Framing::Line { max: 5 }, b"a\r", contains.clone()),
        (Framing::Line { max: 5 }, b"a\rb", Ok(())),
        (Framing::Line { max: 5 }, b"123456", Err(EncodeError::TooLong { length: 6, limit: 5 })),
        (delimiter(b"--", 5), b"a--b", contains.clone()),
        (delimiter(b"--", 5), b"a-b", Ok(())),
        (delimiter(b"--", 5), b"a-", contains.clone()),
        (delimiter(b"abcab", 9), b"xabc", contains.clone()),
        (delimiter(b"abcab", 9), b"xab", Ok(())),
        (delimiter(b"--", 1), b"ab", Err(EncodeError::TooLong { length: 2, limit: 1 })),
        (delimiter(b"", 5), b"a", contains),
        (Framing::Raw { max: 1 }, b"longer than inbound chunks", Ok(())),
        (Framing::Raw { max: 1 }, b"", Err(EncodeError::Empty)),
    ] {
        let mut out = BytesMut::from(&b"before"[..]);
        let wire = Wire::Framed(Arc::new(framing));
        assert_eq!(wire.encode(Kind::Binary, payload, [0; 4], &mut out), expected, "{wire:?}");
        assert_eq!(expected.is_err(), &out[..] == b"before");
        assert_eq!(wire.envelope(Kind::Binary, payload).map(drop), expected, "{wire:?}");
    }
}

#[test]
fn a_frame_that_arrives_byte_by_byte_takes_time_in_proportion_to_its_length() {
    const LENGTH: usize = 1 << 20;
    let started = Instant::now();
    let body = vec![b'-'; LENGTH];
    for (framing, stream) in [
        (Framing::Line { max: LENGTH }, [&body[..], b"\n"].concat()),
        (delimiter(b"-----+", LENGTH), [&body[..], b"-----+"].concat()),
        (
            Framing::Length { prefix: Prefix::U32Be, max: LENGTH },
            [&(LENGTH as u32).to_be_bytes()[..], &body].concat(),
        ),
    ] {
        let outcome =
            drive(Decoder::framed(&framing, Kind::Text), &stream, std::iter::repeat(1), LENGTH + 512);
        assert_eq!(outcome.said, [Said::Message(Kind::Text, body.clone())]);
    }
    // Searched again with each byte, these are 10¹² comparisons.
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}

#[test]
fn a_datagram_is_a_message() {
    let mut decoder = Decoder::datagrams(Kind::Binary);
    let mut datagram = *b"\xffone";
    let decoded = decoder.decode(&mut datagram).unwrap();
    assert_eq!(decoded.consumed, 4);
    assert!(
        matches!(decoded.event, Some(crate::Event::Message { kind: Kind::Binary, payload }) if *payload == *b"\xffone")
    );
    assert!(
        matches!(decoder.decode(&mut []).unwrap().event, Some(crate::Event::Message { payload, .. }) if payload.is_empty())
    );
    assert_eq!((decoder.is_idle(), decoder.finish()), (true, Ok(())));
}
