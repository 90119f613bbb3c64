//! What a decoder takes from the allocator, and when it gives it back.

#![expect(unsafe_code, reason = "an allocator that counts has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use weir_codec::websocket::deflate::{Deflater, Inflater, Window};
use weir_codec::websocket::{Limits, Role};
use weir_codec::{Decoder, Event, Framing, Kind, Payload, Prefix, Wire, WireError};

/// The system's allocator, counted by thread.
struct Counting;

thread_local! {
    /// Bytes that are allocated now, less those at the start.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The most that this ever was.
    static PEAK: Cell<isize> = const { Cell::new(0) };
    /// Bytes that were ever allocated.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

fn count(more: isize) {
    HELD.set(HELD.get() + more);
    PEAK.set(PEAK.get().max(HELD.get()));
    TAKEN.set(TAKEN.get() + more.max(0) as usize);
}

// SAFETY: every call is passed on to the system's allocator as it is. The counters are plain cells without a destructor: they
// neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    // A buffer that grows is moved by the kernel's page tables where it is large, or grows in place: it is not there twice.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
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

/// Offers a client's compressed message in reads of 64 KiB, and gives it to the inflater: the message's length, or why it is refused,
/// and the most memory that it ever took, the inflater's own apart.
fn inflate(deflated: &[u8], limit: usize) -> (Result<usize, WireError>, isize) {
    let mut inflater = Inflater::default();
    let mut outcome = Ok(0);
    let mut held = 0;
    // First a small one, so that what the inflater has anyway is there.
    for deflated in [&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], deflated] {
        let mut decoder = Decoder::deflate_websocket(Role::Server, Limits { message: limit, fragments: 1 });
        let mut stream = vec![0xc2];
        match deflated.len() {
            length @ 0..126 => stream.push(0x80 | length as u8),
            length @ 126..=0xffff => stream.extend([&[0xfe], &(length as u16).to_be_bytes()[..]].concat()),
            length => stream.extend([&[0xff], &(length as u64).to_be_bytes()[..]].concat()),
        }
        // A mask of zeros.
        stream.extend([0; 4]);
        stream.extend_from_slice(deflated);
        held = HELD.get();
        PEAK.set(held);
        for read in stream.chunks_mut(64 << 10) {
            let event = decoder.decode(read).map(|decoded| decoded.event);
            if let Some(Event::Compressed(message)) = event.unwrap() {
                outcome = inflater.inflate(&message).map(|payload| payload.len());
            }
        }
    }
    (outcome, PEAK.get() - held)
}

/// A block of zeros, as often as it fits: a thousand to one.
fn bomb(length: usize) -> Vec<u8> {
    use flate2::{Compress, Compression, FlushCompress};
    let mut context = Compress::new(Compression::best(), false);
    let mut bomb = Vec::with_capacity(length + 100);
    let zeros = vec![0; 1 << 20];
    while bomb.len() < length {
        context.compress_vec(&zeros, &mut bomb, FlushCompress::Full).unwrap();
    }
    bomb.truncate(bomb.len() - 4);
    bomb
}

#[test]
fn a_deflate_bomb_takes_no_more_than_the_limit_and_64_kib() {
    // 10 MiB that arrive in one read; and a gigabyte that is as long on the wire as the limit.
    for (wire, most) in [(10 << 10, 1 << 10), (LIMIT - 2000, LIMIT + (64 << 10))] {
        let bomb = bomb(wire);
        let (outcome, peak) = inflate(&bomb, LIMIT);
        assert!(matches!(outcome, Err(WireError::TooLong { limit: LIMIT, .. })), "{outcome:?}");
        assert_eq!(outcome.unwrap_err().close_code(), 1009);
        println!("a bomb of {} bytes took {peak} bytes of memory", bomb.len());
        assert!(peak <= most as isize, "{peak} bytes for {}", bomb.len());
    }
    // What is within the limit is there once, and what is left of it on the wire.
    let within = bomb(1000);
    let (length, peak) = inflate(&within, LIMIT);
    assert_eq!(length, Ok(LIMIT));
    assert!(peak <= (LIMIT + (64 << 10)) as isize, "{peak}");
}

#[test]
fn a_thread_compresses_with_one_context_and_keeps_64_kib_of_output() {
    let held = HELD.get();
    let (mut deflater, mut inflater) = (Deflater::default(), Inflater::default());
    assert_eq!(HELD.get() - held, 0, "until there is something to compress");
    let payload = vec![7; 3 << 20];
    let mut sent = Vec::new();
    for length in [1000, 3 << 20, 1000] {
        sent = deflater.deflate(Window::WIDEST, &payload[..length]).unwrap().to_vec();
    }
    drop(payload);
    let deflating = HELD.get() - held - sent.capacity() as isize;
    let mut decoder = Decoder::deflate_websocket(Role::Server, LIMITS);
    let mut frame = [&[0xc2, 0x80 | sent.len() as u8, 0, 0, 0, 0][..], &sent].concat();
    let held = HELD.get();
    let Some(Event::Compressed(message)) = decoder.decode(&mut frame).unwrap().event else {
        panic!("a message")
    };
    assert!(matches!(inflater.inflate(&message), Ok(Payload::Borrowed(view)) if view == [7; 1000]));
    let inflating = HELD.get() - held;
    println!("a thread's deflater holds {deflating} bytes, its inflater {inflating}");
    assert!(deflating < 450 << 10, "{deflating}");
    assert!(inflating < 128 << 10, "{inflating}");
    let taken = TAKEN.get();
    for _ in 0..100 {
        assert!(inflater.inflate(&message).is_ok());
        assert!(deflater.deflate(Window::WIDEST, &[7; 1000]).is_some());
    }
    assert_eq!(TAKEN.get() - taken, 0, "nothing more for messages of up to 64 KiB");
}
