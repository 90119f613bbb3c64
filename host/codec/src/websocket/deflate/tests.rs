//! Messages through both: what was sent is what is received, what is not valid is refused, and no limit is passed.

use super::{Compressed, Deflater, Inflater, Window, longest};
use crate::fuzzing::{Outcome, Said, drive};
use crate::websocket::{Limits, Role, encode_compressed};
use crate::{Decoder, Kind, Payload, WireError};
use bytes::BytesMut;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use proptest::prelude::*;

const LIMIT: usize = 200_000;

/// As another implementation would send it: the best that zlib can, without what the flush ends with.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut context = Compress::new(Compression::best(), false);
    let mut output = Vec::with_capacity(payload.len() + payload.len() / 8 + 100);
    context.compress_vec(payload, &mut output, FlushCompress::Sync).unwrap();
    assert!(output.ends_with(&super::FLUSHED));
    output.truncate(output.len() - 4);
    output
}

fn inflate(payload: &[u8], kind: Kind, limit: usize) -> Result<Vec<u8>, WireError> {
    let message = Compressed { kind, payload: Payload::Borrowed(payload), limit };
    Inflater::default().inflate(&message).map(|payload| payload.to_vec())
}

/// Bytes without any order.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

fn prose(length: usize) -> Vec<u8> {
    b"It was the best of times, it was the worst of times. ".iter().copied().cycle().take(length).collect()
}

/// Frames of a client, each as its first byte and its payload.
fn masked(frames: &[(u8, &[u8])]) -> Vec<u8> {
    let mask = Some([0x37, 0xfa, 0x21, 0x3d]);
    let frame = |&(first, payload): &(u8, &[u8])| {
        crate::websocket::tests::Frame { first, mask, payload, extended: None }.bytes()
    };
    frames.iter().flat_map(frame).collect()
}

fn hear(stream: &[u8], reads: &[usize]) -> Outcome {
    let limits = Limits { message: LIMIT, fragments: 8 };
    let reads = reads.iter().copied().chain(std::iter::repeat(usize::MAX));
    drive(Decoder::deflate_websocket(Role::Server, limits), stream, reads, longest(LIMIT) + 512)
}

#[test]
fn examples_of_the_rfc() {
    // Section 7.2.3, in order: one block, a block without compression, a block that says it is the last, two blocks.
    let hello = |payload: &[u8]| inflate(payload, Kind::Text, 5).unwrap();
    assert_eq!(hello(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), b"Hello");
    assert_eq!(hello(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]), b"Hello");
    assert_eq!(hello(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]), b"Hello");
    assert_eq!(
        hello(&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00]),
        b"Hello"
    );
    // Section 7.2.3.6.
    assert_eq!(hello(&[0x00]), b"");
    // Section 7.2.3.1, in frames.
    let whole = masked(&[(0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])]);
    let parts = masked(&[(0x41, &[0xf2, 0x48, 0xcd]), (0x80, &[0xc9, 0xc9, 0x07, 0x00])]);
    for stream in [whole, parts] {
        assert_eq!(
            hear(&stream, &[]),
            Outcome { said: vec![Said::Message(Kind::Text, b"Hello".into())], end: Ok(()) }
        );
    }
}

#[test]
fn every_split_of_a_stream_gives_the_same() {
    let (text, noise) = (prose(1000), noise(50));
    let deflated = [deflated(&text), deflated(&noise)];
    let (first, second) = deflated[0].split_at(20);
    let stream = masked(&[
        (0xc1, &deflated[0]),
        (0x81, b"plain"),
        (0x41, first),
        (0x89, b"ping"),
        (0x00, b""),
        (0x80, second),
        (0xc2, &deflated[1]),
        (0xc1, &[0]),
    ]);
    let said = vec![
        Said::Message(Kind::Text, text.clone()),
        Said::Message(Kind::Text, b"plain".into()),
        Said::Ping(b"ping".into()),
        Said::Message(Kind::Text, text),
        Said::Message(Kind::Binary, noise),
        Said::Message(Kind::Text, Vec::new()),
    ];
    let expected = Outcome { said, end: Ok(()) };
    for first in 1..=stream.len() {
        for second in 1..=(stream.len() - first).min(80) {
            assert_eq!(hear(&stream, &[first, second]), expected, "cut after {first} and {second} more");
        }
    }
    assert_eq!(hear(&stream, &vec![1; stream.len()]), expected, "byte by byte");
}

