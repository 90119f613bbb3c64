//! `peer-extism GUEST.wasm [MILLISECONDS]`: calls the guest's `message`, without limits as Extism is fastest, or with a deadline for
//! each call and a limit of memory, as Weir's calls have them.

use extism::{Manifest, Plugin, Wasm};
use rounds::{LARGE, SMALL, report};
use std::time::Duration;

/// 16 MiB.
const PAGES: u32 = 256;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let guest = arguments.next().expect("peer-extism GUEST.wasm [MILLISECONDS]");
    let mut manifest = Manifest::new([Wasm::data(std::fs::read(guest).expect("a module"))]);
    if let Some(deadline) = arguments.next() {
        let deadline = Duration::from_millis(deadline.parse().expect("milliseconds"));
        manifest = manifest.with_timeout(deadline).with_memory_max(PAGES);
    }
    let mut plugin = Plugin::new(manifest, [], false).expect("a plugin");
    for (name, payload) in [("128", &SMALL[..]), ("4096", &LARGE[..])] {
        report(name, 20_000, || {
            let verdict: &[u8] = plugin.call("message", payload).expect("a verdict");
            assert_eq!(verdict, [1]);
        });
    }
}
