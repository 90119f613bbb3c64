//! `weir record` and `weir replay`: what was recorded says the same when it is replayed, and something else where the plugin does.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use weir_tests::client::{Client, Got, u32be};
use weir_tests::command::{Done, weir};
use weir_tests::{Gateway, artifact, wait_for};

const CONFIG: &str = r#"
admin = { bind = "127.0.0.1:0" }
runtime = { workers = 2 }
# No call is ended because the machine is busy.
plugins.defaults.deadline = "5s"
[[plugin]]
name = "filter"
module = "wordfilter.wasm"
config = { words = ["darn"], action = "mask" }
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
name = "plain"
bind = "127.0.0.1:0"
protocol = "tcp"
kind = "text"
chain = []
route = "echo"
"#;

fn start() -> Gateway {
    let remote = artifact::guest("remote");
    Gateway::start(CONFIG, &[("wordfilter.wasm", artifact::plugin("wordfilter")), ("remote.wasm", remote)])
}

/// A `weir record` that runs.
struct Recording {
    child: Child,
    file: PathBuf,
}

impl Recording {
    /// Begins, and waits until nothing is missed any more.
    fn start(gateway: &Gateway, listener: &str, options: &[&str]) -> Self {
        let file = gateway.dir().join(format!("{listener}-{}.jsonl", options.len()));
        let child = Command::new(artifact::weir())
            .args(["record", "--admin", &gateway.admin().to_string(), "--listener", listener, "--out"])
            .arg(&file)
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("weir record starts");
        wait_for("the first line", || fs::read(&file).is_ok_and(|bytes| bytes.contains(&b'\n')));
        Self { child, file }
    }

    /// The file, when it has so many lines of this type.
    fn wait_for(&self, kind: &str, count: usize) {
        let begin = format!("{{\"type\":\"{kind}\"");
        wait_for(kind, || {
            let text = fs::read_to_string(&self.file).unwrap_or_default();
            text.lines().filter(|line| line.starts_with(&begin)).count() >= count
        });
    }

    /// Interrupts it, as Ctrl-C does.
    fn stop(self) -> PathBuf {
        signal(&self.child, "INT");
        self.wait().0
    }