#[test]
fn the_bit_belongs_to_the_first_frame_of_a_message() {
    let whole = deflated(&prose(300));
    let (first, second) = whole.split_at(10);
    for frames in [
        // Section 6.1: on a continuation, on control frames; the other two bits stay reserved.
        &[(0x41, first), (0xc0, second)][..],
        &[(0x01, b"plain"), (0xc0, second)],
        &[(0xc9, b"ping")],
        &[(0xca, b"pong")],
        &[(0xc8, b"")],
        &[(0xe1, &whole)],
        &[(0xd1, &whole)],
    ] {
        let end = hear(&masked(frames), &[]).end.unwrap_err();
        assert_eq!(end.close_code(), 1002, "{:x?}", frames[0].0);
    }
}

#[test]
fn what_is_not_valid_is_refused() {
    let whole = deflated(&prose(300));
    for (payload, code) in [
        (&b"\xff\xff\xff\xff"[..], 1002),
        (b"", 1002),
        // Ended in the middle of a block, also of one without compression, and of the last one.
        (&whole[..whole.len() / 2], 1002),
        (&[0x00, 0x07, 0x00, 0xf8, 0xff, b'H'], 1002),
        (&[0xf3, 0x48, 0xcd], 1002),
        // A match that reaches back before the message: what context takeover would allow.
        (&[0x02, 0x13, 0x00], 1002),
        // Section 7.2.3.4: a last block needs something behind it.
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 1002),
    ] {
        assert_eq!(inflate(payload, Kind::Binary, 1000).unwrap_err().close_code(), code, "{payload:x?}");
    }
    assert_eq!(inflate(&deflated(b"caf\xe9"), Kind::Text, 1000), Err(WireError::InvalidUtf8));
    assert_eq!(inflate(&deflated(b"caf\xe9"), Kind::Binary, 1000).unwrap(), b"caf\xe9");
    let mut long = prose(100_000);
    long[99_999] = 0xff;
    assert_eq!(inflate(&deflated(&long), Kind::Text, 100_000), Err(WireError::InvalidUtf8));
}

#[test]
fn the_limit_is_of_what_is_inflated() {
    for length in [1, 1000, 65_535, 65_536, 65_537, 131_072, 150_000] {
        let deflated = deflated(&prose(length));
        assert_eq!(inflate(&deflated, Kind::Text, length).unwrap(), prose(length));
        let refused = inflate(&deflated, Kind::Text, length - 1).unwrap_err();
        assert_eq!(refused.close_code(), 1009, "{length}: {refused}");
    }
    // What does not shrink passes up to the limit too, though it is longer on the wire; and a claim beyond that is refused unseen.
    let noise = deflated(&noise(LIMIT));
    assert!(noise.len() > LIMIT && noise.len() <= longest(LIMIT));
    assert_eq!(hear(&masked(&[(0xc2, &noise)]), &[]).end, Ok(()));
    let (first, second) = noise.split_at(LIMIT - 10);
    assert_eq!(hear(&masked(&[(0x42, first), (0x80, second)]), &[]).end, Ok(()));
    let claimed = longest(LIMIT) as u64 + 1;
    let header = [&[0xc2, 0xff][..], &claimed.to_be_bytes()].concat();
    assert_eq!(hear(&header, &[]).end, Err(WireError::TooLong { claimed, limit: LIMIT }));
    let plain = vec![0; LIMIT + 1];
    assert_eq!(hear(&masked(&[(0x82, &plain)]), &[]).end.unwrap_err().close_code(), 1009);
}

#[test]
fn what_does_not_shrink_or_is_short_is_sent_as_it_is() {
    let mut deflater = Deflater::default();
    for length in [0, 1, 127, 128, 1000, 65_536, 300_000, 1 << 20] {
        assert!(deflater.deflate(Window::WIDEST, &noise(length)).is_none(), "{length}");
        let expected = length >= 128;
        assert_eq!(deflater.deflate(Window::WIDEST, &prose(length)).is_some(), expected, "{length}");
    }
    // Order in the second half only.
    let mixed = [noise(200_000), prose(100_000)].concat();
    assert!(deflater.deflate(Window::WIDEST, &mixed).is_some_and(|sent| sent.len() < 220_000));
}

