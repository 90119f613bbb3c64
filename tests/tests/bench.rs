//! `weir bench`: against the gateway over everything that it speaks, and against servers that others wrote, some of which lie.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use weir_tests::certificate::Authority;
use weir_tests::command::{Done, weir};
use weir_tests::{Gateway, Peer, artifact, wait_for};

/// Long enough that something was measured on any machine, and what was measured is not looked at.
const SHORT: [&str; 4] = ["--duration", "300ms", "--warm-up", "100ms"];

/// Runs it, and gives the exit code and the result.
fn bench(dir: &Path, url: &str, args: &[&str]) -> (i32, Value) {
    let all = [&["bench", url, "--json"], args].concat();
    let done = weir(dir, &all);
    let result = serde_json::from_str(&done.out);
    (done.code, result.unwrap_or_else(|error| panic!("{all:?}: {error}\n{}\n{}", done.out, done.err)))
}

/// The same of a run in which nothing may be wrong.
fn clean(dir: &Path, url: &str, args: &[&str]) -> Value {
    let (code, result) = bench(dir, url, &[args, &SHORT].concat());
    assert_eq!((code, &result["errors"]), (0, &json!({})), "{url} {args:?}: {result}");
    let of = |key: &str| result[key].as_u64().unwrap();
    assert!(of("sent") > 0 && of("received") > 0 && of("bytes_received") > 0, "{url} {args:?}: {result}");
    assert_eq!(result["url"], url);
    let latency = |key: &str| result["latency_us"][key].as_f64().unwrap();
    let points = ["min", "p50", "p90", "p99", "p999", "max"].map(latency);
    assert!(points[0] > 0.0 && points.is_sorted(), "{points:?}");
    result
}

fn fails(url: &str, args: &[&str]) -> Done {
    let done = weir(Path::new("."), &[&["bench", url], args, &SHORT].concat());
    assert_eq!((done.code, &*done.out), (2, ""), "{}", done.err);
    done
}

fn listener(name: &str, keys: &str) -> String {
    format!("[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nchain = []\n{keys}\n")
}

fn gateway(listeners: &[(&str, &str)]) -> Gateway {
    let listeners: Vec<String> = listeners.iter().map(|(name, keys)| listener(name, keys)).collect();
    Gateway::start(&format!("[admin]\nbind = \"127.0.0.1:0\"\n{}", listeners.concat()), &[])
}

