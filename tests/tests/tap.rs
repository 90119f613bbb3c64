//! `weir tap` shows what passes: what came, what each plugin decided, where it went; to those who may see it, as much as they may.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use weir_tests::client::{Client, Got, u32be};
use weir_tests::command::weir;
use weir_tests::{Gateway, PATIENCE, artifact};

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
[[listener]]
name = "chat"
bind = "127.0.0.1:0"
protocol = "tcp"
kind = "text"
chain = ["filter", "remote"]
route = "echo"
[[listener]]
name = "other"
bind = "127.0.0.1:0"
protocol = "tcp"
chain = []
route = "echo"
"#;

fn start(more: &str) -> Gateway {
    let files =
        [("wordfilter.wasm", artifact::plugin("wordfilter")), ("remote.wasm", artifact::guest("remote"))];
    Gateway::start(&format!("{more}\n{CONFIG}"), &files)
}

/// A `weir tap` that runs, and its lines.
struct Tap {
    child: Child,
    lines: Receiver<Value>,
}

impl Tap {
    /// Begins, and waits until nothing is missed any more.
    fn start(gateway: &Gateway, options: &[&str]) -> Self {
        let mut child = Command::new(artifact::weir())
            .args(["tap", "--admin", &gateway.admin().to_string()])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("weir tap starts");
        // More lines than any test looks at; who reads none of them holds the rest back.
        let (sender, lines) = sync_channel(10_000);
        let out = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "no JSON": line }));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let tap = Self { child, lines };
        assert!(tap.next()["tap"].is_object(), "the first line is about the stream");
        tap
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("a line of the tap")
    }

    /// The next message.
    fn message(&self) -> Value {
        loop {
            let line = self.next();
            if line.get("tap").is_none() {
                return line;
            }
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn talk(client: &mut Client, text: &str) -> Got {
    client.send(text.as_bytes()).await.expect("it is sent");
    client.next().await.expect("an answer")
}

fn verdicts(message: &Value) -> Vec<(&str, &str)> {
    let all = message["verdicts"].as_array().expect("verdicts");
    all.iter().map(|said| (said["plugin"].as_str().unwrap(), said["verdict"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_shown_with_its_verdicts_and_its_fate() {
    let gateway = start("");
    let tap = Tap::start(&gateway, &["--direction", "in"]);
    let mut client = Client::tcp(gateway.address("chat"), u32be()).await.unwrap();
    assert_eq!(talk(&mut client, "sequence").await, Got::Message("1".into()));
    let shown = tap.message();
    for (key, value) in [
        ("listener", json!("chat")),
        ("direction", json!("inbound")),
        ("sequence", json!(1)),
        ("kind", json!("text")),
        ("size", json!(8)),
        ("payload", json!({ "text": "sequence" })),
        ("fate", json!("routed")),
        ("to", json!("echo")),
    ] {
        assert_eq!(shown[key], value, "{key} in {shown}");
    }
    assert_eq!(verdicts(&shown), [("filter", "forward"), ("remote", "change")]);
    assert_eq!(shown["verdicts"][1]["payload"], json!({ "text": "1" }));
    assert_eq!(shown["verdicts"][1]["generation"], 1);
    assert!(shown["verdicts"][1]["nanoseconds"].as_u64().unwrap() > 0);
    let session = shown["session"].as_str().unwrap().to_owned();
    gateway.wait_for_log("the same id in the log", |line| line["session"] == session);

    client.send(b"all spam").await.unwrap();
    let dropped = tap.message();
    assert_eq!(
        (verdicts(&dropped), &dropped["fate"], &dropped["reason"]),
        (vec![("filter", "drop")], &json!("dropped"), &json!("plugin"))
    );
    assert_eq!(dropped["verdicts"][0]["reason"], "word");
    client.send(b"panic now").await.unwrap();
    let failed = tap.message();
    assert_eq!(verdicts(&failed), [("filter", "forward"), ("remote", "failed")]);
    assert_eq!(
        (&failed["verdicts"][1]["reason"], &failed["reason"]),
        (&json!("trap"), &json!("plugin_failed"))
    );

    // Held, and released by another session: one record, when it has met its fate.
    let held = session.clone();
    let mut second = Client::tcp(gateway.address("chat"), u32be()).await.unwrap();
    client.send(b"hold 60000").await.unwrap();
    gateway.settle("it is held", |metrics| metrics.sum("messages_held", &[]) == 1);
    let raw = u64::from_str_radix(&held, 16).unwrap();
    assert_eq!(talk(&mut second, &format!("release {raw} 4 say later")).await, Got::Message("ok".into()));
    let both = [tap.message(), tap.message()];
    let late = both.iter().find(|message| message["session"] == *held).expect("the held one");
    assert_eq!(verdicts(late), [("filter", "forward"), ("remote", "hold"), ("remote", "change")]);
    assert_eq!((&late["verdicts"][2]["released"], &late["fate"]), (&json!(true), &json!("routed")));

    client.send(b"close 4000 enough").await.unwrap();
    let closed = tap.message();
    assert_eq!(
        (&closed["verdicts"][1]["code"], &closed["reason"]),
        (&json!(4000), &json!("session_rejected"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_show_what_fits_and_nothing_else() {
    let gateway = start("");
    let chat = || Client::tcp(gateway.address("chat"), u32be());
    let mut one = chat().await.unwrap();
    let mut two = chat().await.unwrap();
    let mut other = Client::tcp(gateway.address("other"), u32be()).await.unwrap();
    let Got::Message(id) = talk(&mut one, "id").await else { panic!("no id") };
    let id = format!("{:x}", std::str::from_utf8(&id).unwrap().parse::<u64>().unwrap());
    let cases: [&[&str]; 10] = [
        &["--listener", "other"],
        &["--session", &id],
        &["--group", "lobby"],
        &["--plugin", "remote", "--verdict", "drop"],
        &["--verdict", "drop"],
        &["--plugin", "filter", "--verdict", "drop"],
        &["--direction", "out", "--listener", "chat"],
        &["--kind", "binary"],
        &["--fate", "dropped"],
        &["--fate", "empty_group"],
    ];
    let taps = cases.map(|options| Tap::start(&gateway, options));
    talk(&mut one, "hello").await;
    talk(&mut two, "join lobby").await;
    talk(&mut two, "in it").await;
    two.send(b"spam").await.unwrap();
    two.send(b"drop away").await.unwrap();
    two.send(b"route group:nobody x").await.unwrap();
    talk(&mut other, "plain").await;
    let metrics = gateway.settle("all is done", |metrics| metrics.sum("messages_received", &[]) == 8);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "empty_group")]), 1);
    // Marks the end of what each can have seen.
    let shown = |tap: &Tap, count: usize| -> Vec<String> {
        let all = (0..count).map(|_| tap.message());
        all.map(|message| message["payload"]["text"].as_str().unwrap_or("-").to_owned()).collect()
    };
    let expected: [&[&str]; 10] = [
        &["plain", "plain"],
        &["hello", "hello"],
        &["ok", "in it", "in it", "spam", "drop away", "route group:nobody x"],
        &["drop away"],
        &["spam", "drop away"],
        &["spam"],
        &["hello", "ok", "in it"],
        &["plain", "plain"],
        &["spam", "drop away", "route group:nobody x"],
        &["route group:nobody x"],
    ];
    for ((tap, expected), options) in taps.iter().zip(expected).zip(cases) {
        let (mut shown, mut expected) = (shown(tap, expected.len()), expected.to_vec());
        // Two workers, and an echo is over before the message that it is of.
        shown.sort();
        expected.sort_unstable();
        assert_eq!(shown, expected, "{options:?}");
    }
    drop(taps);
    // The next one sees its own first message and nothing that was before.
    let tap = Tap::start(&gateway, &["--listener", "other", "--count", "1"]);
    talk(&mut other, "the last").await;
    assert_eq!(tap.message()["payload"]["text"], "the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_stays_so() {
    let gateway = start("tap = { redact = [\"/password\"] }");
    let mut client = Client::tcp(gateway.address("other"), u32be()).await.unwrap();
    let tap = Tap::start(&gateway, &["--direction", "in", "--redact", "/card/number"]);
    client.send(br#"{"user":"a","password":"s3cret","card":{"number":"4111"}}"#).await.unwrap();
    client.send(b"password=s3cret").await.unwrap();
    let big = format!("{{\"password\":\"s3cret\",\"pad\":\"{}\"}}", "x".repeat(70_000));
    client.send(big.as_bytes()).await.unwrap();
    let json = tap.message();
    let text = json["payload"]["text"].as_str().unwrap();
    assert_eq!(text, r#"{"card":{"number":"[redacted]"},"password":"[redacted]","user":"a"}"#);
    for why in ["not JSON", "too long"] {
        let message = tap.message();
        assert!(message["payload"]["withheld"].as_str().unwrap().contains(why), "{message}");
    }
    drop(tap);

    let gateway = start("tap = { payload = \"off\" }");
    let mut client = Client::tcp(gateway.address("other"), u32be()).await.unwrap();
    let tap = Tap::start(&gateway, &[]);
    talk(&mut client, "s3cret").await;
    let message = tap.message();
    assert_eq!((&message["size"], message["payload"]["text"].as_str()), (&json!(6), None), "{message}");
    assert!(!message.to_string().contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_counted() {
    let gateway = start("");
    let mut client = Client::tcp(gateway.address("other"), u32be()).await.unwrap();
    let slow = Tap::start(&gateway, &["--rate", "1", "--direction", "in"]);
    let some = Tap::start(&gateway, &["--sample", "50%", "--by", "message", "--direction", "in"]);
    for _ in 0..200 {
        talk(&mut client, "x").await;
    }
    // Those that were shown, and those that were not, are all.
    let mut shown = 0;
    loop {
        let line = slow.next();
        let Some(status) = line.get("tap") else {
            shown += 1;
            continue;
        };
        assert_eq!(status["shown"], shown);
        if shown + status["lost"]["rate"].as_u64().unwrap() == 200 {
            break;
        }
    }
    assert!(shown < 200, "a second has one");
    client.send(b"the end").await.unwrap();
    drop(slow);
    let mut sampled = 0;
    while sampled < 50 {
        assert_eq!(some.message()["payload"]["text"], "x");
        sampled += 1;
    }
    // Without a reader the workers are left alone again: others are let in.
    let many: Vec<_> = (0..15).map(|_| Tap::start(&gateway, &["--listener", "chat"])).collect();
    let (status, text) = gateway.get("/v1/tap");
    assert_eq!((status, text.contains("look on already")), (503, true), "{text}");
    drop(many);
}

#[test]
fn what_cannot_be_is_said() {
    let gateway = start("");
    let admin = gateway.admin().to_string();
    let say = |options: &[&str]| {
        let done = weir(gateway.dir(), &[&["tap", "--admin", &admin], options].concat());
        assert_eq!(done.code, 1, "{options:?}: {}", done.out);
        done.err
    };
    assert!(say(&["--listener", "chatt"]).contains("there are chat, other"));
    assert!(say(&["--verdict", "maybe"]).contains("forward, change, drop"));
    assert!(say(&["--sample", "2"]).contains("such as 1%"));
    assert!(say(&["--redact", "password"]).contains("RFC 6901"));
    let done = weir(gateway.dir(), &["tap", "--admin", "127.0.0.1:1", "--count", "1"]);
    assert!(done.code == 1 && done.err.contains("is it running?"), "{}", done.err);
    let done = weir(gateway.dir(), &["tap", "-c", "weir.toml"]);
    assert!(done.err.contains("port 0"), "{}", done.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_where_and_with_which_token() {
    let socket = "admin = { bind = \"unix:admin.sock\", token_file = \"token\" }";
    let config = CONFIG.replacen("admin = { bind = \"127.0.0.1:0\" }", socket, 1);
    let gateway = Gateway::prepare(
        &config,
        &[("wordfilter.wasm", artifact::plugin("wordfilter")), ("remote.wasm", artifact::guest("remote"))],
    )
    .with(|dir| fs::write(dir.join("token"), "0123456789abcdef\n").unwrap())
    .start();
    let mut client = Client::tcp(gateway.address("other"), u32be()).await.unwrap();
    let dir = gateway.dir().to_owned();
    let tap = tokio::task::spawn_blocking(move || {
        weir(&dir, &["tap", "-c", "weir.toml", "--human", "--direction", "in", "--count", "1"])
    });
    // Until it looks on.
    while !tap.is_finished() {
        talk(&mut client, "a\u{1b}[2J").await;
    }
    let done = tap.await.unwrap();
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("5 B a\\u{1b}[2J > echo"), "{}", done.out);
    fs::write(gateway.dir().join("wrong"), "0123456789abcdeX\n").unwrap();
    let done = weir(gateway.dir(), &["tap", "-c", "weir.toml", "--token-file", "wrong"]);
    assert!(done.err.contains("wants a token"), "{}", done.err);
}
