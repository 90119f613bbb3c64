//! What a message costs in the core with nobody looking on, and with somebody: an echo through one plugin that passes everything.
//!
//! `cargo bench --package weir-core --bench tap`. With a number of rounds behind `--`, only the first case runs, once: to count its
//! instructions (`valgrind --tool=none`, `perf stat`), and to compare them with those of another version of the core.

use arc_swap::ArcSwap;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Instant;
use weir_codec::{Framing, Prefix, Wire};
use weir_core::{
    BindingId, Call, CallStats, Chain, ConnId, Depth, Directions, Directory, Effect, Failure, Forwarding,
    Glimpse, Instance, Kind, Lane, Limits, Link, ListenerId, ListenerPolicy, Message, OnFailure, Opening,
    Payload, Program, Record, Rejection, Route, Seat, SessionId, SessionInfo, Snapshot, Tap, Time, Transport,
    Verdict, Worker, WorkerId, WorkerStats, Worn,
};

/// Messages of a round.
const MESSAGES: u64 = 16 * 4;

#[derive(Debug)]
struct Pass;

impl Program for Pass {
    fn instantiate(&self, _: &Seat, _: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
        Ok(Box::new(Self))
    }
}

impl Instance for Pass {
    fn open(&mut self, _: &SessionInfo, _: &mut Call) -> Result<Result<(), Rejection>, Failure> {
        Ok(Ok(()))
    }

    fn message(&mut self, _: &Message<'_>, _: &mut Call) -> Result<Verdict, Failure> {
        Ok(Verdict::Forward(Forwarding::default()))
    }

    fn close(&mut self, _: SessionId, _: &Rejection, _: &mut Call) -> Result<(), Failure> {
        Ok(())
    }

    fn timer(&mut self, _: &mut Call) -> Result<(), Failure> {
        Ok(())
    }

    fn worn(&self) -> Option<Worn> {
        None
    }
}

/// Looks on, and lets go what it is given.
#[derive(Debug)]
struct Onlooker(Option<Depth>);

impl Tap for Onlooker {
    fn wants(&mut self, _: &Glimpse<'_>) -> Option<Depth> {
        self.0
    }

    fn take(&mut self, record: Record) {
        drop(std::hint::black_box(record));
    }
}

fn worker() -> Worker {
    let link = Link {
        binding: BindingId(0),
        name: "pass".into(),
        generation: 1,
        program: Arc::new(Pass),
        directions: Directions { inbound: true, outbound: false },
        on_failure: OnFailure::Closed,
        stats: Arc::new([CallStats::default()]),
        terms: Arc::default(),
        max_held: 1 << 20,
        quarantine: Arc::default(),
    };
    let listener = ListenerPolicy {
        name: "echo".into(),
        transport: Transport::Tcp,
        chain: Chain::new(vec![link.clone()]),
        route: Route::Echo,
        join: Vec::new(),
        limits: Limits::default(),
        conflate: None,
        resume: None,
    };
    let snapshot =
        Snapshot { version: 1, listeners: vec![listener], bindings: vec![link], ..Snapshot::default() };
    let source = Arc::new(ArcSwap::from_pointee(snapshot));
    let stats = Arc::new(WorkerStats::new(1, 0));
    let mut worker = Worker::new(WorkerId(0), source, Arc::new(Directory::new(1)), stats, 1, 7);
    worker.turn(Time(1));
    worker
}

/// A turn of a driver: some messages come in on each connection, then everything that is queued is written.
fn round(worker: &mut Worker, now: u64, conns: &[ConnId], dirty: &mut Vec<ConnId>) {
    worker.turn(Time(now));
    for conn in conns {
        for _ in 0..4 {
            worker.heard(*conn);
            worker.received(*conn, Lane::ONLY, Kind::Binary, Payload::Borrowed(&[7; 128]));
        }
    }
    dirty.clear();
    worker.take_dirty(dirty);
    for conn in dirty.iter() {
        while let Some(queue) = worker.queue(*conn) {
            let mut slices = [IoSlice::new(&[]); 64];
            let count = queue.slices(Lane::ONLY, &mut slices);
            let length: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            worker.written(*conn, Lane::ONLY, length);
        }
    }
}

/// Nanoseconds a message.
fn run(worker: &mut Worker, conns: &[ConnId], from: u64, rounds: u64) -> f64 {
    let mut dirty = Vec::new();
    let begun = Instant::now();
    for now in from..from + rounds {
        round(worker, now, conns, &mut dirty);
    }
    begun.elapsed().as_nanos() as f64 / (rounds * MESSAGES) as f64
}

/// Messages of one case at a time.
const ROUNDS: u64 = 5_000;

fn main() {
    let mut worker = worker();
    let wire = Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 }));
    let conns: Vec<_> = (0..16)
        .filter_map(|_| {
            let (listener, wire) = (ListenerId(0), wire.clone());
            worker.open(Opening {
                listener,
                peer: "192.0.2.1:9".into(),
                tls: None,
                request: Vec::new(),
                wire,
                hello: None,
            })
        })
        .collect();
    if let Some(rounds) = std::env::args().skip(1).find_map(|word| word.parse().ok()) {
        println!("{:.1} ns a message", run(&mut worker, &conns, 1, rounds));
        return;
    }
    let depth = |payload| Some(Depth { payload, ..Depth::default() });
    let cases: [(&str, Option<Option<Depth>>); 4] = [
        ("nobody looks on", None),
        ("somebody who wants nothing of it", Some(None)),
        ("somebody who wants 256 bytes of each", Some(depth(256))),
        ("somebody who wants no payload of each", Some(depth(0))),
    ];
    let mut best = [f64::MAX; 4];
    let mut now = 2;
    // In turns, so that what the machine does meanwhile is everybody's; the best of each.
    for _ in 0..20 {
        for (at, (_, tap)) in cases.iter().enumerate() {
            worker.tap(tap.map(|depth| Box::new(Onlooker(depth)) as _));
            best[at] = best[at].min(run(&mut worker, &conns, now, ROUNDS));
            now += ROUNDS;
        }
    }
    for ((name, _), best) in cases.iter().zip(best) {
        println!("{best:>6.1} ns a message: {name}");
    }
}
