//! Messages that are compressed on the wire.

use super::*;
use crate::CloseReason;
use bytes::BytesMut;
use weir_codec::websocket::deflate::{Deflater, Inflater, Window};
use weir_codec::websocket::{Limits as WebSocketLimits, encode_compressed};
use weir_codec::{Decoder, Event};

const LIMIT: usize = 100_000;

fn bench(route: Route) -> Bench {
    let mut policy = listener(Transport::WebSocket, route, Vec::new());
    policy.limits.message = LIMIT;
    policy.limits.queue = LIMIT;
    policy.join = vec!["room".into()];
    Bench::new(vec![policy])
}

fn open(bench: &mut Bench, wire: Wire) -> ConnId {
    let listener = ListenerId(0);
    let opening =
        Opening { listener, peer: "192.0.2.1:1".into(), tls: None, request: Vec::new(), wire, hello: None };
    bench.worker.open(opening).expect("there is room")
}

fn deflating(bits: u8) -> Wire {
    Wire::DeflateWebSocket { window: Window::from_bits(bits).expect("9 to 15") }
}

fn decoder() -> Decoder {
    Decoder::deflate_websocket(Role::Client, WebSocketLimits { message: LIMIT, fragments: 1 })
}

/// A client says something, compressed as another limit would allow it.
fn say(bench: &mut Bench, id: ConnId, deflated: &[u8]) -> (usize, Flow) {
    let mut frame = BytesMut::new();
    encode_compressed(Kind::Text, deflated, &mut frame);
    let event = decoder().decode(&mut frame).expect("a frame").event;
    let Some(Event::Compressed(message)) = event else { panic!("a compressed message") };
    let said = bench.worker.received_compressed(id, Lane::ONLY, &message);
    bench.worker.check_invariants();
    said
}

fn deflated(text: &str) -> Vec<u8> {
    Deflater::default().deflate(Window::WIDEST, text.as_bytes()).expect("it shrinks").to_vec()
}

/// What waits for a client: the length of the frames, where the last slice is, and the messages.
fn hear(bench: &mut Bench, id: ConnId) -> (usize, *const u8, Vec<String>) {
    let queue = bench.worker.queue(id).expect("something waits");
    let mut slices = [IoSlice::new(&[]); 8];
    let count = queue.slices(Lane::ONLY, &mut slices);
    let mut bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
    let place = slices[count - 1].as_ptr();
    let length = bytes.len();
    bench.worker.written(id, Lane::ONLY, length);
    let (mut decoder, mut inflater) = (decoder(), Inflater::default());
    let mut heard = Vec::new();
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        let decoded = decoder.decode(rest).expect("frames");
        let payload = match decoded.event {
            Some(Event::Message { payload, .. }) => payload.to_vec(),
            Some(Event::Compressed(message)) => inflater.inflate(&message).expect("valid").to_vec(),
            other => panic!("{other:?}"),
        };
        heard.push(String::from_utf8(payload).expect("text"));
        let consumed = decoded.consumed;
        rest = &mut rest[consumed..];
    }
    (length, place, heard)
}

/// Compresses to half of its length.
fn digits(length: usize) -> String {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + (state >> 24) as u8 % 10)
    };
    (0..length).map(next).collect()
}

#[test]
fn an_echo_comes_back_compressed_if_that_is_worth_it() {
    let mut bench = bench(Route::Echo);
    let id = open(&mut bench, deflating(15));
    let text = "once more ".repeat(50);
    assert_eq!(say(&mut bench, id, &deflated(&text)), (500, Flow::Continue));
    let (length, _, heard) = hear(&mut bench, id);
    assert!(length < 50 && heard == [text], "{length}");
    // "Hello" of RFC 7692, section 7.2.3.1.
    say(&mut bench, id, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    bench.say(id, "plain");
    let (length, _, heard) = hear(&mut bench, id);
    assert_eq!((length, &*heard), (14, &["Hello".to_owned(), "plain".to_owned()][..]));
    let stats = &bench.stats.listeners[0];
    assert_eq!(stats.inbound.received_bytes.value(), 510);
    assert_eq!(stats.inflated.uncompressed_bytes.value(), 505);
    assert_eq!(stats.deflated.uncompressed_bytes.value(), 500);
    assert!(stats.deflated.compressed_bytes.value() < 50);
    assert!(stats.inflated.compressed_bytes.value() < 57);
}

#[test]
fn a_group_message_is_compressed_once_for_each_window() {
    let mut bench = bench(Route::Group("room".into()));
    let wide: Vec<_> = (0..3).map(|_| open(&mut bench, deflating(15))).collect();
    let narrow: Vec<_> = (0..2).map(|_| open(&mut bench, deflating(9))).collect();
    let plain: Vec<_> = (0..2).map(|_| open(&mut bench, Wire::WebSocket { role: Role::Server })).collect();
    let text = digits(20_000);
    bench.say(wide[0], &text);
    let mut frames = Vec::new();
    for (members, compressed) in [(&wide, true), (&narrow, true), (&plain, false)] {
        let heard: Vec<_> = members.iter().map(|id| hear(&mut bench, *id)).collect();
        for (length, place, heard) in &heard {
            assert_eq!(*heard, std::slice::from_ref(&text));
            assert_eq!(*length < 12_000, compressed, "{length}");
            frames.push(*place);
        }
    }
    frames.dedup();
    assert_eq!(frames.len(), 3, "one frame for each wire format");
    let stats = &bench.stats.listeners[0].deflated;
    assert_eq!(stats.uncompressed_bytes.value(), 5 * 20_000, "counted for each receiver");
}

#[test]
fn what_is_too_long_or_broken_ends_the_session_and_reaches_nobody() {
    for (deflated, reason, code) in [
        (deflated(&"0".repeat(LIMIT + 1)), CloseReason::MessageTooLong, 1009),
        (b"\xff\xff".to_vec(), CloseReason::Protocol, 1002),
    ] {
        let mut bench = bench(Route::Group("room".into()));
        let (id, other) = (open(&mut bench, deflating(15)), open(&mut bench, deflating(15)));
        assert_eq!(say(&mut bench, id, &deflated), (0, Flow::Stop));
        assert!(bench.worker.queue(other).is_none(), "nobody hears of it");
        assert_eq!(bench.stats.listeners[0].inbound.received.value(), 0);
        assert_eq!(bench.stats.listeners[0].inflated.compressed_bytes.value(), 0);
        assert!(bench.take(id).ends_with(reason.close().1), "it is told why");
        // What still comes is not even looked at.
        assert_eq!(say(&mut bench, id, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), (0, Flow::Stop));
        bench.worker.peer_ended(id, Some(Some((code, "".into()))));
        assert_eq!(bench.end(id), Some((reason, code)));
    }
}
