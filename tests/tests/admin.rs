//! The admin server: health, metrics that others can read, plugins, and who may ask.

use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use weir_tests::client::{Client, u32be};
use weir_tests::raw::Raw;
use weir_tests::{Gateway, Peer, artifact};

const CONFIG: &str = r#"
[admin]
bind = "127.0.0.1:0"
[runtime]
workers = 2
[[plugin]]
name = "filter"
module = "wordfilter.wasm"
config = { words = ["spam"], binary = true }
[[listener]]
name = "tcp"
bind = "127.0.0.1:0"
protocol = "tcp"
chain = ["filter"]
route = "echo"
[[cluster]]
name = "unused"
protocol = "websocket"
endpoints = ["127.0.0.1:1"]
"#;

fn prepared(config: &str) -> weir_tests::gateway::Prepared {
    Gateway::prepare(config, &[("wordfilter.wasm", artifact::plugin("wordfilter"))])
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_openmetrics_and_say_what_happened() {
    let gateway = prepared(CONFIG).start();
    let mut client = Client::tcp(gateway.address("tcp"), u32be()).await.unwrap();
    for text in ["fine", "spam", "also fine"] {
        client.send(text.as_bytes()).await.unwrap();
    }
    assert_eq!(client.message().await.unwrap(), "fine");
    assert_eq!(client.message().await.unwrap(), "also fine");
    let metrics = gateway.settle("all seen", |metrics| metrics.sum("messages_delivered", &[]) == 2);
    assert_eq!(metrics.sum("messages_received", &[("listener", "tcp")]), 3);
    assert_eq!(metrics.sum("plugin_verdicts", &[("binding", "filter"), ("verdict", "drop")]), 1);
    assert_eq!(metrics.sum("plugin_verdicts", &[("binding", "filter"), ("verdict", "forward")]), 2);
    assert_eq!(metrics.sum("plugin_drops", &[("binding", "filter"), ("reason", "word")]), 1);
    assert_eq!(metrics.sum("plugin_generation", &[("binding", "filter")]), 1);
    assert_eq!(metrics.sum("received_bytes", &[]), 17);
    assert_eq!(metrics.sum("delivered_bytes", &[]), 13 + 2 * 4);
    assert_eq!(metrics.sum("sessions", &[]), 1);

    let (status, page) = gateway.get("/metrics");
    assert_eq!(status, 200);
    let file = gateway.dir().join("page");
    fs::write(&file, &page).unwrap();
    let families = Peer::run("openmetrics.py", &[&file.display().to_string()]);
    for (family, kind) in [
        ("weir_messages_received", "counter"),
        ("weir_received_bytes", "counter"),
        ("weir_messages_dropped", "counter"),
        ("weir_sessions_closed", "counter"),
        ("weir_sessions", "gauge"),
        ("weir_plugin_calls", "counter"),
        ("weir_plugin_failures", "counter"),
        ("weir_plugin_call_duration_seconds", "histogram"),
        ("weir_plugin_generation", "gauge"),
        ("weir_upstream_messages_delivered", "counter"),
    ] {
        assert_eq!(families[family], kind, "{family} in {families}");
    }
    // Its own count, under the name that its page gives.
    assert!(
        page.lines().any(|line| line.contains("dropped") && line.contains("filter") && line.ends_with(" 1")),
        "{page}"
    );
}

#[test]
fn health_and_plugins_are_told() {
    let gateway = prepared(CONFIG).start();
    assert_eq!(gateway.get("/healthz"), (200, "ok\n".into()));
    assert_eq!(gateway.get("/readyz"), (200, "ready\n".into()));
    assert_eq!(gateway.get("/nothing").0, 404);
    let page = gateway.plugins();
    assert_eq!(
        page["chains"],
        json!([{ "listener": "tcp", "chain": [{ "binding": "filter", "generation": 1 }] }])
    );
    let binding = gateway.binding("filter").unwrap();
    assert_eq!(binding["serving"]["generation"], 1, "{binding}");
    assert_eq!(binding["serving"]["sha256"].as_str().map(str::len), Some(64), "{binding}");
    gateway.settle("nothing happened", |metrics| metrics.sum("messages_received", &[]) == 0);
}

#[test]
fn a_token_guards_what_tells_something() {
    let config =
        CONFIG.replacen("bind = \"127.0.0.1:0\"", "bind = \"127.0.0.1:0\"\ntoken_file = \"token\"", 1);
    let gateway =
        prepared(&config).with(|dir| fs::write(dir.join("token"), "0123456789abcdef\n").unwrap()).start();
    let line = gateway.wait_for_log("admin", |line| line["message"] == "admin");
    let address: SocketAddr =
        line["address"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
    let ask = |path: &str, header: &str| {
        Raw::connect(address).request(&format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{header}\r\n")).0
    };
    for path in ["/metrics", "/v1/plugins"] {
        assert_eq!(ask(path, ""), 401, "{path}");
        assert_eq!(ask(path, "Authorization: Bearer 0123456789abcdeF\r\n"), 401, "{path}");
        assert_eq!(ask(path, "Authorization: Basic 0123456789abcdef\r\n"), 401, "{path}");
        assert_eq!(ask(path, "Authorization: Bearer 0123456789abcdef\r\n"), 200, "{path}");
    }
    // Whether it lives is asked by those who have no token.
    assert_eq!((ask("/healthz", ""), ask("/readyz", "")), (200, 200));
}

/// So many that ask slowly keep nobody away for longer than their time.
#[test]
fn those_who_ask_slowly_are_so_many_and_have_so_long() {
    let gateway = prepared(CONFIG).start();
    let line = gateway.wait_for_log("admin", |line| line["message"] == "admin");
    let address: SocketAddr =
        line["address"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
    let began = Instant::now();
    let mut slow: Vec<_> = (0..64)
        .map(|at| {
            let mut raw = Raw::connect(address);
            // Nothing, or the beginning of a request.
            assert!(raw.write(&b"GET /healthz HTTP/1.1\r\nHos"[..at % 2 * 26]));
            raw
        })
        .collect();
    // The 65th has its turn when the first of them have had theirs.
    assert_eq!(gateway.get("/healthz"), (200, "ok\n".into()));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(9_900), "{took:?}");
    for raw in &mut slow {
        raw.rest();
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(gateway.get("/readyz").0, 200);
}

#[test]
fn it_can_listen_on_a_socket_file() {
    let config = CONFIG.replacen("bind = \"127.0.0.1:0\"", "bind = \"unix:admin.sock\"", 1);
    let mut gateway = prepared(&config).start();
    let ask = |gateway: &Gateway| {
        let mut stream = UnixStream::connect(gateway.dir().join("admin.sock")).unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask(&gateway).starts_with("HTTP/1.1 200 "));
    // A crash leaves the file behind; the next start takes its place.
    gateway.signal("KILL");
    gateway.wait();
    let gateway = gateway.again();
    assert!(ask(&gateway).starts_with("HTTP/1.1 200 "));
}

/// A page of a site whose name leads to the gateway's address is of the same origin for its browser.
#[test]
fn what_clients_say_is_not_for_web_pages() {
    let files = [("wordfilter.wasm", artifact::plugin("wordfilter"))];
    let gateway = Gateway::start(CONFIG, &files);
    let ask = |head: &str| {
        let mut stream = gateway.call();
        write!(stream, "{head}\r\nConnection: close\r\n\r\n").expect("a request");
        let mut line = [0; 12];
        stream.read_exact(&mut line).expect("an answer");
        String::from_utf8_lossy(&line).into_owned()
    };
    for path in ["/v1/tap", "/v1/record?listener=tcp"] {
        assert_eq!(ask(&format!("GET {path} HTTP/1.1\r\nHost: evil.example:7900")), "HTTP/1.1 403", "{path}");
        let page = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:7900\r\nOrigin: http://evil.example");
        assert_eq!(ask(&page), "HTTP/1.1 403", "{path}");
    }
    assert_eq!(ask("GET /v1/tap HTTP/1.1\r\nHost: 127.0.0.1:7900"), "HTTP/1.1 200");
    assert_eq!(
        ask("POST /v1/config/reload HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0"),
        "HTTP/1.1 403"
    );
    // What the gateway counts was shown to every name, and is.
    assert_eq!(ask("GET /metrics HTTP/1.1\r\nHost: monitoring.example"), "HTTP/1.1 200");
}
