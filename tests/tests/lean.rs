//! Ten thousand sessions on a small device.

use std::time::{Duration, Instant};
use weir_tests::herd::Herd;
use weir_tests::process::{self, Memory};
use weir_tests::{Gateway, PATIENCE, artifact};

const SESSIONS: usize = 10_000;
/// Of the whole process, its program and its plugin among it.
const MOST: u64 = 128 << 20;

#[test]
fn ten_thousand_sessions_fit_into_128_mebibytes() {
    process::open_files(SESSIONS as u64 + 200);
    let gateway = Gateway::start(
        "[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [[plugin]]\nname = \"passthrough\"\nmodule = \"passthrough.wasm\"\n\
         [[listener]]\nname = \"ws\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\nchain = [\"passthrough\"]\n\
         limits = { ping_interval = \"5s\", idle_timeout = \"1m\" }\n",
        &[("passthrough.wasm", artifact::plugin("passthrough"))],
    );
    let memory = || Memory::of(gateway.pid()).resident;
    let empty = memory();
    let mut herd = Herd::new(vec![gateway.address("ws")]);
    herd.grow(SESSIONS, 64);
    let mut most = memory();
    // Each has a message through the plugin, both ways, and a heartbeat.
    (0..SESSIONS).for_each(|at| herd.say(at, b"a message"));
    let begun = Instant::now();
    let all = SESSIONS as u64;
    while herd.tally.messages < all || gateway.metrics().sum("heartbeats_answered", &[]) < all {
        assert!(begun.elapsed() < PATIENCE, "{:?}, {}", herd.tally, gateway.metrics());
        for _ in 0..50 {
            herd.turn(Duration::from_millis(10));
        }
        most = most.max(memory());
    }
    println!(
        "{:.1} MiB empty, {:.1} MiB at most with {SESSIONS} sessions",
        empty as f64 / f64::from(1 << 20),
        most as f64 / f64::from(1 << 20)
    );
    assert_eq!((herd.tally.open, herd.tally.ended), (SESSIONS, 0));
    assert!(gateway.metrics().sum("plugin_calls", &[]) >= 2 * all, "the plugin had them all");
    assert!(most <= MOST, "{most} bytes");
}
