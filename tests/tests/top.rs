//! What is shown of plugins adds up, whoever shows it: metrics by binding and by generation, and `weir top`.

use serde_json::Value;
use std::fs;
use weir_tests::client::{Client, Got, u32be};
use weir_tests::command::weir;
use weir_tests::{Gateway, Metrics, artifact, stamp};

const CONFIG: &str = r#"
admin = { bind = "127.0.0.1:0" }
runtime = { workers = 2 }
plugins.defaults.deadline = "5s"
[[plugin]]
name = "filter"
module = "wordfilter.wasm"
config = { words = ["spam"], binary = true }
[[plugin]]
name = "remote"
module = "remote.wasm"
grants = ["messaging", "groups", "kv", "timers", "random"]
[[plugin]]
name = "stamp"
module = "stamp.wasm"
config = { mark = "!", show = "color" }
[[listener]]
name = "a-listener-with-quite-a-long-name-for-a-table-of-eighty-columns"
bind = "127.0.0.1:0"
protocol = "tcp"
kind = "text"
chain = ["filter", "remote", "stamp"]
route = "echo"
"#;
const LISTENER: &str = "a-listener-with-quite-a-long-name-for-a-table-of-eighty-columns";
const BINDINGS: [&str; 3] = ["filter", "remote", "stamp"];

fn start() -> Gateway {
    let files =
        [("wordfilter.wasm", artifact::plugin("wordfilter")), ("remote.wasm", artifact::guest("remote"))];
    let put = |dir: &std::path::Path| fs::write(dir.join("plugins/stamp.wasm"), stamp::version(1)).unwrap();
    Gateway::prepare(CONFIG, &files).with(put).start()
}

async fn connect(gateway: &Gateway) -> Client {
    Client::tcp(gateway.address(LISTENER), u32be()).await.expect("a session")
}

async fn talk(client: &mut Client, text: &str) -> Got {
    client.send(text.as_bytes()).await.expect("it is sent");
    client.next().await.expect("an answer")
}