    /// The file, and what was said.
    fn wait(self) -> (PathBuf, String) {
        let output = self.child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (self.file, said)
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

async fn talk(client: &mut Client, text: &str, answer: &str) {
    client.send(text.as_bytes()).await.unwrap();
    assert_eq!(client.message().await.unwrap(), answer, "to {text}");
}

fn replay(file: &Path, plugin: &Path, options: &[&str]) -> Done {
    let mut args = vec!["replay", file.to_str().unwrap(), "--plugin", plugin.to_str().unwrap()];
    args.extend(options);
    weir(file.parent().unwrap(), &args)
}

/// Traffic with every kind of verdict and most effects, of a session that was open before and of one that opens and ends.
async fn record(gateway: &Gateway, more: &[&str]) -> PathBuf {
    let mut before = Client::tcp(gateway.address("chat"), u32be()).await.unwrap();
    talk(&mut before, "attr.set user ann", "ok").await;
    let recording = Recording::start(gateway, "chat", &[]);
    talk(&mut before, "attr.get user", "ann").await;
    talk(&mut before, "kv.add n 2", "2").await;
    let mut client = Client::tcp(gateway.address("chat"), u32be()).await.unwrap();
    talk(&mut client, "darn it", "**** it").await;
    talk(&mut client, "join room", "ok").await;
    talk(&mut client, "members room", "1").await;
    talk(&mut before, "join room", "ok").await;
    talk(&mut before, "kv.add n 3", "5").await;
    talk(&mut before, "members room", "2").await;
    talk(&mut client, "attr.set mood good", "ok").await;
    talk(&mut client, "attr.get mood", "good").await;
    talk(&mut client, "attr.get weir.listener", "chat").await;
    // What it sends comes before the answer.
    talk(&mut client, "send echo hello", "hello").await;
    assert_eq!(client.message().await.unwrap(), "ok");
    client.send(b"drop spam").await.unwrap();
    client.send(b"panic oops").await.unwrap();
    talk(&mut client, "kv.get n", "5").await;
    for text in more {
        client.send(text.as_bytes()).await.unwrap();
        client.message().await.unwrap();
    }
    client.send(b"close 4001 enough").await.unwrap();
    assert!(matches!(client.next().await.unwrap(), Got::End(_)));
    recording.wait_for("close", 1);
    talk(&mut before, "members room", "1").await;
    // 17 that clients sent; less 3 without an answer, and one more that the plugin sent by itself.
    recording.wait_for("message", 17 + 15 + 2 * more.len());
    recording.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_replays_the_same() {
    let gateway = start();
    let file = record(&gateway, &[]).await;
    let all = lines(&file);
    assert_eq!(all[0]["type"], "recording");
    assert_eq!(all.last().unwrap()["why"], "stopped");
    let open = of(&all, "open");
    assert_eq!(open.iter().filter(|open| open["before"] == true).count(), 1);
    assert_eq!(open.len(), 2);
    let of_remote = |message: &Value, verdict: &str| {
        let said = message["verdicts"].as_array().unwrap().iter();
        said.into_iter().any(|said| said["plugin"] == "remote" && said["verdict"] == verdict)
    };
    for verdict in ["forward", "drop", "close", "failed"] {
        assert!(of(&all, "message").iter().any(|message| of_remote(message, verdict)), "{verdict}");
    }
    for (binding, plugin) in
        [("remote", artifact::guest("remote")), ("filter", artifact::plugin("wordfilter"))]
    {
        let done = replay(&file, &plugin, &["--binding", binding]);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
        assert!(done.out.contains(" the same, 0 different"), "{}", done.out);
        assert!(done.out.contains("1 session open when"), "{}", done.out);
    }
    let two = replay(&file, &artifact::plugin("wordfilter"), &[]);
    assert_eq!(two.code, 2);
    assert!(two.err.contains("\"filter\", \"remote\"") && two.err.contains("--binding"), "{}", two.err);
    let wrong = replay(&file, &artifact::plugin("wordfilter"), &["--binding", "nobody"]);
    assert!(wrong.code == 2 && wrong.err.contains("no binding \"nobody\""), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_shows_where_it_differs() {
    let gateway = start();
    let file = record(&gateway, &[]).await;
    let settings = file.with_file_name("new.toml");
    fs::write(&settings, "[config]\nwords = [\"members\", \"darn\"]\n").unwrap();
    let config = settings.to_str().unwrap();
    let done = replay(&file, &artifact::plugin("wordfilter"), &["--binding", "filter", "--config", config]);
    assert_eq!(done.code, 1, "{}{}", done.out, done.err);
    // «darn it» is dropped and not masked; three messages ask for members.
    assert!(done.out.contains("4  forward → drop"), "{}", done.out);
    for part in ["now     drop \"word\"", "before  forward, changed, 7 bytes", "said    members room"] {
        assert!(done.out.contains(part), "no {part:?} in\n{}", done.out);
    }
    fs::write(&settings, "[config]\nwords = [\"darn\"]\naction = \"mask\"\nmask = \"#\"\n").unwrap();
    let masked = replay(&file, &artifact::plugin("wordfilter"), &["--binding", "filter", "--config", config]);
    assert_eq!(masked.code, 1, "{}{}", masked.out, masked.err);
    assert!(masked.out.contains("- **** it\n        + #### it"), "{}", masked.out);
    assert!(masked.out.contains("1  payload"), "{}", masked.out);

    // Settings of the recorded binding that the new version cannot have.
    let unfit = replay(&file, &artifact::guest("panic"), &["--binding", "filter"]);
    assert!(unfit.code == 2 && unfit.err.contains("--config FILE gives it others"), "{}", unfit.err);
    fs::write(&settings, "").unwrap();
    let options = ["--binding", "filter", "--config", config, "--json"];
    let trapping = replay(&file, &artifact::guest("panic"), &options);
    assert_eq!(trapping.code, 1, "{}{}", trapping.out, trapping.err);
    let shown: Vec<Value> = trapping.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = shown.last().unwrap();
    // It wants both directions.
    let messages = of(&lines(&file), "message").len();
    assert_eq!(summary["kinds"]["forward → failed"], messages, "{summary}");
    assert_eq!(summary["failures"]["trap"]["count"], messages, "{summary}");
    assert_eq!(of(&shown, "difference").len() as u64, summary["different"].as_u64().unwrap());

    // What it lacks is told before anything runs.
    let ungranted = replay(&file, &artifact::guest("remote"), &["--binding", "filter"]);
    assert_eq!(ungranted.code, 2, "{}", ungranted.out);
    assert!(ungranted.err.contains("does not grant"), "{}", ungranted.err);
    let nothing = replay(&file, Path::new("nowhere.wasm"), &["--binding", "filter"]);
    assert!(nothing.code == 2 && nothing.err.contains("nowhere.wasm"), "{}", nothing.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_gives_the_same_output_to_the_byte() {
    let gateway = start();
    let chance = ["random.hex 16", "now", "every 10", "random.hex 4", "kv.set k v 1", "kv.get k"];
    let file = record(&gateway, &chance).await;
    let remote = artifact::guest("remote");
    for options in [&["--binding", "remote"][..], &["--binding", "remote", "--json"]] {
        let done = replay(&file, &remote, options);
        // Chance was another one then.
        assert_eq!(done.code, 1, "{}{}", done.out, done.err);
        assert_eq!(done.out, replay(&file, &remote, options).out);
        // Compiled anew, and on one core.
        let cache = tempfile::tempdir().unwrap();
        let fresh = Command::new("taskset")
            .args(["-c", "0"])
            .arg(artifact::weir())
            .args(["replay", file.to_str().unwrap(), "--plugin", remote.to_str().unwrap()])
            .args(options)
            .env("XDG_CACHE_HOME", cache.path())
            .output()
            .unwrap();
        assert_eq!(done.out, String::from_utf8_lossy(&fresh.stdout));
    }
    // Two versions that are replayed have the same chance, and the same time.
    let against = replay(&file, &remote, &["--binding", "remote", "--against", remote.to_str().unwrap()]);
    assert_eq!(against.code, 0, "{}{}", against.out, against.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_redacted_is_not_in_the_file() {
    let gateway = start();
    let secret = "hunter2";
    let recording = Recording::start(&gateway, "chat", &["--redact", "/user/password"]);
    let mut client = Client::tcp(gateway.address("chat"), u32be()).await.unwrap();
    let said = r#"{"user":{"name":"ann","password":"hunter2"},"text":"darn"}"#;
    client.send(said.as_bytes()).await.unwrap();
    client.message().await.unwrap();
    talk(&mut client, "attr.set password hunter2", "ok").await;
    talk(&mut client, "attr.get password", secret).await;
    recording.wait_for("message", 6);
    let file = recording.stop();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(secret), "{text}");
    assert!(text.contains("ann") && text.contains("[redacted]"), "{text}");
    // The filter says the same about what is left.
    let done = replay(&file, &artifact::plugin("wordfilter"), &["--binding", "filter"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(
        done.out.contains("values are redacted") && done.out.contains("4 messages without payload"),
        "{}",
        done.out
    );

    let recording = Recording::start(&gateway, "chat", &["--no-payload"]);
    talk(&mut client, "attr.get password", secret).await;
    recording.wait_for("message", 2);
    let file = recording.stop();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(secret) && !text.contains("attr.get"), "{text}");
    let done = replay(&file, &artifact::plugin("wordfilter"), &["--binding", "filter"]);
    assert!(done.code == 2 && done.err.contains("--no-payload"), "{}{}", done.out, done.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_keeps_its_bounds() {
    let gateway = start();
    let mut client = Client::tcp(gateway.address("plain"), u32be()).await.unwrap();
    let recording = Recording::start(&gateway, "plain", &["--max-messages", "7"]);
    for _ in 0..10 {
        talk(&mut client, "x", "x").await;
    }
    let (file, said) = recording.wait();
    let all = lines(&file);
    assert_eq!(of(&all, "message").len(), 7);
    assert_eq!(all.last().unwrap()["why"], "messages");
    assert!(said.contains("--max-messages"), "{said}");

    let recording = Recording::start(&gateway, "plain", &["--max-bytes", "64KiB", "--for", "1h"]);
    let long = "y".repeat(5000);
    for _ in 0..10 {
        talk(&mut client, &long, &long).await;
    }
    let (file, _) = recording.wait();
    let length = fs::metadata(&file).unwrap().len();
    assert!(length <= 64 << 10 && length > 50 << 10, "{length}");
    assert_eq!(lines(&file).last().unwrap()["why"], "bytes");

    let (file, said) = Recording::start(&gateway, "plain", &["--for", "50ms", "--no-config"]).wait();
    assert_eq!(lines(&file).last().unwrap()["why"], "time");
    assert!(said.contains("0 messages, the time is over"), "{said}");

    // A listener without plugins shows what a first one would do.
    let recording =
        Recording::start(&gateway, "plain", &["--max-messages", "2", "--for", "1h", "--no-config"]);
    talk(&mut client, "darn", "darn").await;
    let (file, _) = recording.wait();
    let settings = file.with_file_name("first.toml");
    fs::write(&settings, "[config]\nwords = [\"darn\"]\n").unwrap();
    let config = ["--config", settings.to_str().unwrap()];
    let done = replay(&file, &artifact::plugin("wordfilter"), &config);
    assert_eq!(done.code, 1, "{}{}", done.out, done.err);
    assert!(done.out.contains("1  forward → drop") && done.out.contains("nothing like it"), "{}", done.out);

    // What is there is not written over, and a wrong name is told.
    let dir = gateway.dir();
    let admin = gateway.admin().to_string();
    let again =
        weir(dir, &["record", "--admin", &admin, "--listener", "plain", "--out", file.to_str().unwrap()]);
    assert!(again.code == 1 && again.err.contains("is there already"), "{}", again.err);
    let wrong = weir(dir, &["record", "--admin", &admin, "--listener", "nobody"]);
    assert!(wrong.code == 1 && wrong.err.contains("there are chat, plain"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_counted_in_the_file() {
    const MESSAGES: usize = 30_000;
    let gateway = start();
    let mut client = Client::tcp(gateway.address("plain"), u32be()).await.unwrap();
    let options = ["--buffer", "64KiB", "--max-bytes", "1GiB", "--for", "1h"];
    let recording = Recording::start(&gateway, "plain", &options);
    // Whoever records does not read any more, and the traffic goes on.
    signal(&recording.child, "STOP");
    let text = "z".repeat(1000);
    for _ in 0..MESSAGES {
        client.send(text.as_bytes()).await.unwrap();
        client.message().await.unwrap();
    }
    signal(&recording.child, "CONT");
    recording.wait_for("gap", 1);
    // One more after the gap, whole.
    talk(&mut client, "after", "after").await;
    wait_for("the last message", || {
        fs::read_to_string(&recording.file).is_ok_and(|text| text.matches("\"text\":\"after\"").count() == 2)
    });
    let (file, gaps) = (recording.stop(), |all: &[Value]| -> u64 {
        of(all, "gap").iter().map(|gap| gap["lost"].as_u64().unwrap()).sum()
    });
    let all = lines(&file);
    let lost = gaps(&all);
    assert!(lost > 0);
    assert_eq!(of(&all, "message").len() as u64 + lost, 2 * (MESSAGES as u64 + 1));
    let end = all.last().unwrap();
    assert_eq!((end["why"].as_str(), end["lost"].as_u64()), (Some("stopped"), Some(lost)));
    let done = replay(&file, &artifact::plugin("passthrough"), &[]);
    assert!(done.out.contains(&format!("{lost} records missing in the file")), "{}{}", done.out, done.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_whole_is_told_apart() {
    let gateway = start();
    let file = record(&gateway, &[]).await;
    let text = fs::read_to_string(&file).unwrap();
    let cut = file.with_file_name("cut.jsonl");
    fs::write(&cut, &text[..text.len() * 2 / 3]).unwrap();
    let filter = artifact::plugin("wordfilter");
    let done = replay(&cut, &filter, &["--binding", "filter"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(done.out.contains("the file was cut short"), "{}", done.out);
    for (content, complaint) in [
        (String::new(), "it is empty"),
        ("\0asm\u{1}".into(), "it is not a recording"),
        (text.replacen("\"version\":1", "\"version\":2", 1), "format 2"),
        (text.replace("\"sequence\":3", "\"sequence\":\"three\""), "is not what a recording has"),
    ] {
        fs::write(&cut, content).unwrap();
        let done = replay(&cut, &filter, &["--binding", "filter"]);
        assert_eq!(done.code, 2, "{}", done.out);
        assert!(done.err.contains(complaint) && done.err.contains("cut.jsonl"), "{}", done.err);
    }
}
