//! What a message costs in allocations, once the buffers are warm: none, for an echo without plugins.
#![expect(
    unsafe_code,
    reason = "a global allocator that counts is an unsafe trait; it hands everything to the system's"
)]

use arc_swap::ArcSwap;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::IoSlice;
use std::sync::Arc;
use weir_codec::websocket::Role;
use weir_codec::websocket::deflate::Window;
use weir_codec::{Framing, Prefix, Wire};
use weir_core::{
    Chain, ConnId, Directory, Flow, Kind, Lane, Limits, ListenerId, ListenerPolicy, Opening, Payload, Route,
    Snapshot, Time, Transport, Worker, WorkerId, WorkerStats,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came; counting touches a constant-initialised cell of the thread alone.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn worker(transport: Transport) -> Worker {
    let listener = ListenerPolicy {
        name: "echo".into(),
        transport,
        chain: Chain::default(),
        route: Route::Echo,
        join: Vec::new(),
        limits: Limits::default(),
        conflate: None,
        resume: None,
    };
    let snapshot = Snapshot { version: 1, listeners: vec![listener], ..Snapshot::default() };
    let source = Arc::new(ArcSwap::from_pointee(snapshot));
    let stats = Arc::new(WorkerStats::new(1, 0));
    let mut worker = Worker::new(WorkerId(0), source, Arc::new(Directory::new(1)), stats, 1, 7);
    worker.turn(Time(1));
    worker
}

fn open(worker: &mut Worker, wire: &Wire) -> ConnId {
    let opening = Opening {
        listener: ListenerId(0),
        peer: "192.0.2.1:9".into(),
        tls: None,
        request: Vec::new(),
        wire: wire.clone(),
        hello: None,
    };
    worker.open(opening).expect("there is room")
}

/// A turn of a driver: some messages come in on each connection, then everything that is queued is written.
fn turn(worker: &mut Worker, now: u64, conns: &[ConnId], payload: &[u8], dirty: &mut Vec<ConnId>) {
    worker.turn(Time(now));
    for conn in conns {
        for _ in 0..4 {
            worker.heard(*conn);
            let flow = worker.received(*conn, Lane::ONLY, Kind::Binary, Payload::Borrowed(payload));
            assert_eq!(flow, Flow::Continue);
        }
    }
    worker.tick();
    dirty.clear();
    worker.take_dirty(dirty);
    for conn in dirty.iter() {
        while let Some(queue) = worker.queue(*conn) {
            let mut slices = [IoSlice::new(&[]); 64];
            let count = queue.slices(Lane::ONLY, &mut slices);
            let length: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            // In parts, as a socket that is nearly full takes them.
            worker.written(*conn, Lane::ONLY, length.div_ceil(2));
        }
    }
}

#[test]
fn an_echo_without_plugins_allocates_nothing() {
    let length = Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 }));
    let websocket = Wire::WebSocket { role: Role::Server };
    let deflate = Wire::DeflateWebSocket { window: Window::WIDEST };
    for (transport, wire) in
        [(Transport::Tcp, length), (Transport::WebSocket, websocket), (Transport::WebSocket, deflate)]
    {
        for size in [0, 1, 125, 1000, 4000, 10_000] {
            let mut worker = worker(transport);
            let conns: Vec<_> = (0..16).map(|_| open(&mut worker, &wire)).collect();
            let payload = vec![7; size];
            let mut dirty = Vec::new();
            for now in 0..100 {
                turn(&mut worker, now, &conns, &payload, &mut dirty);
            }
            let before = ALLOCATIONS.with(Cell::get);
            for now in 100..300 {
                turn(&mut worker, now, &conns, &payload, &mut dirty);
            }
            let allocations = ALLOCATIONS.with(Cell::get) - before;
            assert_eq!(allocations, 0, "{allocations} for 12,800 messages of {size} bytes, {transport:?}");
        }
    }
}
