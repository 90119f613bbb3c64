//! The wheel against a tree of deadlines, which is what it took the place of.

use super::*;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

/// What is due by a time, slot by slot.
fn due(wheel: &mut Wheel, now: Time) -> Vec<usize> {
    let mut all = Vec::new();
    loop {
        match wheel.due(now) {
            Step::Due(slot) => all.push(slot),
            Step::Moved => {}
            Step::Done => return all,
        }
    }
}

/// Sebastiano Vigna's `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Short times as often as long ones, up to two days.
    fn distance(&mut self) -> u64 {
        let bits = self.next() % 25;
        self.next() & ((1 << bits) - 1)
    }
}

#[test]
fn deadlines_are_rounded_up_so_that_nobody_is_woken_early() {
    assert_eq!([0, 1, 9_999, 10_000, 10_001].map(|at| tick_of(Time(at))), [0, 1, 1, 1, 2]);
    let mut wheel = Wheel::default();
    wheel.arm(1, tick_of(Time(10_001)));
    assert_eq!(wheel.next(), Some(Time(20_000)));
    assert_eq!(due(&mut wheel, Time(19_999)), []);
    assert_eq!(due(&mut wheel, Time(20_000)), [1]);
    assert_eq!((due(&mut wheel, Time(u64::MAX)), wheel.next()), (vec![], None));
}

#[test]
fn a_connection_stands_in_it_once_and_the_earliest_comes_first() {
    let mut wheel = Wheel::default();
    for (slot, tick) in [(1, 5), (2, 3), (3, 3), (1, 1)] {
        wheel.arm(slot, tick);
    }
    wheel.disarm(3);
    wheel.disarm(3);
    assert_eq!((wheel.armed(1), wheel.armed(3), wheel.armed(9)), (1, Wheel::UNARMED, Wheel::UNARMED));
    assert_eq!(due(&mut wheel, Time(100 * TICK)), [1, 2]);
}

#[test]
fn what_was_due_before_it_was_armed_is_due_at_once() {
    let mut wheel = Wheel::default();
    assert_eq!(due(&mut wheel, Time(1_000 * TICK)), []);
    wheel.arm(0, 3);
    wheel.arm(1, 1_000);
    assert_eq!(wheel.armed(0), 3);
    assert_eq!(wheel.next(), Some(Time(1_000 * TICK)));
    assert_eq!(due(&mut wheel, Time(1_000 * TICK)), [0, 1]);
}

#[test]
fn a_deadline_in_the_far_future_is_one_too() {
    let mut wheel = Wheel::default();
    wheel.arm(0, tick_of(Time(u64::MAX - 1)));
    assert_eq!(due(&mut wheel, Time(1_000_000 * TICK)), []);
    assert!(wheel.next().is_some_and(|next| next > Time(1_000_000 * TICK)));
}

#[test]
fn an_armed_slot_costs_sixteen_bytes() {
    let mut wheel = Wheel::default();
    (0..1_000).for_each(|slot| wheel.arm(slot, slot as u64 * 977));
    assert_eq!(wheel.rings.bytes() / 1_000, 16);
}

#[test]
fn it_does_what_a_tree_does() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let (mut wheel, mut tree) = (Wheel::default(), BTreeSet::new());
        let mut armed = [Wheel::UNARMED; 64];
        let mut now = 0;
        for _ in 0..2_000 {
            let slot = random.next() as usize % armed.len();
            match random.next() % 8 {
                0..5 => {
                    let tick = (now + random.distance()).saturating_sub(random.next() % 4);
                    tree.remove(&(armed[slot], slot));
                    tree.insert((tick, slot));
                    wheel.arm(slot, tick);
                    armed[slot] = tick;
                }
                5 => {
                    tree.remove(&(armed[slot], slot));
                    wheel.disarm(slot);
                    armed[slot] = Wheel::UNARMED;
                }
                6 => {
                    // As the timers do: they wake when the wheel says.
                    now = wheel.next().map_or(now, |next| now.max(next.0 / TICK));
                    step(&mut wheel, &mut tree, &mut armed, now, seed);
                }
                _ => {
                    now += random.distance() >> 8;
                    step(&mut wheel, &mut tree, &mut armed, now, seed);
                }
            }
            let first = tree.first().map(|(tick, _)| (*tick).max(now));
            assert!(
                wheel.next().map(|next| next.0 / TICK) <= first && wheel.next().is_some() == first.is_some(),
                "seed {seed}: it would wake at {:?}, and the first is at {first:?}",
                wheel.next()
            );
            assert!(armed.iter().enumerate().all(|(slot, tick)| wheel.armed(slot) == *tick), "seed {seed}");
        }
    }
}

