//! Somebody who cannot leave it alone: files are replaced, some with nonsense, and the configuration is changed.

use crate::board::Board;
use crate::lots::Lots;
use crate::scene::{self, STAMP, TRAPS};
use crate::watch::{Readings, Watch};
use std::fs;
use std::time::{Duration, Instant};
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, artifact, wait_for};

/// How often, about.
const SWAP: Duration = Duration::from_secs(4);
const NONSENSE: Duration = Duration::from_secs(9);
const RENEW: Duration = Duration::from_secs(13);
const RECONFIGURE: Duration = Duration::from_secs(20);
/// How often it is looked whether all is well.
const LOOK: Duration = Duration::from_millis(200);

/// Works until the end; gives what was done, and what the watch has seen.
pub(crate) fn work(
    gateway: &Gateway,
    board: &Board,
    watch: &Watch,
    mut lots: Lots,
    end: Instant,
) -> (String, Readings) {
    let begun = Instant::now();
    let mut readings = Readings::default();
    let mut due = [SWAP, NONSENSE, RENEW, RECONFIGURE].map(|every| begun + every);
    let [mut swaps, mut nonsense, mut renewed, mut reloads] = [0_u32; 4];
    while Instant::now() < end {
        std::thread::sleep(LOOK);
        board.assert_fine();
        readings.look(watch, begun.elapsed());
        let now = Instant::now();
        if now >= due[0] {
            due[0] = now + lots.about(SWAP);
            swaps += 1;
            let before = serving(gateway);
            Swap::ALL[swaps as usize % 3].apply(gateway, STAMP, &stamp::version(swaps));
            wait_for("the new version serves", || {
                board.assert_fine();
                serving(gateway) > before
            });
        }
        if now >= due[1] {
            due[1] = now + lots.about(NONSENSE);
            nonsense += 1;
            // Over the good one, which serves on; and beside it.
            let bytes = nonsense_of(nonsense, &mut lots);
            Swap::ALL[lots.below(3) as usize].apply(gateway, STAMP, &bytes);
            fs::write(gateway.plugin_path("90-bad.wasm"), bytes).expect("a file");
        }
        if now >= due[2] {
            due[2] = now + lots.about(RENEW);
            renewed += 1;
            let mut file = fs::read(artifact::guest("slow")).expect("the guest");
            // A custom section makes it another file: id 0, ten bytes, a name of one and eight of what it is for.
            file.extend([&[0, 10, 1, b'n'][..], &u64::from(renewed).to_be_bytes()].concat());
            Swap::Rename.apply(gateway, TRAPS, &file);
        }
        if now >= due[3] {
            due[3] = now + lots.about(RECONFIGURE);
            reloads += 1;
            scene::reconfigure(gateway, 2 + reloads % 2);
        }
    }
    // The last word is a good one.
    swaps += 1;
    let before = serving(gateway);
    Swap::Rename.apply(gateway, STAMP, &stamp::version(swaps));
    wait_for("the last version serves", || serving(gateway) > before);
    let done = format!(
        "{} s: {swaps} versions of a plugin served, {nonsense} files that are none were refused, the plugin that traps was replaced \
         {renewed} times, the configuration read {reloads} times",
        begun.elapsed().as_secs()
    );
    (done, readings)
}

/// The number of the generation that serves: files that are refused make none.
fn serving(gateway: &Gateway) -> Option<u64> {
    gateway.binding("stamp")?["serving"]["generation"].as_u64()
}

/// Files that are no plugins.
fn nonsense_of(number: u32, lots: &mut Lots) -> Vec<u8> {
    let good = stamp::version(1_000_000 - number);
    match number % 5 {
        0 => b"#!/bin/sh\necho no\n".to_vec(),
        1 => good[..good.len() / 2].to_vec(),
        2 => Vec::new(),
        3 => (0..10_000).map(|_| lots.below(256) as u8).collect(),
        _ => fs::read(artifact::guest("future")).expect("the guest"),
    }
}