#[test]
fn nothing_of_one_message_is_left_for_the_next() {
    let (mut deflater, mut inflater) = (Deflater::default(), Inflater::default());
    let first = deflater.deflate(Window::WIDEST, &prose(1000)).unwrap().into_bytes();
    deflater.deflate(Window::WIDEST, &prose(70_000)).unwrap();
    assert!(deflater.deflate(Window::WIDEST, &noise(90_000)).is_none());
    assert_eq!(&*deflater.deflate(Window::WIDEST, &prose(1000)).unwrap(), &first);
    let mut try_one = |payload: &[u8]| {
        let message = Compressed { kind: Kind::Binary, payload: Payload::Borrowed(payload), limit: LIMIT };
        inflater.inflate(&message).map(|payload| payload.to_vec())
    };
    for broken in [&first[..10], b"\xff\xff", b""] {
        try_one(broken).unwrap_err();
        assert_eq!(try_one(&first).unwrap(), prose(1000));
    }
}

/// Payloads of all sizes and degrees of order.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(prop::sample::select(&b"abcd {}:"[..]), 0..4000),
        ("[a-zκ€🦀]{1,30}", 0..1600_usize).prop_map(|(word, times)| word.repeat(times).into_bytes()),
        (0..LIMIT).prop_map(noise),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Sent with every window, and received by a decompressor that has no more than that.
    #[test]
    fn a_window_is_kept_to(payload in payload(), bits in 9..=15_u8) {
        let mut deflater = Deflater::default();
        let window = Window::from_bits(bits).unwrap();
        if let Some(sent) = deflater.deflate(window, &payload) {
            prop_assert!(sent.len() < payload.len());
            let mut context = Decompress::new_with_window_bits(false, bits);
            let mut received = Vec::new();
            // A little at a time, so that what lies further back is only in the window.
            let input = [&*sent, &[1, 0, 0, 0xff, 0xff][..]].concat();
            let input = [&input[..sent.len()], &super::FLUSHED, &input[sent.len()..]].concat();
            loop {
                let mut room = [0; 64];
                let (taken, given) = (context.total_in(), context.total_out());
                let status = context.decompress(&input[taken as usize..], &mut room, FlushDecompress::None);
                received.extend_from_slice(&room[..(context.total_out() - given) as usize]);
                if status.expect("within the window") == Status::StreamEnd {
                    break;
                }
            }
            prop_assert_eq!(received, payload);
        }
    }

    /// Through frames, cut into fragments and reads anywhere.
    #[test]
    fn what_is_sent_is_what_arrives(
        messages in prop::collection::vec((payload(), any::<bool>()), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        reads in prop::collection::vec(1..3000_usize, 1..5),
    ) {
        let mut stream = Vec::new();
        let mut sent = Vec::new();
        for (payload, ours) in messages {
            let mut deflater = Deflater::default();
            let text = std::str::from_utf8(&payload).is_ok();
            let frame = if ours { deflater.deflate(Window::WIDEST, &payload) } else { None };
            let frame = frame.map_or_else(|| deflated(&payload), |frame| frame.to_vec());
            let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(frame.len() + 1)).collect();
            places.extend([0, frame.len()]);
            places.sort_unstable();
            let fragments = places.windows(2).enumerate().map(|(at, place)| {
                let first = if at > 0 { 0 } else { 0x40 | if text { 1 } else { 2 } };
                let fin = if at + 2 == places.len() { 0x80 } else { 0 };
                (fin | first, &frame[place[0]..place[1]])
            });
            stream.extend(masked(&fragments.collect::<Vec<_>>()));
            sent.push(Said::Message(if text { Kind::Text } else { Kind::Binary }, payload));
        }
        let reads: Vec<_> = reads.iter().copied().cycle().take(2000).collect();
        prop_assert_eq!(hear(&stream, &reads), Outcome { said: sent, end: Ok(()) });
    }

    #[test]
    fn any_bytes_are_refused_or_within_the_limit(payload in prop::collection::vec(any::<u8>(), 0..400), limit in 0..5000_usize) {
        if let Ok(received) = inflate(&payload, Kind::Binary, limit) {
            prop_assert!(received.len() <= limit);
        }
    }
}

#[test]
fn a_compressed_frame_has_the_bit_and_no_mask() {
    let mut out = BytesMut::new();
    encode_compressed(Kind::Text, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], &mut out);
    // RFC 7692, section 7.2.3.1.
    assert_eq!(out[..], [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    out.clear();
    encode_compressed(Kind::Binary, &[7; 300], &mut out);
    assert_eq!(out[..5], [0xc2, 126, 0x01, 0x2c, 7]);
}
