//! `peer-extism GUEST.wasm`: calls the guest's `message`. No limits of time or memory are set: Extism calls are faster without.

use extism::{Manifest, Plugin, Wasm};
use rounds::{LARGE, SMALL, report};

fn main() {
    let guest = std::env::args().nth(1).expect("peer-extism GUEST.wasm");
    let mut plugin = Plugin::new(Manifest::new([Wasm::file(guest)]), [], false).expect("a plugin");
    for (name, payload) in [("128", &SMALL[..]), ("4096", &LARGE[..])] {
        report(name, 20_000, || {
            let verdict: &[u8] = plugin.call("message", payload).expect("a verdict");
            assert_eq!(verdict, [1]);
        });
    }
}