/// The same are due in both, and in the wheel none before one of an earlier tick, but for what was late when it was armed.
fn step(wheel: &mut Wheel, tree: &mut BTreeSet<(u64, usize)>, armed: &mut [u64], now: u64, seed: u64) {
    let later = tree.split_off(&(now + 1, 0));
    let mut expected: Vec<_> = std::mem::replace(tree, later).into_iter().collect();
    let before = wheel.at;
    let found = due(wheel, Time(now * TICK));
    let found: Vec<_> =
        found.into_iter().map(|slot| (std::mem::replace(&mut armed[slot], Wheel::UNARMED), slot)).collect();
    assert!(found.is_sorted_by_key(|(tick, _)| (*tick).max(before)), "seed {seed}: {found:?}");
    let mut sorted = found;
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected, "seed {seed}");
}

#[test]
fn a_step_moves_one_however_many_become_due_at_once() {
    let mut wheel = Wheel::default();
    let many = 10_000;
    // 30 seconds ahead, as heartbeats are: two levels up.
    (0..many).for_each(|slot| wheel.arm(slot, 3_000));
    let mut steps = 0;
    let mut woken = 0;
    loop {
        match wheel.due(Time(3_000 * TICK)) {
            Step::Due(slot) => {
                assert_eq!(slot, woken, "in the order in which they were armed");
                woken += 1;
            }
            Step::Moved => {
                // While it moves it says so, or nobody would go on.
                assert!(wheel.next().is_some_and(|next| next <= Time(3_000 * TICK)));
            }
            Step::Done => break,
        }
        steps += 1;
    }
    assert_eq!(woken, many);
    assert!(steps <= many * 2 + 2, "{steps} steps: each is moved once from the level above");
}

/// Run with `cargo test --release -p weir-core --lib wheel -- --ignored --nocapture`.
#[test]
#[ignore = "measures; docs/decisions.md has the figures"]
fn what_it_costs_against_a_tree() {
    const ROUNDS: usize = 9;
    println!("{:>10} {:>22} {:>22} {:>7}", "armed", "wheel, ns", "tree, ns", "ratio");
    for count in [1_000_usize, 20_000, 1_000_000] {
        for case in ["move", "fire"] {
            let (mut wheel_times, mut tree_times) = (Vec::new(), Vec::new());
            for round in 0..ROUNDS {
                let mut random = Random(round as u64);
                // Heartbeats of 30 seconds, opened over the time of one.
                let ticks: Vec<u64> = (0..count).map(|_| 1 + random.next() % 3_000).collect();
                let order: Vec<usize> = (0..count).map(|_| random.next() as usize % count).collect();
                let mut wheel = Wheel::default();
                let mut tree = BTreeSet::new();
                let mut armed = ticks.clone();
                for (slot, tick) in ticks.iter().enumerate() {
                    wheel.arm(slot, *tick);
                    tree.insert((*tick, slot as u64));
                }
                let (operations, [one, other]) = if case == "move" {
                    let begun = Instant::now();
                    for slot in &order {
                        wheel.arm(*slot, ticks[*slot] ^ 64);
                    }
                    let one = begun.elapsed();
                    let begun = Instant::now();
                    for slot in &order {
                        let to = ticks[*slot] ^ 64;
                        tree.remove(&(armed[*slot], *slot as u64));
                        tree.insert((to, *slot as u64));
                        armed[*slot] = to;
                    }
                    (count, [one, begun.elapsed()])
                } else {
                    // Each fires and is armed for 30 seconds later, tick by tick, for as long.
                    let begun = Instant::now();
                    let mut fired = 0;
                    for now in 1..=3_000 {
                        loop {
                            match wheel.due(Time(now * TICK)) {
                                Step::Due(slot) => {
                                    wheel.arm(slot, now + 3_000);
                                    fired += 1;
                                }
                                Step::Moved => {}
                                Step::Done => break,
                            }
                        }
                    }
                    let one = begun.elapsed();
                    let begun = Instant::now();
                    for now in 1..=3_000 {
                        while tree.first().is_some_and(|(tick, _)| *tick <= now) {
                            let Some((_, slot)) = tree.pop_first() else { break };
                            tree.insert((now + 3_000, slot));
                        }
                    }
                    assert_eq!(fired, count);
                    (count, [one, begun.elapsed()])
                };
                black_box((&wheel, &tree));
                wheel_times.push(one.as_nanos() as f64 / operations as f64);
                tree_times.push(other.as_nanos() as f64 / operations as f64);
            }
            let middle = |times: &mut Vec<f64>| {
                times.sort_by(f64::total_cmp);
                (times[0], times[ROUNDS / 2])
            };
            let ((best, wheel), (tree_best, tree)) = (middle(&mut wheel_times), middle(&mut tree_times));
            println!(
                "{count:>10} {case}: {wheel:>7.1} (best {best:>5.1}) {tree:>9.1} (best {tree_best:>5.1}) {:>8.2}",
                wheel / tree
            );
        }
    }
}
