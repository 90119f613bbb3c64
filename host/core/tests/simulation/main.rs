//! Thousands of sessions with plugins that lie, without a socket: what a peer, an upstream, a plugin, a clock and a reload can do,
//! drawn by lot, with every invariant checked on the way and the sums of all messages at the end.
//!
//! Replays: `WEIR_SEED=7 cargo test -p weir-core --release --test simulation`. `WEIR_SESSIONS` and `WEIR_STEPS` say how long it
//! runs, `WEIR_SEEDS` how many short runs there are, `WEIR_CHECK_EVERY=1` checks after every step. The long form: `-- --ignored`.

mod onlooker;
mod payload;
mod peer;
mod plugin;
mod rng;
mod scene;
mod world;

use world::{Plan, World};

fn number(name: &str) -> Option<usize> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

fn play(seed: u64, sessions: usize, groups: bool) {
    let sessions = number("WEIR_SESSIONS").unwrap_or(sessions);
    let plan = Plan {
        seed: number("WEIR_SEED").map_or(seed, |seed| seed as u64),
        sessions,
        steps: number("WEIR_STEPS").unwrap_or(sessions * 200),
        at_once: 400,
        groups,
        check_every: number("WEIR_CHECK_EVERY").unwrap_or(500),
    };
    World::new(plan).run();
}

#[test]
fn two_thousand_sessions() {
    play(1, 2_000, true);
}

#[test]
fn two_thousand_sessions_whose_every_delivery_is_foretold() {
    play(2, 2_000, false);
}

#[test]
fn a_few_sessions_from_many_seeds() {
    let seeds = number("WEIR_SEEDS").unwrap_or(40) as u64;
    for seed in 100..100 + seeds {
        play(seed, 150, seed % 2 == 0);
    }
}

#[test]
#[ignore = "takes a minute: the long form"]
fn ten_thousand_sessions() {
    play(3, 10_000, true);
}