#[test]
fn every_scheme() {
    let authority = Authority::default();
    let tls = "route = \"echo\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let u32be = "framing = { type = \"length\", prefix = \"u32be\", max = \"1MiB\" }";
    let listeners = [
        listener("tcp", &format!("route = \"echo\"\nprotocol = \"tcp\"\n{u32be}")),
        listener("tls", &format!("protocol = \"tcp\"\n{u32be}\n{tls}")),
        listener("ws", "route = \"echo\"\nprotocol = \"websocket\"\npath = \"/echo\""),
        listener("wss", &format!("protocol = \"websocket\"\n{tls}")),
        listener("quic", &format!("protocol = \"quic\"\n{tls}")),
        listener("https", &format!("protocol = \"webtransport\"\npath = \"/wt\"\n{tls}")),
    ];
    let config = format!("[admin]\nbind = \"127.0.0.1:0\"\n{}", listeners.concat());
    let gateway = Gateway::prepare(&config, &[]).with(|dir| authority.write(dir)).start();
    let dir = gateway.dir().to_owned();
    for (scheme, path) in
        [("tcp", ""), ("tls", ""), ("ws", "/echo"), ("wss", "/"), ("quic", ""), ("https", "/wt")]
    {
        let url = format!("{scheme}://127.0.0.1:{}{path}", gateway.address(scheme).port());
        let secure = !matches!(scheme, "tcp" | "ws");
        let ca: &[&str] = if secure { &["--ca", "ca.pem"] } else { &[] };
        for load in [
            &["--connections", "1"][..],
            &[
                "--connections",
                "9",
                "--in-flight",
                "16",
                "--threads",
                "2",
                "--text",
                "--size",
                "24:5,300:3,20KiB:1",
            ],
            &["--connections", "3", "--rate", "500"],
            // Without room for a marker.
            &["--connections", "2", "--size", "8", "--in-flight", "4"],
        ] {
            let result = clean(&dir, &url, &[load, ca].concat());
            let asked: u64 = load[1].parse().unwrap();
            assert_eq!(
                result["connections"],
                json!({"asked": asked, "open": asked, "failed": 0, "closed": 0})
            );
            if load.contains(&"--rate") {
                assert_eq!(result["sent"], 150, "500 a second for 300 ms");
            }
        }
        if secure && !matches!(scheme, "quic" | "https") {
            // Not an authority of this machine.
            let done = fails(&url, &[]);
            assert!(done.err.contains("--ca FILE"), "{scheme}: {}", done.err);
        }
        if secure {
            clean(&dir, &url, &["--insecure"]);
        }
    }
    gateway.settle("all have gone", |metrics| metrics.sum("sessions", &[]) == 0).assert_ledger();
}

#[test]
fn every_framing() {
    for (framing, word) in [
        ("{ type = \"line\", max = \"64KiB\" }", "line"),
        ("{ type = \"checked\", max = \"64KiB\" }", "checked"),
        ("{ type = \"length\", prefix = \"varint\", max = \"64KiB\" }", "length:varint"),
        ("{ type = \"delimiter\", delimiter = \"||\", max = \"64KiB\" }", "delimiter:||"),
        ("{ type = \"raw\", max = \"64KiB\" }", "raw"),
    ] {
        let gateway =
            gateway(&[("tcp", &format!("route = \"echo\"\nprotocol = \"tcp\"\nframing = {framing}"))]);
        let url = format!("tcp://{}", gateway.address("tcp"));
        clean(gateway.dir(), &url, &["-c", "3", "--in-flight", "50", "--size", "24,1000", "--framing", word]);
    }
}

/// Longer than what the socket takes at once: what TLS keeps of it is not left until the next message.
#[test]
fn long_messages_over_tls() {
    let authority = Authority::default();
    let framing = "framing = { type = \"length\", prefix = \"u32be\", max = \"16MiB\" }";
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
    let listener = listener("tls", &format!("route = \"echo\"\nprotocol = \"tcp\"\n{framing}\n{tls}"));
    let config = format!("[admin]\nbind = \"127.0.0.1:0\"\n{listener}");
    let gateway = Gateway::prepare(&config, &[]).with(|dir| authority.write(dir)).start();
    let url = format!("tls://{}", gateway.address("tls"));
    let load = ["-c", "3", "--size", "8MiB", "--ca", "ca.pem", "--timeout", "20s"];
    let (code, result) =
        bench(gateway.dir(), &url, &[&load[..], &["--duration", "200ms", "--warm-up", "0"]].concat());
    assert_eq!((code, &result["errors"]), (0, &json!({})), "{result}");
    assert!(result["sent"].as_u64() >= Some(3), "{result}");
}

#[test]
fn publishers_and_subscribers_of_the_gateway() {
    let gateway = gateway(&[
        ("publish", "protocol = \"websocket\"\nroute = \"group:room\"\njoin = []"),
        ("subscribe", "protocol = \"websocket\"\nroute = \"drop\"\njoin = [\"room\"]"),
        ("publish-there", "protocol = \"websocket\"\nroute = \"group:there\"\njoin = []"),
        ("subscribe-there", "protocol = \"websocket\"\nroute = \"drop\"\njoin = [\"there\"]"),
        (
            "both",
            "protocol = \"tcp\"\nframing = { type = \"line\", max = \"64KiB\" }\nroute = \"group:lobby\"",
        ),
    ]);
    let at = |name| gateway.address(name);
    let (subscribe, publish) = (format!("ws://{}", at("subscribe")), format!("ws://{}", at("publish")));
    for pace in [["--in-flight", "4"], ["--rate", "400"]] {
        let groups = ["-c", "20", "--groups", "1", "--publishers", "2", "--publisher-url", &publish];
        let result = clean(gateway.dir(), &subscribe, &[&groups[..], &pace].concat());
        if pace[0] == "--rate" {
            assert_eq!(result["sent"], 120, "400 a second for 300 ms");
        }
        assert!(result["received"].as_u64() > result["sent"].as_u64(), "{result}");
    }
    // Two servers: what is published at one reaches nobody of the other.
    let [publish_there, there] =
        ["publish-there", "subscribe-there"].map(|name| format!("ws://{}", at(name)));
    let load = ["-c", "5", "--groups", "1", "--publisher-url", &publish, "--pairs", "1"];
    let other = ["--compare", &there, "--compare-publisher-url", &publish_there];
    let result = clean(gateway.dir(), &subscribe, &[&load[..], &other].concat());
    assert!(result["compare"]["results"][0][1]["received"].as_u64() > Some(0), "{result}");
    // Everybody is in the group, publishers too: what they get of their own is nobody's error.
    let url = format!("tcp://{}", at("both"));
    clean(gateway.dir(), &url, &["-c", "5", "--groups", "1", "--framing", "line"]);
}

#[test]
fn a_server_of_others_that_is_honest() {
    let server = Peer::start("bench_server.py", &[]);
    let port = server.port();
    let dir = tempfile::tempdir().unwrap();
    for (path, load) in [
        ("/echo", &["-c", "5", "--in-flight", "8"][..]),
        ("/wrap", &["-c", "2", "--in-flight", "8", "--text"]),
        ("/cut", &["-c", "2", "--in-flight", "3"]),
        ("/fragments", &["-c", "2", "--in-flight", "3", "--text", "--size", "200"]),
        ("/ping", &["-c", "2"]),
    ] {
        clean(dir.path(), &format!("ws://localhost:{port}{path}"), load);
    }
    let file = dir.path().join("payload.json");
    fs::write(&file, r#"{"id":"{marker}","say":"hello"}"#).unwrap();
    clean(
        dir.path(),
        &format!("ws://localhost:{port}/wrap"),
        &["--in-flight", "4", "--payload", "payload.json"],
    );
    // It is another program: what it took is seen.
    let pid = server.pid().to_string();
    let result = clean(dir.path(), &format!("ws://localhost:{port}/echo"), &["--server-pid", &pid]);
    assert!(result["server"]["cpu_us_per_message"].as_f64() > Some(0.0), "{result}");
    assert!(result["server"]["rss_bytes"].as_u64() > Some(1 << 20), "{result}");
}

#[test]
fn a_server_that_loses_doubles_or_reorders_is_told_on() {
    let server = Peer::start("bench_server.py", &[]);
    let port = server.port();
    let dir = tempfile::tempdir().unwrap();
    // A message behind must not be taken for the lost one: five in flight, and a loss is found by what overtakes it.
    for (path, reason) in [("/drop", "lost"), ("/double", "doubled"), ("/reorder", "out_of_order")] {
        let load =
            ["-c", "2", "--in-flight", "5", "--timeout", "2s", "--duration", "500ms", "--warm-up", "0"];
        let (code, result) = bench(dir.path(), &format!("ws://127.0.0.1:{port}{path}"), &load);
        let count = result["errors"][reason].as_u64().unwrap_or(0);
        assert_eq!((code, result["errors"].as_object().unwrap().len()), (1, 1), "{path}: {result}");
        // One of ten of each connection, and the one that was last may have been met by none behind it.
        let sent = result["sent"].as_u64().unwrap();
        assert!(count >= 1 && count.abs_diff(sent / 10) <= 4, "{path}: {count} of {sent}");
    }
    // Where no answer comes at all, a closed loop goes on after the timeout.
    let load = ["-c", "1", "--timeout", "100ms", "--duration", "1s", "--warm-up", "0"];
    let (code, result) = bench(dir.path(), &format!("ws://127.0.0.1:{port}/drop"), &load);
    assert!(code == 1 && result["errors"]["lost"].as_u64() > Some(0), "{result}");
    assert!(result["received"].as_u64() > Some(4), "it went on after the first loss: {result}");
}

#[test]
fn an_open_loop_does_not_forgive_a_stall() {
    let server = Peer::start("bench_server.py", &[]);
    let url = format!("ws://127.0.0.1:{}/stall", server.port());
    let dir = tempfile::tempdir().unwrap();
    let time = ["-c", "1", "--duration", "2500ms", "--warm-up", "0"];
    let (code, open) = bench(dir.path(), &url, &[&time[..], &["--rate", "200"]].concat());
    assert_eq!((code, &open["sent"], &open["errors"]), (0, &json!(500), &json!({})), "{open}");
    let p90 = |result: &Value| result["latency_us"]["p90"].as_f64().unwrap();
    // Two of five were due in the second in which nothing was answered; the tenth that waited longest waited three quarters of it.
    assert!(p90(&open) > 500_000.0, "{open}");
    assert!(open["latency_us"]["max"].as_f64() > Some(950_000.0), "{open}");
    // The same server in a closed loop: one message has waited, and all others were not sent meanwhile.
    let (_, closed) = bench(dir.path(), &url, &time);
    assert!(closed["latency_us"]["max"].as_f64() > Some(950_000.0), "{closed}");
    assert!(p90(&closed) < 500_000.0, "{closed}");
}

#[test]
fn all_senders_keep_one_schedule() {
    let gateway = gateway(&[("ws", "protocol = \"websocket\"\nroute = \"echo\"")]);
    let url = format!("ws://{}", gateway.address("ws"));
    let load = ["-c", "3", "--rate", "10", "--duration", "2s", "--warm-up", "0"];
    let (code, result) = bench(gateway.dir(), &url, &load);
    assert_eq!((code, &result["sent"]), (0, &json!(20)), "{result}");
    // A sender that waited for another's turn would be 100 ms late.
    assert!(result["lateness_us"]["p50"].as_f64() < Some(50_000.0), "{result}");
}

#[test]
fn protocols_by_templates() {
    let server = Peer::start("bench_server.py", &[]);
    let port = server.port();
    let dir = tempfile::tempdir().unwrap();
    let nats = [
        &["-c", "12", "--groups", "3", "--publishers", "1", "--in-flight", "2", "--timeout", "10s"][..],
        &[
            "--hello",
            r"CONNECT {}\r\nSUB bench.{group} 1\r\nPING\r\n",
            "--hello-publishers",
            r"CONNECT {}\r\nPING\r\n",
        ],
        &["--ready", "READY", "--answer", r"PING\r\n=PONG\r\n"],
        &["--publish", r"PUB bench.{group} {size}\r\n{payload}\r\n"],
    ]
    .concat();
    let result = clean(dir.path(), &format!("ws://127.0.0.1:{port}/pubsub"), &nats);
    assert!(result["other_messages"].as_u64() >= Some(24), "INFO and READY: {result}");
    let lossy: Vec<&str> = nats.iter().map(|word| if *word == "10s" { "500ms" } else { *word }).collect();
    let lossy = [&lossy[..], &["--duration", "1s", "--warm-up", "0"]].concat();
    let (code, result) = bench(dir.path(), &format!("ws://127.0.0.1:{port}/pubsub-lossy"), &lossy);
    assert!(code == 1 && result["errors"]["lost"].as_u64() > Some(0), "{result}");
    assert_eq!(result["errors"].as_object().unwrap().len(), 1, "{result}");
}

#[test]
fn ends_and_refusals_are_counted_and_explained() {
    let server = Peer::start("bench_server.py", &[]);
    let port = server.port();
    let dir = tempfile::tempdir().unwrap();
    let (code, result) =
        bench(dir.path(), &format!("ws://127.0.0.1:{port}/close"), &["-c", "3", "--duration", "1s"]);
    assert_eq!((code, &result["errors"]["closed_4000"]), (1, &json!(3)), "{result}");
    assert_eq!(result["connections"], json!({"asked": 3, "open": 3, "failed": 0, "closed": 3}));
    for (url, says) in [
        (format!("ws://127.0.0.1:{port}/refuse"), "status 403: not here"),
        (format!("tcp://127.0.0.1:{}", closed_port()), "is the server running?"),
        (format!("quic://127.0.0.1:{port}"), "127.0.0.1"),
        ("tcp://127.0.0.1".into(), "has no port"),
        (format!("ws://127.0.0.1:{port}/never"), "--ready"),
    ] {
        let never: &[&str] = if url.ends_with("never") { &["--ready", "never"] } else { &[] };
        let done = fails(&url, &[never, &["--timeout", "1s"]].concat());
        assert!(done.err.contains(says), "{url}: {}", done.err);
    }
    for (wrong, says) in [
        (&["--size", "x"][..], "64:90,4KiB:10"),
        (&["--publish", "no place"], "{payload}"),
        (&["--hello", r"\q"], "backslash"),
        (&["--groups", "60"], "--connections"),
        (&["--groups", "1", "--size", "8"], "24 bytes"),
        (&["--publisher-url", "ws://127.0.0.1:1"], "--groups"),
        (&["--compare", "result.json", "--compare-pid", "1"], "--compare URL"),
        (
            &["--compare", "ws://127.0.0.1:1", "--groups", "1", "--publisher-url", "ws://127.0.0.1:1"],
            "--compare-publisher-url",
        ),
        (&["--rate", "0"], "--rate"),
        (&["--server-pid", "4294967"], "no process"),
        (&["--compare", "/nowhere.json"], "/nowhere.json"),
        (&["--header", "none"], "Name: value"),
    ] {
        let done = fails(&format!("ws://127.0.0.1:{port}/echo"), wrong);
        assert!(done.err.contains(says), "{wrong:?}: {}", done.err);
    }
}

/// One that nobody listens at.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn two_results_are_compared() {
    let gateway = gateway(&[
        ("one", "protocol = \"websocket\"\nroute = \"echo\""),
        ("other", "protocol = \"websocket\"\nroute = \"echo\""),
    ]);
    let [one, other] = ["one", "other"].map(|name| format!("ws://{}", gateway.address(name)));
    let first = clean(gateway.dir(), &one, &["-c", "2"]);
    fs::write(gateway.dir().join("first.json"), first.to_string()).unwrap();
    let second = clean(gateway.dir(), &one, &["-c", "3", "--compare", "first.json"]);
    let ratio = second["compare"]["ratios"]["throughput"]["median"].as_f64().unwrap();
    let expected = second["throughput"].as_f64().unwrap() / first["throughput"].as_f64().unwrap();
    assert!((ratio - expected).abs() < 1e-6, "{second}");
    assert_eq!(second["compare"]["different_settings"], json!(["connections: 3 against 2"]));
    let pairs = clean(gateway.dir(), &one, &["-c", "2", "--compare", &other, "--pairs", "3"]);
    assert_eq!(pairs["compare"]["results"].as_array().unwrap().len(), 3);
    assert_eq!(pairs["compare"]["ratios"]["p99"]["pairs"].as_array().unwrap().len(), 3);
    let pid = gateway.pid().to_string();
    let args =
        [&["bench", &one, "-c", "2", "--server-pid", &pid, "--compare", "first.json"], &SHORT[..]].concat();
    let done = weir(gateway.dir(), &args);
    for part in
        ["2 open", "received", "p99.9", "latency", "server", "errors      none", "A / B", "throughput"]
    {
        assert!(done.out.contains(part), "no {part:?} in:\n{}", done.out);
    }
    assert_eq!((done.code, &*done.err), (0, ""), "no bar where there is no terminal");
}

#[test]
fn ctrl_c_ends_early_and_tells_what_was_measured() {
    let gateway = gateway(&[("ws", "protocol = \"websocket\"\nroute = \"echo\"")]);
    let url = format!("ws://{}", gateway.address("ws"));
    let child = Command::new(artifact::weir())
        .args(["bench", &url, "-c", "2", "--duration", "10m", "--warm-up", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("a load", || gateway.metrics().sum("messages_received", &[]) > 100);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &result["ended_early"]), (Some(0), &json!(true)), "{result}");
    assert!(result["received"].as_u64() > Some(0) && result["seconds"].as_f64() < Some(600.0), "{result}");
}

#[test]
fn ctrl_c_while_connections_are_opened_ends_that() {
    let authority = Authority::default();
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
    let listeners = [
        listener("ws", "protocol = \"websocket\"\nroute = \"echo\""),
        listener("quic", &format!("protocol = \"quic\"\nroute = \"echo\"\n{tls}")),
    ];
    let config = format!("[admin]\nbind = \"127.0.0.1:0\"\n{}", listeners.concat());
    let gateway = Gateway::prepare(&config, &[]).with(|dir| authority.write(dir)).start();
    for scheme in ["ws", "quic"] {
        let url = format!("{scheme}://{}", gateway.address(scheme));
        let child = Command::new(artifact::weir())
            // One that does not end would take a quarter of an hour.
            .args(["bench", &url, "-c", "1000", "--ramp", "1"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for("a session", || gateway.metrics().sum("sessions", &[]) > 0);
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let output = child.wait_with_output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && says.contains("stopped"), "{scheme}: {says}");
        gateway.settle("it has gone", |metrics| metrics.sum("sessions", &[]) == 0);
    }
}

#[test]
fn many_connections_from_several_addresses_hold_still() {
    let gateway = gateway(&[("ws", "protocol = \"websocket\"\nroute = \"echo\"")]);
    let url = format!("ws://{}", gateway.address("ws"));
    let load = ["-c", "600", "--in-flight", "0", "--ramp", "2000", "--source", "127.0.0.2,127.0.0.3"];
    let (code, result) = bench(gateway.dir(), &url, &[&load[..], &SHORT].concat());
    assert_eq!(
        (code, &result["connections"]["open"], &result["received"]),
        (0, &json!(600), &json!(0)),
        "{result}"
    );
}
