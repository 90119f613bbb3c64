//! The check against a running gateway, and the same against the fake one.
//!
//! ```sh
//! WEIR_WS=127.0.0.1:7001 WEIR_TCP=127.0.0.1:7002 WEIR_ROUTE=echo cargo test --package weir-client --test end_to_end
//! ```
//!
//! The listeners have `[listener.resume]` with a buffer of 64 KiB or more, path `/`, and the route `echo`, or with
//! `WEIR_ROUTE=group` one group. Without these variables only the fake gateway is talked to.

mod common;

use common::gateway::{FakeGateway, Setup};
use common::talk::{CUTS, talk};
use std::net::SocketAddr;

async fn running(variable: &str, scheme: &str) {
    let Ok(address) = std::env::var(variable) else { return };
    let address: SocketAddr = address.parse().expect("an address and a port");
    let echo = std::env::var("WEIR_ROUTE").is_ok_and(|route| route == "group");
    let resumed = talk(scheme, address, !echo).await;
    assert!(resumed >= CUTS, "the cuts were felt: {resumed}");
}

#[tokio::test]
async fn running_gateway_over_websocket() {
    running("WEIR_WS", "ws").await;
}

#[tokio::test]
async fn running_gateway_over_framed_tcp() {
    running("WEIR_TCP", "tcp").await;
}

#[tokio::test]
async fn forty_cuts_over_websocket() {
    let gateway = FakeGateway::start(Setup { websocket: true, ..Setup::default() }).await;
    let resumed = talk("ws", gateway.address, true).await;
    assert!(resumed >= CUTS, "{resumed}");
}

#[tokio::test]
async fn forty_cuts_over_framed_tcp() {
    let gateway = FakeGateway::start(Setup::default()).await;
    let resumed = talk("tcp", gateway.address, true).await;
    assert!(resumed >= CUTS, "{resumed}");
}
