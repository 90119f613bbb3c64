//! Entry points for fuzzers, and for the unit tests that run them on the committed corpus and on random input.

mod drive;
mod http3;
mod words;

pub use drive::{Outcome, Said, drive};
pub use http3::http3_parse;
pub use words::{heartbeat_parse, offer_parse};

use crate::websocket::deflate::{Deflater, Window, longest};
use crate::websocket::{Limits, Role, encode_compressed};
use crate::{Decoder, Framing, Kind, Prefix, Wire, session};
use bytes::BytesMut;
use std::sync::Arc;

/// A decoder holds no more than the limit allows, beside its own state and a control frame.
const OWN: usize = 512;

/// Reads choices from the beginning of the input; what is left is the stream.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn kind(&mut self) -> Kind {
        if self.byte().is_multiple_of(2) { Kind::Binary } else { Kind::Text }
    }

    fn role(&mut self) -> Role {
        if self.byte().is_multiple_of(2) { Role::Server } else { Role::Client }
    }

    fn framing(&mut self) -> Framing {
        let choice = self.byte();
        let max = usize::from(self.byte()) * 4;
        let prefixes =
            [Prefix::U8, Prefix::U16Be, Prefix::U16Le, Prefix::U32Be, Prefix::U32Le, Prefix::Varint];
        match choice % 10 {
            6 => Framing::Line { max },
            7 => {
                let length = usize::from(self.byte() % 5);
                Framing::Delimiter { delimiter: self.bytes(length).into(), max }
            }
            8 => Framing::Checked { max },
            9 => Framing::Raw { max },
            prefix => Framing::Length { prefix: prefixes[usize::from(prefix)], max },
        }
    }

    /// Lengths of reads, without end.
    fn cuts(&mut self) -> impl Iterator<Item = usize> + Clone + use<> {
        let mut lengths = [1; 4];
        for length in &mut lengths {
            *length = usize::from(self.byte()).max(1);
        }
        lengths.into_iter().cycle()
    }
}

/// Any bytes as a stream of any TCP framing: how they are cut into reads does not matter, and memory is bounded.
pub fn framing_decode(data: &[u8]) {
    let mut choices = Choices(data);
    let (framing, kind, cuts) = (choices.framing(), choices.kind(), choices.cuts());
    let stream = choices.0;
    let (max, end) = match &framing {
        Framing::Length { max, .. } | Framing::Checked { max } => (*max, 0),
        Framing::Line { max } => (*max, 2),
        Framing::Delimiter { delimiter, max } => (*max, delimiter.len()),
        Framing::Raw { max } => ((*max).max(4), 0),
    };
    let bound = max + 2 * end + OWN;
    let decode = |cuts: &mut dyn Iterator<Item = usize>| {
        let outcome = drive(Decoder::framed(&framing, kind), stream, cuts, bound);
        for said in &outcome.said {
            let Said::Message(_, payload) = said else {
                panic!("a stream without control frames said {said:?}")
            };
            assert!(payload.len() <= max, "a message within the limit");
        }
        // A raw stream has no messages of its own: it is the same if its bytes are.
        if matches!(framing, Framing::Raw { .. }) { outcome.joined() } else { outcome }
    };
    let whole = decode(&mut std::iter::repeat(usize::MAX));
    assert_eq!(decode(&mut std::iter::repeat(1)), whole, "byte by byte: {framing:?}");
    assert_eq!(decode(&mut cuts.clone()), whole, "in parts: {framing:?}");
}

/// Any bytes as a WebSocket stream, of either end: how they are cut into reads does not matter, and memory is bounded.
pub fn websocket_decode(data: &[u8]) {
    let mut choices = Choices(data);
    let (role, cuts) = (choices.role(), choices.cuts());
    let limits =
        Limits { message: usize::from(choices.byte()) * 16, fragments: usize::from(choices.byte()) % 8 };
    let stream = choices.0;
    let decode = |cuts: &mut dyn Iterator<Item = usize>| {
        let outcome = drive(Decoder::websocket(role, limits), stream, cuts, limits.message + OWN);
        for said in &outcome.said {
            match said {
                Said::Message(_, payload) => assert!(payload.len() <= limits.message),
                Said::Ping(payload) | Said::Pong(payload) => assert!(payload.len() <= 125),
                Said::Close(_) => {}
            }
        }
        outcome
    };
    let whole = decode(&mut std::iter::repeat(usize::MAX));
    assert_eq!(decode(&mut std::iter::repeat(1)), whole, "byte by byte");
    assert_eq!(decode(&mut cuts.clone()), whole, "in parts");
}

