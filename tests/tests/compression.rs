//! permessage-deflate (RFC 7692) with clients that we did not write; that nothing is agreed to without it, the other tests show.

use serde_json::{Value, json};
use weir_tests::{Gateway, Peer, artifact};

/// An echo and a group that agree to compression, each through a plugin or not.
fn gateway(plugin: bool) -> Gateway {
    let listener = |name: &str, route: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\n\
             compression = \"permessage-deflate\"\nroute = \"{route}\"\nlimits.queue = \"4MiB\"\n"
        )
    };
    let admin =
        "[admin]\nbind = \"127.0.0.1:0\"\n[plugins.defaults]\ndeadline = \"5s\"\nmax_output = \"2MiB\"\n";
    let config = format!("{admin}{}{}", listener("echo", "echo"), listener("group", "group:room"));
    let plugins = [("passthrough.wasm", artifact::plugin("passthrough"))];
    Gateway::start(&config, if plugin { &plugins } else { &[] })
}

/// Runs a client, and adds up what both sides say.
fn talk(script: &str, plugin: bool) -> (Gateway, Value) {
    let gateway = gateway(plugin);
    let urls = ["echo", "group"].map(|listener| format!("ws://{}/", gateway.address(listener)));
    let said = Peer::run(script, &[&urls[0], &urls[1]]);
    let metrics = gateway.settle("all clients have gone", |metrics| metrics.sum("sessions", &[]) == 0);
    let sum = |name, listener| metrics.sum(name, &[("listener", listener)]);
    assert_eq!(sum("messages_received", "echo"), said["echoed"].as_u64().unwrap());
    assert_eq!(sum("messages_delivered", "echo"), said["echoed"].as_u64().unwrap());
    assert_eq!(sum("messages_received", "group"), said["published"].as_u64().unwrap());
    assert_eq!(metrics.sum("messages_dropped", &[]), 0);
    for (listener, direction) in [("echo", "inbound"), ("echo", "outbound"), ("group", "outbound")] {
        let labels = [("listener", listener), ("direction", direction)];
        let (compressed, uncompressed) =
            (metrics.sum("compressed_bytes", &labels), metrics.sum("uncompressed_bytes", &labels));
        // Some messages are noise; those are not among the compressed ones that go out.
        assert!(compressed > 0 && compressed < uncompressed, "{listener} {direction}: {metrics}");
        let all = if direction == "inbound" { "received_bytes" } else { "delivered_bytes" };
        let all = sum(all, listener);
        let shown = if direction == "inbound" { uncompressed } else { compressed };
        assert!(shown <= all, "{shown} of {all}");
    }
    (gateway, said)
}

fn ended(gateway: &Gateway) -> [u64; 3] {
    let metrics = gateway.metrics();
    ["message_too_long", "invalid_utf8", "protocol"]
        .map(|reason| metrics.sum("sessions_closed", &[("reason", reason)]))
}

#[test]
fn python_websockets() {
    for plugin in [false, true] {
        let (gateway, said) = talk("compression_client.py", plugin);
        assert_eq!(said["codes"], json!([1009, 1009, 1007, 1002, 1002, 1002, 1002]));
        assert_eq!(ended(&gateway), [2, 1, 4]);
    }
}

#[test]
fn node_ws() {
    let (gateway, said) = talk("compression_client.mjs", false);
    assert_eq!(said["codes"], json!([1009, 1007]));
    assert_eq!(ended(&gateway), [1, 1, 0]);
}
