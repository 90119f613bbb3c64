//! What a decoder takes from the allocator, and when it gives it back.

#![expect(unsafe_code, reason = "an allocator that counts has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use weir_codec::websocket::{Limits, Role};
use weir_codec::{Decoder, Event, Framing, Kind, Payload, Prefix, Wire, WireError};

/// The system's allocator, counted by thread.
struct Counting;

thread_local! {
    /// Bytes that are allocated now, less those at the start.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// Bytes that were ever allocated.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it is. The counters are plain cells without a destructor: they
// neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + layout.size() as isize);
        TAKEN.set(TAKEN.get() + layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMIT: usize = 1 << 20;
const LIMITS: Limits = Limits { message: LIMIT, fragments: 128 };

/// Every wire format with the decoder at its other end.
fn ends() -> Vec<(Wire, Decoder)> {
    let framings = [
        Framing::Length { prefix: Prefix::U32Be, max: LIMIT },
        Framing::Length { prefix: Prefix::Varint, max: LIMIT },
        Framing::Line { max: LIMIT },
        Framing::Delimiter { delimiter: b"--".as_slice().into(), max: LIMIT },
        Framing::Checked { max: LIMIT },
        Framing::Raw { max: LIMIT },
    ];
    let mut ends: Vec<_> = framings
        .into_iter()
        .map(|framing| {
            let decoder = Decoder::framed(&framing, Kind::Text);
            (Wire::Framed(Arc::new(framing)), decoder)
        })
        .collect();
    ends.push((Wire::WebSocket { role: Role::Server }, Decoder::websocket(Role::Client, LIMITS)));
    ends.push((Wire::WebSocket { role: Role::Client }, Decoder::websocket(Role::Server, LIMITS)));
    ends
}

fn frame(wire: &Wire, payload: &[u8]) -> Vec<u8> {
    let mut frame = bytes::BytesMut::new();
    wire.encode(Kind::Text, payload, [1, 2, 3, 4], &mut frame).unwrap();
    frame.to_vec()
}

#[test]
fn a_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 48, "{}", size_of::<Decoder>());
}

#[test]
fn whole_frames_are_views_and_take_no_memory() {
    for (wire, mut decoder) in ends() {
        let payload = vec![b'a'; 5000];
        let mut stream = frame(&wire, &payload);
        stream.extend_from_within(..);
        let taken = TAKEN.get();
        let first = decoder.decode(&mut stream).unwrap();
        let Some(Event::Message { payload: Payload::Borrowed(view), .. }) = first.event else {
            panic!("{wire:?}")
        };
        assert!(view.starts_with(&payload));
        let consumed = first.consumed;
        // A raw stream has given both at once.
        if consumed < stream.len() {
            let second = decoder.decode(&mut stream[consumed..]).unwrap().event;
            assert!(matches!(second, Some(Event::Message { payload: Payload::Borrowed(_), .. })), "{wire:?}");
        }
        assert_eq!(TAKEN.get() - taken, 0, "{wire:?}");
    }
}

#[test]
fn a_decoder_that_is_idle_again_has_given_everything_back() {
    for (wire, mut decoder) in ends() {
        let held = HELD.get();
        for payload in [vec![b'a'; 300], vec![b'b'; 200_000]] {
            for read in [1, 7, 4096] {
                let mut stream = frame(&wire, &payload);
                let before = HELD.get();
                let mut received = 0;
                for mut read in stream.chunks_mut(read) {
                    while !read.is_empty() {
                        let decoded = decoder.decode(read).unwrap();
                        if let Some(Event::Message { payload, .. }) = decoded.event {
                            received += payload.len();
                        }
                        let consumed = decoded.consumed;
                        read = &mut read[consumed..];
                    }
                }
                assert_eq!(received, payload.len(), "{wire:?}");
                assert!(decoder.is_idle());
                assert_eq!(HELD.get() - before, 0, "{wire:?}");
            }
        }
        assert_eq!(HELD.get() - held, 0, "{wire:?}");
    }
}

#[test]
fn a_claim_alone_takes_no_memory() {
    // The longest that is allowed, and nothing of it: not the claimed bytes, but what has arrived.
    for (mut decoder, mut header) in [
        (
            Decoder::framed(&Framing::Length { prefix: Prefix::U32Be, max: LIMIT }, Kind::Binary),
            vec![0, 0x10, 0, 0],
        ),
        (
            Decoder::framed(&Framing::Checked { max: LIMIT }, Kind::Binary),
            vec![0x42, 0x4d, 1, 0, 2, 0, 0x10, 0, 0, 0, 0, 0, 0],
        ),
        (Decoder::websocket(Role::Client, LIMITS), vec![0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0]),
    ] {
        header.extend([0; 100]);
        let taken = TAKEN.get();
        assert!(decoder.decode(&mut header).unwrap().event.is_none());
        assert!(!decoder.is_idle());
        assert!(TAKEN.get() - taken < 512, "{} bytes", TAKEN.get() - taken);
    }
}

#[test]
fn a_frame_that_claims_2_63_bytes_is_refused_without_memory() {
    let claimed = 1 << 63;
    let varint = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let length = Framing::Length { prefix: Prefix::Varint, max: LIMIT };
    for (mut decoder, mut header) in [
        (Decoder::framed(&length, Kind::Binary), varint),
        (Decoder::websocket(Role::Client, LIMITS), vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (Decoder::websocket(Role::Server, LIMITS), vec![0x82, 255, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let taken = TAKEN.get();
        let error = decoder.decode(&mut header).unwrap_err();
        assert_eq!(TAKEN.get() - taken, 0);
        assert_eq!(error, WireError::TooLong { claimed, limit: LIMIT });
        assert_eq!(error.close_code(), 1009);
    }
}

#[test]
fn a_message_of_many_small_parts_never_holds_more_than_the_limit() {
    let mut decoder = Decoder::websocket(Role::Client, Limits { message: 10_000, fragments: 1000 });
    let mut most = 0;
    let error = loop {
        let first = if most == 0 { 0x02 } else { 0x00 };
        let mut fragment = [&[first, 100][..], &[7; 100]].concat();
        let decoded = decoder.decode(&mut fragment).map(|decoded| assert!(decoded.event.is_none()));
        most = most.max(decoder.buffered());
        if let Err(error) = decoded {
            break error;
        }
    };
    assert_eq!(error, WireError::TooLong { claimed: 10_100, limit: 10_000 });
    assert!(most < 10_000 + 512, "{most}");
}
