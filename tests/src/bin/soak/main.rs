//! A gateway, and everything that can happen to it, at once and for long.
//!
//! Clients over every transport send and count; plugins are replaced every few seconds, trap now and then, and files that are none are put
//! beside them; the configuration is read again; an upstream dies and comes back; sessions lose their connections and are taken back; peers
//! come and go, reset, read nothing, say nothing, and break the rules. At the end everything must have been counted, and nothing must be left: every message of every honest client came
//! back once and in order, every sum adds up, no session and no descriptor is there any more, memory is what it was after the beginning,
//! and nothing panicked.
//!
//! `SOAK_SECONDS` says how long (an hour), `SOAK_SEED` repeats the lots of another run, `SOAK_CLIENTS` is how many honest clients each
//! transport has.

mod board;
mod clients;
mod deflate;
mod lots;
mod operator;
mod returning;
mod rude;
mod scene;
mod upstream;
mod watch;

use board::Board;
use lots::Lots;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use weir_tests::wait_for;

fn main() {
    let seconds = setting("SOAK_SECONDS").unwrap_or(3_600);
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let seed = setting("SOAK_SEED").unwrap_or(clock);
    let each = setting("SOAK_CLIENTS").unwrap_or(6) as u32;
    println!("soak: {seconds} s, {each} honest clients a transport, SOAK_SEED={seed}");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let service = runtime.block_on(async { upstream::Service::start() }).expect("an upstream");
    let mut gateway = scene::start(service.address());
    let watch = watch::Watch::start(&gateway);
    let board = Arc::new(Board::default());
    let lots = Lots::new(seed);

    let mut honest = JoinSet::new();
    clients::start(&gateway, each, &board, &lots, &mut honest, &runtime);
    wait_for("every honest client is in", || {
        board.assert_fine();
        gateway.metrics().sum("sessions", &[]) == u64::from(clients::count(each))
    });
    board.begin();
    let mut others = JoinSet::new();
    rude::start(&gateway, &board, &lots, &mut others, &runtime);
    others.spawn_on(service.fail_and_return(board.clone(), lots.fork("upstream")), runtime.handle());

    let end = Instant::now() + Duration::from_secs(seconds);
    let (done, readings) = operator::work(&gateway, &board, &watch, lots.fork("operator"), end);

    board.stop();
    runtime.block_on(others.join_all());
    let still_open = runtime.block_on(honest.join_all()).into_iter().flatten().collect::<Vec<_>>();
    board.assert_fine();
    assert_eq!(still_open.len(), clients::count(each) as usize, "every honest client was served to the end");
    let metrics = scene::settle(&gateway, &board, clients::count(each));
    // Some stay for the drain, the others end in order.
    let staying = clients::leave(still_open, &runtime);
    let counters = scene::left_alone(&gateway, staying.len() as u64);
    watch.descriptors_are_back(staying.len());
    let drained = Instant::now();
    gateway.signal("TERM");
    let told = runtime.block_on(clients::are_told(staying));
    assert!(gateway.wait().success(), "it ends in order");
    watch::nothing_panicked(&gateway);

    println!("soak: {done}");
    println!("soak: {}", board.figures());
    println!("soak: {}", rude::figures(&metrics));
    println!("soak: {}", readings.figures());
    println!(
        "soak: {} sessions were opened; the last {told} were drained in {:.1} s; no session, no descriptor and no panic is left",
        counters.sum("sessions_opened", &[]),
        drained.elapsed().as_secs_f64(),
    );
    readings.assert_flat();
    println!("soak: all well");
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
