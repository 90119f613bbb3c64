//! The examples, with their own configurations and their own clients.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use weir_tests::client::Client;
use weir_tests::command::{fixed_ports, weir};
use weir_tests::gateway::Prepared;
use weir_tests::{Gateway, Peer, artifact};

fn example(path: &str) -> PathBuf {
    artifact::root().join("examples").join(path)
}

fn script(path: &str, args: &[&str]) -> Peer {
    let file = example(path);
    Peer::spawn(path, Command::new("python3").arg("-u").arg(file).args(args))
}

/// The directory that the example's page tells one to make, with these plugins in it.
fn plugins(dir: &str, names: &[&str]) -> PathBuf {
    let dir = artifact::root().join("target").join(dir);
    fs::create_dir_all(&dir).unwrap();
    for name in names {
        fs::copy(artifact::plugin(name), dir.join(format!("{name}.wasm"))).unwrap();
    }
    dir
}

fn start(config: &str) -> Gateway {
    Prepared::empty().config_file(&example(config)).start()
}

#[tokio::test(flavor = "multi_thread")]
async fn chat() {
    let _ports = fixed_ports();
    plugins("chat", &["wordfilter"]);
    let gateway = start("chat/weir.toml");
    let mut browser = Client::websocket(gateway.address("browsers"), "/chat").await.unwrap();
    let mut ada = script("chat/chat.py", &["ada"]);
    let mut bob = script("chat/chat.py", &["bob"]);
    gateway.settle("all in the room", |metrics| metrics.sum("sessions", &[]) == 3);
    ada.order("hello");
    for heard in [ada.line(), bob.line()] {
        assert_eq!(heard, "ada: hello");
    }
    assert_eq!(browser.message().await.unwrap(), "ada: hello");
    browser.send("eve: free money for all".as_bytes()).await.unwrap();
    for heard in [ada.line(), bob.line()] {
        assert_eq!(heard, "eve: ********** for all");
    }
    assert_eq!(browser.message().await.unwrap(), "eve: ********** for all");
    bob.order("SPAM?");
    assert_eq!((ada.line(), bob.line()), ("bob: ****?".into(), "bob: ****?".into()));
    assert_eq!(browser.message().await.unwrap(), "bob: ****?");
    // Two lines in one message: nothing that a terminal could be shown as one.
    browser.send(b"eve: one\ntwo").await.unwrap();
    assert_eq!(browser.message().await.unwrap(), "eve: one\ntwo");
    // What goes to a terminal on another worker is on its way there by letter.
    let metrics = gateway.settle("all fates", |metrics| {
        metrics.sum("messages_delivered", &[]) == 3 * 3 + 1
            && metrics.sum("messages_dropped", &[("listener", "terminals"), ("reason", "unframeable")]) == 2
    });
    assert_eq!(metrics.sum("messages_received", &[]), 4);
    ada.finish();
    bob.finish();
    browser.close().await.unwrap();
    gateway.settle("all gone", |metrics| metrics.sum("sessions_closed", &[("reason", "client")]) == 3);
}

#[test]
fn telemetry() {
    let _ports = fixed_ports();
    let dir = plugins("telemetry", &["route-by-field", "enrich"]);
    let out = dir.display().to_string();
    let built = weir(&artifact::root(), &["plugin", "build", "examples/telemetry/plugin", "--out", &out]);
    assert_eq!(built.code, 0, "{}", built.err);
    let timeseries = script("telemetry/service.py", &["timeseries", "7021"]);
    let alarms = script("telemetry/service.py", &["alarms", "7022"]);
    assert_eq!(timeseries.line(), "timeseries listens on 127.0.0.1:7021");
    assert_eq!(alarms.line(), "alarms listens on 127.0.0.1:7022");
    let gateway = start("telemetry/weir.toml");
    // Ends well only if everything that could be true was acknowledged.
    let devices = script("telemetry/device.py", &["--interval", "0.005", "--messages", "50"]);
    devices.finish();
    // Of 50 messages each seventh is an alarm, and of the others each fifth is implausible: 7 alarms, 9 implausible, 34 readings.
    let metrics = gateway.settle("all gone", |metrics| metrics.sum("connections", &[]) == 0);
    assert_eq!(metrics.sum("messages_received", &[]), 150);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin")]), 27);
    assert_eq!(metrics.sum("plugin_drops", &[("binding", "plausible")]), 27);
    assert_eq!(metrics.sum("upstream_messages_delivered", &[("cluster", "timeseries")]), 102);
    assert_eq!(metrics.sum("upstream_messages_delivered", &[("cluster", "alarms")]), 21);
    assert_eq!(metrics.sum("messages_delivered", &[]), 123);
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "client")]), 3);
    for (service, count) in [(&timeseries, 102), (&alarms, 21)] {
        for _ in 0..count {
            let line = service.line();
            let (name, message) = line.split_once(" <- ").unwrap();
            let message: serde_json::Value = serde_json::from_str(message).unwrap();
            assert_eq!(message["type"], if name == "alarms" { "alarm" } else { "reading" });
            assert_eq!(message["site"], "plant-7");
            assert!(message["from"].as_str().unwrap().starts_with("127.0.0.1:"), "{message}");
            assert!(message["received"].as_str().unwrap().ends_with('Z'), "{message}");
        }
    }
}

/// The page in a browser.
#[test]
fn webtransport() {
    let browser = fs::read_to_string(artifact::root().join("target/browser"));
    let browser = browser.expect("target/browser is there; run: make peers");
    if browser.trim().is_empty() {
        // `make peers` has said so, in red.
        eprintln!("there is no browser and none could be installed: NOT tested");
        return;
    }
    let _ports = fixed_ports();
    plugins("webtransport", &[]);
    let mut gateway = start("webtransport/weir.toml");
    let made = gateway.wait_for_log("a certificate", |line| line["sha256_base64"].is_string());
    let page = example("webtransport/index.html").display().to_string();
    let hash = made["sha256_base64"].as_str().unwrap();
    let browser = Peer::start("webtransport_browser.mjs", &[browser.trim(), &page, hash]);
    let said = browser.said();
    assert_eq!(said["wrong"], serde_json::json!([false, false]));
    let metrics = gateway.settle("echoes", |metrics| metrics.sum("messages_delivered", &[]) == 3);
    assert_eq!(metrics.sum("messages_received", &[]), 3);
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "protocol")]), 2, "another path, another origin");
    let ended = gateway.wait_for_log("the page's code", |line| line["code"] == 4000);
    assert_eq!((&ended["reason"], &ended["said"]), (&"client".into(), &"that was all".into()));
    gateway.signal("TERM");
    let lines = browser.finish()["lines"].as_array().unwrap().clone();
    let lines: Vec<_> = lines.iter().filter_map(|line| line.as_str()).collect();
    assert!(lines.last().unwrap().starts_with("closed: 1001 gateway is going away"), "{lines:?}");
    if said["knowsDraining"] == true {
        assert!(lines.contains(&"draining"), "{lines:?}");
    }
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn what_the_quickstart_copies_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    for entry in fs::read_dir(example("quickstart/plugins")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), plugins.join(entry.file_name())).unwrap();
    }
    fs::copy(artifact::plugin("wordfilter"), plugins.join("10-wordfilter.wasm")).unwrap();
    fs::copy(artifact::plugin("enrich"), plugins.join("20-enrich.wasm")).unwrap();
    let checked = weir(dir.path(), &["check"]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.out.contains("2 plugins") && !checked.out.contains("gets no traffic"), "{}", checked.out);
}
