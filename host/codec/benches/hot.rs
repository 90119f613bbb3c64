//! Bytes to messages and back, as a connection does it: what was read is decoded where it lies, and each message is framed again for
//! the same format. The copy of the read, which a socket would make, is among it.

use bytes::BytesMut;
use std::hint::black_box;
use std::sync::Arc;
use weir_codec::websocket::deflate::{Deflater, Inflater, Window};
use weir_codec::websocket::{Limits, Role, encode_compressed};
use weir_codec::{Decoder, Event, Framing, Kind, Prefix, Wire, heartbeat, session};
use weir_proof::hot::Case;

const RUN: usize = 64;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const LIMITS: Limits = Limits { message: 1 << 20, fragments: 128 };
const MAX: usize = 1 << 20;

const CASES: &[Case] = &[
    Case {
        name: "WebSocket server: 64 B binary, alone",
        of: 64,
        make: || websocket(Kind::Binary, &[7; 64], 1),
    },
    Case {
        name: "WebSocket server: 64 B binary, 64 together",
        of: 64,
        make: || websocket(Kind::Binary, &[7; 64], RUN),
    },
    Case {
        name: "WebSocket server: 64 B text, 64 together",
        of: 64,
        make: || websocket(Kind::Text, &[b'a'; 64], RUN),
    },
    Case {
        name: "WebSocket server: 64 B of other scripts",
        of: 64,
        make: || websocket(Kind::Text, "Größe €".repeat(6).as_bytes(), RUN),
    },
    Case { name: "WebSocket server: 4 KiB text", of: 64, make: || websocket(Kind::Text, &[b'a'; 4096], 1) },
    Case {
        name: "WebSocket server: 64 B binary, in two reads",
        of: 64,
        make: || ends(server(), Kind::Binary, &[7; 64], Reads::Halves),
    },
    Case {
        name: "WebSocket client: 64 B binary, 64 together",
        of: 64,
        make: || ends(client(), Kind::Binary, &[7; 64], Reads::Together(RUN)),
    },
    Case { name: "WebSocket deflate: 1 KiB text, inflated", of: 16, make: inflate },
    Case { name: "WebSocket deflate: 1 KiB text, deflated", of: 16, make: deflate },
    Case {
        name: "length u32be: 64 B, alone",
        of: 64,
        make: || framed(Framing::Length { prefix: Prefix::U32Be, max: MAX }, 1),
    },
    Case {
        name: "length u32be: 64 B, 64 together",
        of: 64,
        make: || framed(Framing::Length { prefix: Prefix::U32Be, max: MAX }, RUN),
    },
    Case {
        name: "length varint: 64 B, 64 together",
        of: 64,
        make: || framed(Framing::Length { prefix: Prefix::Varint, max: MAX }, RUN),
    },
    Case { name: "line: 64 B, 64 together", of: 64, make: || framed(Framing::Line { max: MAX }, RUN) },
    Case {
        name: "delimiter: 64 B, 64 together",
        of: 64,
        make: || framed(Framing::Delimiter { delimiter: b"--".as_slice().into(), max: MAX }, RUN),
    },
    Case { name: "checked: 64 B, 64 together", of: 64, make: || framed(Framing::Checked { max: MAX }, RUN) },
    Case { name: "raw: 64 B, alone", of: 64, make: || framed(Framing::Raw { max: MAX }, 1) },
    Case { name: "heartbeat: read and answered", of: 1, make: beat },
    Case { name: "session: a hello, read", of: 1, make: hello },
];

/// How frames come.
#[derive(Clone, Copy)]
enum Reads {
    /// So many in each read.
    Together(usize),
    /// Each in two.
    Halves,
}

fn server() -> (Wire, Wire, Decoder) {
    let (near, far) = (Wire::WebSocket { role: Role::Server }, Wire::WebSocket { role: Role::Client });
    (near, far, Decoder::websocket(Role::Server, LIMITS))
}

fn client() -> (Wire, Wire, Decoder) {
    let (near, far) = (Wire::WebSocket { role: Role::Client }, Wire::WebSocket { role: Role::Server });
    (near, far, Decoder::websocket(Role::Client, LIMITS))
}