/// Some of everything: passed, changed, dropped, held and released, failed, refused by the contract, closed; and a new generation.
async fn live(gateway: &Gateway) {
    let mut one = connect(gateway).await;
    let mut two = connect(gateway).await;
    for _ in 0..20 {
        talk(&mut one, "sequence").await;
        two.send(b"spam").await.unwrap();
        two.send(b"drop unwanted").await.unwrap();
    }
    let Got::Message(id) = talk(&mut one, "id").await else { panic!("no id") };
    let id = stamp::read(&id).text;
    one.send(b"hold 60000").await.unwrap();
    gateway.settle("it is held", |metrics| metrics.sum("messages_held", &[]) == 1);
    talk(&mut two, &format!("release {id} 22 say later")).await;
    one.next().await.unwrap();
    two.send(b"panic now").await.unwrap();
    talk(&mut two, "sequence").await;
    fs::write(gateway.dir().join("next.wasm"), stamp::version(2)).unwrap();
    gateway.swap("stamp.wasm", &gateway.dir().join("next.wasm"));
    gateway.settle("the new one serves", |metrics| {
        metrics.sum("plugin_generation", &[("binding", "stamp")]) == 2
    });
    for _ in 0..5 {
        talk(&mut one, "sequence").await;
    }
    two.send(b"close 4000 enough").await.unwrap();
    assert!(matches!(two.next().await.unwrap(), Got::End(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_of_plugins_adds_up() {
    let gateway = start();
    live(&gateway).await;
    let metrics = gateway.settle("all is over", |metrics| metrics.sum("messages_held", &[]) == 0);
    for binding in BINDINGS {
        adds_up(&metrics, binding);
    }
    // What plugins dropped is what was dropped because of plugins.
    let drops = metrics.sum("plugin_verdicts", &[("verdict", "drop")]);
    assert_eq!(drops, 40);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin")]), drops);
    assert_eq!(metrics.sum("plugin_drops", &[]), drops);
    // Every message met the first of the chain, and those that passed it the next.
    let messages = |binding: &str| {
        metrics.sum("plugin_function_calls", &[("binding", binding), ("function", "message")])
    };
    let received = metrics.sum("messages_received", &[]);
    let passed = |binding: &str| {
        let of =
            |verdict: &str| metrics.sum("plugin_verdicts", &[("binding", binding), ("verdict", verdict)]);
        of("forward") + of("change")
    };
    assert_eq!(messages("filter"), received);
    assert_eq!(messages("remote"), passed("filter"));
    // It sees the echoes too.
    assert_eq!(messages("stamp"), passed("remote") + metrics.sum("messages_offered", &[]));
    assert_eq!(metrics.sum("plugin_releases", &[("binding", "remote")]), 1);
    assert_eq!(metrics.sum("plugin_failures", &[("binding", "remote"), ("cause", "trap")]), 1);
    assert_eq!(metrics.sum("plugin_messages_unanswered", &[]), 1);
    for binding in BINDINGS {
        let memory = metrics.sum("plugin_memory_bytes", &[("binding", binding)]);
        let peak = metrics.sum("plugin_memory_peak_bytes", &[("binding", binding)]);
        assert!(memory >= 2 * 65_536 && peak >= 65_536 && peak <= memory, "{binding}: {memory}, {peak}");
    }
    assert!(gateway.get("/metrics").1.lines().any(|line| {
        line.starts_with("weir_plugin_cpu_seconds_total{binding=\"filter\"} ")
            && !line.ends_with(" 0")
            && !line.ends_with(" 0.0")
    }));
    // A thousand reloads leave as many series as one: those that exist, and the past.
    for version in 3..8 {
        fs::write(gateway.dir().join("next.wasm"), stamp::version(version)).unwrap();
        gateway.swap("stamp.wasm", &gateway.dir().join("next.wasm"));
        let expected = u64::from(version);
        gateway.settle("the next serves", |metrics| {
            metrics.sum("plugin_generation", &[("binding", "stamp")]) == expected
        });
    }
    let metrics = gateway.settle("the old ones are gone", |metrics| {
        metrics.sum("plugin_generation_calls", &[("binding", "stamp"), ("generation", "past")]) > 0
    });
    adds_up(&metrics, "stamp");
}

/// The sums of one binding.
fn adds_up(metrics: &Metrics, binding: &str) {
    let sum = |family: &str, labels: &[(&str, &str)]| {
        assert!(metrics.has(family), "no family {family}");
        metrics.sum(family, &[&[("binding", binding)], labels].concat())
    };
    let calls = sum("plugin_calls", &[]);
    assert!(calls > 0, "{binding}");
    assert_eq!(sum("plugin_function_calls", &[]), calls, "{binding}: by function");
    let messages = sum("plugin_function_calls", &[("function", "message")]);
    let verdicts: u64 = ["forward", "change", "drop", "close", "hold"]
        .map(|kind| sum("plugin_verdicts", &[("verdict", kind)]))
        .iter()
        .sum();
    assert_eq!(
        messages + sum("plugin_releases", &[]),
        verdicts + sum("plugin_messages_unanswered", &[]),
        "{binding}: every message has a verdict, or none"
    );
    assert_eq!(sum("plugin_generation_calls", &[]), calls, "{binding}: by generation");
    assert_eq!(
        sum("plugin_generation_verdicts", &[]),
        sum("plugin_verdicts", &[]),
        "{binding}: verdicts by generation"
    );
    assert_eq!(
        sum("plugin_generation_failures", &[]),
        sum("plugin_failures", &[]),
        "{binding}: failures by generation"
    );
    assert_eq!(
        sum("plugin_generation_memory_bytes", &[]),
        sum("plugin_memory_bytes", &[]),
        "{binding}: memory by generation"
    );
    assert_eq!(
        sum("plugin_generation_call_duration_seconds_count", &[]),
        sum("plugin_call_duration_seconds_count", &[]),
        "{binding}: latencies by generation"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn top_shows_it_once_and_live() {
    let gateway = start();
    let admin = gateway.admin().to_string();
    let mut client = connect(&gateway).await;
    let (dir, address) = (gateway.dir().to_owned(), admin.clone());
    let run = move |options: Vec<&'static str>| {
        let (dir, address) = (dir.clone(), address.clone());
        tokio::task::spawn_blocking(move || {
            let done = weir(&dir, &[&["top", "--admin", &address, "--once"], &options[..]].concat());
            assert_eq!(done.code, 0, "{}", done.err);
            done.out
        })
    };
    let page = run(vec!["--json", "--interval", "1.2"]);
    let mut said = 0_u64;
    while !page.is_finished() {
        talk(&mut client, "sequence").await;
        client.send(b"spam").await.unwrap();
        said += 2;
    }
    let json: Value = serde_json::from_str(&page.await.unwrap()).expect("JSON");
    let listener = &json["listeners"][0];
    assert_eq!((&listener["name"], &listener["sessions"]), (&LISTENER.into(), &1.into()));
    let (rate, seconds) = (listener["received"].as_f64().unwrap(), json["seconds"].as_f64().unwrap());
    assert!(rate > 0.0 && rate * seconds <= said as f64 + 2.0, "{rate} for {seconds} of {said}");
    let plugin = |name: &str| {
        json["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == name).cloned().unwrap()
    };
    let filter = plugin("filter");
    for key in ["calls", "cpu_percent", "p50_ns", "p99_ns", "memory", "dropped", "forwarded"] {
        assert!(filter[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {filter}");
    }
    let (calls, dropped) = (filter["calls"].as_f64().unwrap(), filter["dropped"].as_f64().unwrap());
    assert!((dropped - calls / 2.0).abs() * seconds < 3.0, "half of them: {dropped} of {calls}");
    assert_eq!((&filter["state"], &filter["generation"]), (&"active".into(), &"1".into()));
    let loudest = &json["sessions"][0];
    assert!(loudest["inbound"].as_f64().unwrap() > loudest["outbound"].as_f64().unwrap(), "{loudest}");
    gateway.wait_for_log("the same id", |line| line["session"] == loudest["session"]);

    let page = run(vec!["--interval", "0.3", "--width", "80", "--sort", "name"]).await.unwrap();
    println!("{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in\n{page}"));
    assert!(at("LISTENER") < at("PLUGIN*") && at("filter") < at("remote") && at("remote") < at("stamp"));
    // Whoever asks what is not there is told.
    let done = weir(gateway.dir(), &["top", "--admin", &admin, "--once", "--sort", "beauty"]);
    assert!(done.code == 1 && done.err.contains("calls, cpu, p99"), "{}", done.err);
    let done = weir(gateway.dir(), &["top", "--admin", "127.0.0.1:1", "--once"]);
    assert!(done.code == 1 && done.err.contains("is it running?"), "{}", done.err);
}