/// Any bytes as the stream of a client that may compress: how they are cut into reads does not matter, and nothing that is inflated is
/// longer than the limit.
pub fn deflate_decode(data: &[u8]) {
    let mut choices = Choices(data);
    let (cuts, masked) = (choices.cuts(), choices.byte().is_multiple_of(2));
    let limits =
        Limits { message: usize::from(choices.byte()) * 64, fragments: usize::from(choices.byte()) % 8 };
    let mut frame;
    let stream = if masked {
        choices.0
    } else {
        // The bytes are one message's, so that what is found is in the compressed data.
        let length = choices.0.len().min(0xffff);
        frame = vec![0xc2, 0xfe];
        frame.extend((length as u16).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend_from_slice(&choices.0[..length]);
        if length < 126 {
            frame.splice(1..4, [0x80 | length as u8]);
        }
        &frame
    };
    let decode = |cuts: &mut dyn Iterator<Item = usize>| {
        let decoder = Decoder::deflate_websocket(Role::Server, limits);
        let outcome = drive(decoder, stream, cuts, longest(limits.message) + OWN);
        for said in &outcome.said {
            if let Said::Message(_, payload) = said {
                assert!(payload.len() <= limits.message, "a message within the limit");
            }
        }
        outcome
    };
    let whole = decode(&mut std::iter::repeat(usize::MAX));
    assert_eq!(decode(&mut std::iter::repeat(1)), whole, "byte by byte");
    assert_eq!(decode(&mut cuts.clone()), whole, "in parts");
}

/// What one deflater has compressed, one inflater at the other end has back, message after message and with every window.
pub fn deflate_round_trip(data: &[u8]) {
    let mut choices = Choices(data);
    let cuts = choices.cuts();
    let mut deflater = Deflater::default();
    let (mut stream, mut sent) = (BytesMut::new(), Vec::new());
    while !choices.0.is_empty() && sent.len() < 20 {
        let window = Window::from_bits(9 + choices.byte() % 7).expect("9 to 15");
        let length = usize::from(choices.byte());
        // Short inputs make long messages too.
        let payload = choices.bytes(length).repeat(1 + usize::from(choices.byte()));
        let kind = if std::str::from_utf8(&payload).is_ok() { Kind::Text } else { Kind::Binary };
        if let Some(deflated) = deflater.deflate(window, &payload) {
            assert!(deflated.len() < payload.len(), "worth it");
            encode_compressed(kind, &deflated, &mut stream);
        } else {
            let encoded = Wire::DeflateWebSocket { window }.encode(kind, &payload, [0; 4], &mut stream);
            encoded.expect("any message can be sent as it is");
        }
        sent.push(Said::Message(kind, payload));
    }
    let far_end = Decoder::deflate_websocket(Role::Client, Limits { message: usize::MAX, fragments: 1 });
    assert_eq!(drive(far_end, &stream, cuts, usize::MAX), Outcome { said: sent, end: Ok(()) });
}

/// What is encoded comes out of the decoder at the other end, in every wire format; what is refused leaves nothing behind.
pub fn round_trip(data: &[u8]) {
    let mut choices = Choices(data);
    let (wire, far_end, fixed) = match choices.byte() % 4 {
        0 => {
            let (role, far) = match choices.role() {
                Role::Server => (Role::Server, Role::Client),
                Role::Client => (Role::Client, Role::Server),
            };
            let limits = Limits { message: usize::MAX, fragments: 1 };
            (Wire::WebSocket { role }, Decoder::websocket(far, limits), None)
        }
        1 => {
            let kind = choices.kind();
            (Wire::Datagram, Decoder::datagrams(kind), Some(kind))
        }
        _ => {
            let (framing, kind) = (choices.framing(), choices.kind());
            let decoder = Decoder::framed(&framing, kind);
            let fixed = (!matches!(framing, Framing::Checked { .. })).then_some(kind);
            (Wire::Framed(Arc::new(framing)), decoder, fixed)
        }
    };
    let cuts = choices.cuts();
    let mask = [choices.byte(), choices.byte(), choices.byte(), choices.byte()];
    let (mut stream, mut sent) = (BytesMut::new(), Vec::new());
    while !choices.0.is_empty() {
        let kind = choices.kind();
        let kind = fixed.unwrap_or(kind);
        let length = usize::from(choices.byte()) * 3;
        let payload = choices.bytes(length);
        let payload = match kind {
            Kind::Text => String::from_utf8_lossy(payload).into_owned().into_bytes(),
            Kind::Binary => payload.to_vec(),
        };
        let before = stream.len();
        let encoded = wire.encode(kind, &payload, mask, &mut stream);
        match wire.envelope(kind, &payload) {
            Ok(Some(envelope)) => {
                assert!(encoded.is_ok() && wire.is_shareable());
                assert_eq!(stream[before..], [envelope.head(), &payload, envelope.tail()].concat());
            }
            Ok(None) => assert!(encoded.is_ok() && !wire.is_shareable()),
            Err(error) => assert_eq!(encoded, Err(error)),
        }
        if encoded.is_err() {
            assert_eq!(stream.len(), before, "a refused message leaves nothing behind");
        } else {
            sent.push(Said::Message(kind, payload));
        }
        if wire == Wire::Datagram {
            break;
        }
    }
    let sent = Outcome { said: sent, end: Ok(()) };
    let raw = matches!(&wire, Wire::Framed(framing) if matches!(**framing, Framing::Raw { .. }));
    let (cuts, sent): (Box<dyn Iterator<Item = usize>>, _) = match wire {
        // An empty datagram is a message too, but a stream of no bytes is no read.
        Wire::Datagram if stream.is_empty() => return,
        Wire::Datagram => (Box::new(std::iter::repeat(usize::MAX)), sent),
        _ if raw => (Box::new(cuts), sent.joined()),
        _ => (Box::new(cuts), sent),
    };
    let received = drive(far_end, &stream, cuts, usize::MAX);
    assert_eq!(if raw { received.joined() } else { received }, sent, "{wire:?}");
}

/// What a client that says hello sends: understood or not, what is understood was there, and says the same when it is said anew.
pub fn session_parse(data: &[u8]) {
    let payload = [&session::MAGIC[..], data].concat();
    let again = match session::parse(&payload) {
        None => return,
        Some(session::Said::Hello { token: Some(token), received }) => {
            format!("\0WSN hello 1 token={token} received={received}")
        }
        Some(session::Said::Hello { token: None, received }) => format!("\0WSN hello 1 received={received}"),
        Some(session::Said::Ack(number)) => format!("\0WSN ack {number}"),
        Some(session::Said::Ping(carried)) => format!("\0WSN ping {carried}"),
        Some(session::Said::Bye) => "\0WSN bye".to_owned(),
    };
    assert!(payload.len() <= session::MAX_LENGTH);
    assert_eq!(session::parse(again.as_bytes()), session::parse(&payload), "{}", payload.escape_ascii());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs an entry point on its committed corpus, and on what is near to it.
    fn corpus(name: &str, target: fn(&[u8])) {
        weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), name, 10_000, target);
    }

    #[test]
    fn framing_decode_holds_on_its_corpus() {
        corpus("framing_decode", framing_decode);
    }

    #[test]
    fn websocket_decode_holds_on_its_corpus() {
        corpus("websocket_decode", websocket_decode);
    }

    #[test]
    fn deflate_decode_holds_on_its_corpus() {
        corpus("deflate_decode", deflate_decode);
    }

    #[test]
    fn deflate_round_trip_holds_on_its_corpus() {
        corpus("deflate_round_trip", deflate_round_trip);
    }

    #[test]
    fn round_trip_holds_on_its_corpus() {
        corpus("round_trip", round_trip);
    }

    #[test]
    fn session_parse_holds_on_its_corpus() {
        corpus("session_parse", session_parse);
    }

    #[test]
    fn http3_parse_holds_on_its_corpus() {
        corpus("http3_parse", http3_parse);
    }

    #[test]
    fn heartbeat_parse_holds_on_its_corpus() {
        corpus("heartbeat_parse", heartbeat_parse);
    }

    #[test]
    fn offer_parse_holds_on_its_corpus() {
        corpus("offer_parse", offer_parse);
    }

    /// Bytes among which those that mean something to a framing are frequent.
    fn meaningful() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            any::<u8>(),
            0..8u8,
            prop::sample::select(
                &[b'\r', b'\n', b'a', 0x42, 0x4d, 0x80, 0x81, 0x82, 0x89, 0xe2, 0x82, 0xac][..]
            ),
        ];
        prop::collection::vec(byte, 0..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn framings_do_not_depend_on_reads(data in meaningful()) {
            framing_decode(&data);
        }

        #[test]
        fn http3_does_not_depend_on_reads(data in meaningful()) {
            http3_parse(&data);
        }

        #[test]
        fn websocket_does_not_depend_on_reads(data in meaningful()) {
            websocket_decode(&data);
        }

        #[test]
        fn what_is_sent_is_what_arrives(data in meaningful()) {
            round_trip(&data);
        }

        #[test]
        fn clients_are_understood_or_not(
            words in prop::collection::vec("hello|ack|ping|bye|1|token=[a-z=]{0,3}|received=-?[0-9]{0,21}|[0-9]{0,21}|", 0..5)
        ) {
            session_parse(format!(" {}", words.join(" ")).as_bytes());
        }

        #[test]
        fn compression_does_not_depend_on_reads(data in meaningful()) {
            deflate_decode(&data);
        }

        #[test]
        fn what_is_compressed_is_what_arrives(data in meaningful()) {
            deflate_round_trip(&data);
        }
    }
}
