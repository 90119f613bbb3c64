//! The client libraries that come with Weir, against a real gateway: two clients talk while their connections are cut again and
//! again. Each message arrives once, in order, both ways.

#[path = "../../sdk/rust-client/tests/common/mod.rs"]
mod common;

use common::talk::{CUTS, talk};
use std::process::Command;
use weir_tests::{Gateway, artifact};

const LISTENERS: &str = r#"
[[listener]]
name = "ws"
protocol = "websocket"
compression = "permessage-deflate"
route = "group:room"
resume = { buffer = "128KiB" }
[[listener]]
name = "tcp"
protocol = "tcp"
route = "echo"
resume = { buffer = "128KiB" }
"#;

fn gateway() -> Gateway {
    let bound = LISTENERS.replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nchain = []\nprotocol");
    Gateway::start(&format!("[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 2\n{bound}"), &[])
}

/// Everything that a client took back, and nothing that was dropped.
fn check(gateway: &Gateway, cuts: u64) {
    let metrics = gateway.metrics();
    assert!(metrics.sum("sessions_returned", &[("outcome", "resumed")]) >= cuts, "{metrics}");
    for outcome in ["missed", "expired", "unknown"] {
        assert_eq!(metrics.sum("sessions_returned", &[("outcome", outcome)]), 0, "{metrics}");
    }
    for reason in ["away_full", "queue_full"] {
        assert_eq!(metrics.sum("messages_dropped", &[("reason", reason)]), 0, "{metrics}");
    }
}

#[tokio::test]
async fn rust_over_websocket() {
    let gateway = gateway();
    assert!(talk("ws", gateway.address("ws"), false).await >= CUTS);
    check(&gateway, CUTS as u64);
}

#[tokio::test]
async fn rust_over_framed_tcp() {
    let gateway = gateway();
    assert!(talk("tcp", gateway.address("tcp"), true).await >= CUTS);
    check(&gateway, CUTS as u64);
}

#[test]
fn javascript() {
    let gateway = gateway();
    let output = Command::new("node")
        .arg(artifact::root().join("sdk/js-client/test/end_to_end.mjs"))
        .arg(format!("ws://{}/", gateway.address("ws")))
        .arg("group")
        .env("WEIR_NODE", artifact::root().join("target/node"))
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    check(&gateway, 20);
}
