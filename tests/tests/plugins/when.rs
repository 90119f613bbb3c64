//! Filters before plugins: what they are not for makes no call.

use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::{Gateway, artifact};

#[test]
fn messages_that_a_plugin_is_not_for_make_no_call() {
    let config = r#"
        admin = { bind = "127.0.0.1:0" }
        runtime = { workers = 1 }
        [[plugin]]
        name = "a"
        module = "stamp.wasm"
        config = { mark = "a" }
        when = { direction = "inbound", kind = "text", json = { "/type" = "chat", "/room/0" = 7 } }
        [[plugin]]
        name = "b"
        module = "stamp.wasm"
        config = { mark = "b" }
        when = { direction = "outbound", min_size = 4, max_size = "1KiB", prefix = "xx", listener = ["ws"] }
        [[plugin]]
        name = "c"
        module = "stamp.wasm"
        config = { mark = "c" }
        when = { direction = "inbound", attribute = { "weir.path" = "/", "weir.listener" = "ws" }, prefix = "c" }
        [[listener]]
        name = "ws"
        bind = "127.0.0.1:0"
        protocol = "websocket"
        route = "echo"
        chain = ["a", "b", "c"]
    "#;
    let fixture = artifact::root().join("tests/fixtures/stamp-without-batch.wasm");
    let gateway = Gateway::start(config, &[("stamp.wasm", fixture)]);
    let mut client = Raw::websocket(gateway.address("ws"));
    let chat = r#"{"room":[7],"type":"chat"}"#;
    let long = format!("xx{}", "-".repeat(1023));
    for (opcode, said, heard) in [
        (1, chat, format!("{chat}<a0")),
        (2, chat, chat.to_owned()),
        (1, r#"{"room":[7],"type":"chat""#, r#"{"room":[7],"type":"chat""#.to_owned()),
        (1, r#"{"room":["7"],"type":"chat"}"#, r#"{"room":["7"],"type":"chat"}"#.to_owned()),
        (1, "xx", "xx".to_owned()),
        (1, "xxyy", "xxyy>b0".to_owned()),
        (1, &long, long.clone()),
        (1, "c", "c<c0".to_owned()),
    ] {
        assert!(client.write(&masked(0x80 | opcode, said.as_bytes())));
        assert_eq!(client.frame(), Frame::Frame(opcode, heard.into_bytes()));
    }
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_delivered", &[]) == 8);
    metrics.assert_ledger();
    for binding in ["a", "b", "c"] {
        let label = [("binding", binding)];
        // One message, and the session that opened: that is told whatever the filter says. The other fifteen went by.
        assert_eq!(metrics.sum("plugin_calls", &label), 2, "{binding}");
        assert_eq!(metrics.sum("plugin_messages_skipped", &label), 15, "{binding}");
    }
}

#[test]
fn the_file_beside_a_plugin_has_a_filter_too() {
    let config = "admin = { bind = \"127.0.0.1:0\" }\n[[listener]]\nname = \"ws\"\nbind = \"127.0.0.1:0\"\n\
                  protocol = \"websocket\"\nroute = \"echo\"\n";
    let fixture = artifact::root().join("tests/fixtures/stamp-without-batch.wasm");
    let beside = "when = { prefix = \"x\", direction = \"inbound\" }\n[config]\nmark = \"s\"\n";
    let gateway = Gateway::prepare(config, &[("stamp.wasm", fixture)])
        .with(|dir| std::fs::write(dir.join("plugins/stamp.toml"), beside).expect("a file"))
        .start();
    let mut client = Raw::websocket(gateway.address("ws"));
    for (said, heard) in [("a", "a"), ("x", "x<s0")] {
        assert!(client.write(&masked(0x81, said.as_bytes())));
        assert_eq!(client.frame(), Frame::Frame(1, heard.into()));
    }
}