fn websocket(kind: Kind, payload: &[u8], together: usize) -> Box<dyn FnMut()> {
    ends(server(), kind, payload, Reads::Together(together))
}

fn framed(framing: Framing, together: usize) -> Box<dyn FnMut()> {
    let decoder = Decoder::framed(&framing, Kind::Binary);
    let wire = Wire::Framed(Arc::new(framing));
    ends((wire.clone(), wire, decoder), Kind::Binary, &[b'a'; 64], Reads::Together(together))
}

/// 64 messages of the far end come, and go back.
fn ends(
    (near, far, mut decoder): (Wire, Wire, Decoder),
    kind: Kind,
    payload: &[u8],
    reads: Reads,
) -> Box<dyn FnMut()> {
    let mut stream = BytesMut::new();
    for _ in 0..RUN {
        far.encode(kind, payload, MASK, &mut stream).expect("a message that can be sent");
    }
    let frame = stream.len() / RUN;
    let length = match reads {
        Reads::Together(count) => frame * count,
        Reads::Halves => frame / 2,
    };
    assert_eq!(stream.len() % length, 0, "as many reads as it takes");
    let (mut buffer, mut out) = (vec![0; length], BytesMut::new());
    Box::new(move || {
        let mut messages = 0;
        for read in stream.chunks(length) {
            out.clear();
            buffer.copy_from_slice(read);
            let mut rest = &mut buffer[..];
            while !rest.is_empty() {
                let decoded = decoder.decode(rest).expect("frames");
                if let Some(Event::Message { kind, payload }) = decoded.event {
                    near.encode(kind, &payload, MASK, &mut out).expect("a message that can be sent");
                    messages += 1;
                }
                let consumed = decoded.consumed;
                rest = &mut rest[consumed..];
            }
            black_box(&out);
        }
        assert_eq!(messages, RUN);
    })
}

/// A kibibyte as people write it.
fn text() -> Vec<u8> {
    let line =
        "The river is up to the second mark this morning, and the lower weir has been opened by a hand; ";
    line.bytes().cycle().take(1024).collect()
}

fn inflate() -> Box<dyn FnMut()> {
    let mut frame = BytesMut::new();
    let deflated = Deflater::default().deflate(Window::WIDEST, &text()).expect("it is worth it").to_vec();
    encode_compressed(Kind::Text, &deflated, &mut frame);
    let mut decoder = Decoder::deflate_websocket(Role::Client, LIMITS);
    let mut inflater = Inflater::default();
    let mut buffer = frame.to_vec();
    Box::new(move || {
        for _ in 0..16 {
            buffer.copy_from_slice(&frame);
            let Some(Event::Compressed(message)) = decoder.decode(&mut buffer).expect("a frame").event else {
                unreachable!("it is compressed");
            };
            black_box(inflater.inflate(&message).expect("a message"));
        }
    })
}

fn deflate() -> Box<dyn FnMut()> {
    let (mut deflater, mut out, text) = (Deflater::default(), BytesMut::new(), text());
    Box::new(move || {
        out.clear();
        for _ in 0..16 {
            let deflated = deflater.deflate(Window::WIDEST, &text).expect("it is worth it");
            encode_compressed(Kind::Text, &deflated, &mut out);
        }
        black_box(&out);
    })
}

fn beat() -> Box<dyn FnMut()> {
    let request = heartbeat::Heartbeat { stage: heartbeat::Stage::Request, milliseconds: 7, filler: b"" };
    let payload = request.payload();
    Box::new(move || {
        let came = heartbeat::parse(black_box(&payload)).expect("a heartbeat");
        black_box(heartbeat::Heartbeat { stage: heartbeat::Stage::Response, ..came }.payload());
    })
}

fn hello() -> Box<dyn FnMut()> {
    let payload = format!("\0WSN hello 1 token={} received=123456", "a".repeat(44)).into_bytes();
    Box::new(move || {
        black_box(session::parse(black_box(&payload)).expect("a hello"));
    })
}

weir_proof::hot!(CASES);
