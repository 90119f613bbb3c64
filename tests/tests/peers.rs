//! Clients that we did not write: their programs are in tests/peers.

use serde_json::json;
use weir_tests::{Gateway, Metrics, Peer, artifact};

const ADMIN: &str =
    "[admin]\nbind = \"127.0.0.1:0\"\n[plugins.defaults]\ndeadline = \"5s\"\nmax_output = \"2MiB\"\n";

/// A gateway that echoes through a plugin.
fn echo(listeners: &[(&str, String)]) -> Gateway {
    let listener = |(name, keys): &(&str, String)| {
        format!("[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\n{keys}\nroute = \"echo\"\n")
    };
    let listeners: Vec<String> = listeners.iter().map(listener).collect();
    let plugins = [("passthrough.wasm", artifact::plugin("passthrough"))];
    Gateway::start(&format!("{ADMIN}{}", listeners.concat()), &plugins)
}

/// What the client says it got back is what the gateway says it took in and gave out.
fn settled(gateway: &Gateway, listener: &str, echoed: u64) -> Metrics {
    let mine = ("listener", listener);
    let metrics = gateway.settle("all clients have gone", |metrics| {
        metrics.sum("messages_delivered", &[mine]) >= echoed && metrics.sum("sessions", &[]) == 0
    });
    assert_eq!(metrics.sum("messages_received", &[mine]), echoed);
    assert_eq!(metrics.sum("messages_delivered", &[mine]), echoed);
    assert_eq!(metrics.sum("messages_dropped", &[mine]), 0);
    metrics
}

fn websocket_client(script: &str) {
    let gateway = echo(&[("ws", "protocol = \"websocket\"".into())]);
    let said = Peer::run(script, &[&format!("ws://{}/", gateway.address("ws"))]);
    assert_eq!(said["codes"], json!([1009, 1007, 1009]));
    assert_eq!(said["statuses"], json!([404, 403, 101]));
    let metrics = settled(&gateway, "ws", said["echoed"].as_u64().unwrap());
    let closed = |reason| metrics.sum("sessions_closed", &[("reason", reason)]);
    let reasons = ["client", "message_too_long", "invalid_utf8", "fragments", "protocol"].map(closed);
    assert_eq!(reasons, [2, 1, 1, 1, 2], "by its own wish, the three breaches, the two refused requests");
    let ended = gateway.wait_for_log("the client's code", |line| line["code"] == 4321);
    assert_eq!((&ended["reason"], &ended["said"]), (&json!("client"), &json!("that was all")));
}

#[test]
fn python_websockets() {
    websocket_client("websocket_client.py");
}

#[test]
fn node_ws() {
    websocket_client("websocket_client.mjs");
}

#[test]
fn aioquic() {
    let gateway = echo(&[("quic", "protocol = \"quic\"".into())]);
    let said = Peer::run("quic_client.py", &[&gateway.address("quic").port().to_string()]);
    assert_eq!(said["codes"], json!([1009]));
    assert_eq!(said["alpn"], "refused");
    let metrics = settled(&gateway, "quic", said["echoed"].as_u64().unwrap());
    let closed = |reason| metrics.sum("sessions_closed", &[("reason", reason)]);
    assert_eq!(["client", "message_too_long", "protocol"].map(closed), [1, 1, 1]);
    let ended = gateway.wait_for_log("the client's code", |line| line["code"] == 4242);
    assert_eq!((&ended["reason"], &ended["said"]), (&json!("client"), &json!("that was all")));
}

#[test]
fn aioquic_with_webtransport() {
    let gateway = echo(&[("wt", "protocol = \"webtransport\"\npath = \"/wt\"".into())]);
    let said = Peer::run("webtransport_client.py", &[&gateway.address("wt").port().to_string(), "/wt"]);
    assert_eq!((&said["second"], &said["plain"]), (&json!(429), &json!(405)));
    assert_eq!(said["end"], 0x100, "H3_NO_ERROR");
    let refused = [404, 403, 405, 501, 431, 431, 400].map(|status| json!([status, 0x100]));
    assert_eq!(said["refused"], json!(refused));
    assert_eq!(said["too_long"], json!([1009, "message longer than the limit"]));
    let (unexpected, critical, creation) = (0x105, 0x104, 0x103);
    assert_eq!(
        said["broken"],
        json!([unexpected, unexpected, unexpected, critical, creation, unexpected, 0x10e, 0x33])
    );
    let metrics = settled(&gateway, "wt", said["echoed"].as_u64().unwrap());
    let closed = |reason| metrics.sum("sessions_closed", &[("reason", reason)]);
    assert_eq!(["client", "message_too_long", "protocol"].map(closed), [1, 1, 7 + 8]);
    let ended = gateway.wait_for_log("the client's code", |line| line["code"] == 4242);
    assert_eq!((&ended["reason"], &ended["said"]), (&json!("client"), &json!("that was all")));
    let opened = gateway.wait_for_log("the session", |line| line["message"] == "session opened");
    assert_eq!(opened["transport"], "webtransport");
}

#[test]
fn a_session_of_aioquic_is_told_that_the_gateway_goes() {
    let config = format!(
        "{ADMIN}[[listener]]\nname = \"wt\"\nbind = \"127.0.0.1:0\"\nprotocol = \"webtransport\"\nroute = \"echo\"\n\
         [runtime]\ndrain = {{ ready_delay = \"0s\", retry = \"0s\" }}\n"
    );
    let mut gateway = Gateway::start(&config, &[]);
    let port = gateway.address("wt").port().to_string();
    let peer = Peer::start("webtransport_client.py", &[&port, "/", "drain"]);
    assert_eq!(peer.said()["ready"], true);
    gateway.signal("TERM");
    let said = peer.finish();
    assert_eq!(said["capsules"], json!([[0x78ae, "", ""], [0x2843, "000003e9", "gateway is going away"]]));
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn plain_sockets_with_frames_by_hand() {
    let length = |prefix, max| format!("type = \"length\", prefix = \"{prefix}\", max = {max}");
    let framings = [
        ("u8", length("u8", 255)),
        ("u16be", length("u16be", 65_535)),
        ("u16le", length("u16le", 65_535)),
        ("u32be", length("u32be", 1 << 20)),
        ("u32le", length("u32le", 1 << 20)),
        ("varint", length("varint", 1 << 20)),
        ("line", "type = \"line\", max = 65536".into()),
        ("delimiter", "type = \"delimiter\", delimiter = \"||\", max = 65536".into()),
        ("checked", "type = \"checked\", max = 65536".into()),
        ("raw", "type = \"raw\", max = 65536".into()),
    ];
    let listeners =
        framings.map(|(name, framing)| (name, format!("protocol = \"tcp\"\nframing = {{ {framing} }}")));
    let gateway = echo(&listeners);
    let ports: serde_json::Map<_, _> =
        listeners.iter().map(|(name, _)| ((*name).into(), json!(gateway.address(name).port()))).collect();
    let said = Peer::run("socket_client.py", &[&serde_json::Value::Object(ports).to_string()]);
    for (name, _) in listeners.iter().filter(|(name, _)| *name != "raw") {
        settled(&gateway, name, said[name].as_u64().unwrap());
    }
    // What a message is over raw is chance; the client has compared the bytes.
    let metrics = gateway.settle("raw", |metrics| metrics.sum("sessions", &[]) == 0);
    let raw = [("listener", "raw")];
    assert_eq!(metrics.sum("messages_received", &raw), metrics.sum("messages_delivered", &raw));
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "client")]), 50, "five connections each");
}
