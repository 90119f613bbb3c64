//! Files that come, change and go, seen by sessions that stay.

use serde_json::Value;
use std::fs;
use weir_tests::client::{Client, u32be};
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, artifact, wait_for};

/// Two listeners that echo: `auto` with the automatic chain, `named` with the binding `stamp`.
const CONFIG: &str = r#"
admin = { bind = "127.0.0.1:0" }
runtime = { workers = 2 }
plugins.defaults.deadline = "5s"

[[listener]]
name = "auto"
bind = "127.0.0.1:0"
protocol = "tcp"
framing = { type = "length", prefix = "u32be", max = "1MiB" }
chain = "auto"
route = "echo"
"#;

const NAMED: &str = r#"
[[plugin]]
name = "stamp"
module = "stamp.wasm"
config = { mark = "n" }

[[listener]]
name = "named"
bind = "127.0.0.1:0"
protocol = "websocket"
chain = ["stamp"]
route = "echo"
"#;

/// A gateway, and sessions that were there before whatever happens: enough of them that each of two workers has some.
struct Scene {
    gateway: Gateway,
    sessions: Vec<Client>,
    sent: u64,
}

impl Scene {
    async fn open(config: &str, files: &[(&str, Vec<u8>)], listener: &str) -> Self {
        let put = |dir: &std::path::Path| {
            for (name, bytes) in files {
                fs::write(dir.join("plugins").join(name), bytes).expect("a file");
            }
        };
        let gateway = Gateway::prepare(config, &[]).with(put).start();
        let mut sessions = Vec::new();
        for _ in 0..12 {
            let address = gateway.address(listener);
            let session = match listener {
                "named" => Client::websocket(address, "/").await,
                _ => Client::tcp(address, u32be()).await,
            };
            sessions.push(session.expect("a session"));
        }
        Self { gateway, sessions, sent: 0 }
    }

    /// What every session gets for a message that it sends now; they all get the same.
    async fn says(&mut self) -> String {
        let mut said: Option<String> = None;
        for session in &mut self.sessions {
            self.sent += 1;
            session.send(b"x").await.expect("sent");
            let answer = session.message().await.expect("an answer");
            let answer = String::from_utf8(answer.to_vec()).expect("text");
            assert_eq!(*said.get_or_insert_with(|| answer.clone()), answer, "all sessions get the same");
        }
        said.expect("there are sessions")
    }

    fn chain(&self, listener: &str) -> Vec<(String, u64)> {
        let plugins = self.gateway.plugins();
        let chains = plugins["chains"].as_array().expect("chains");
        let chain = chains.iter().find(|chain| chain["listener"] == listener).expect("the listener");
        let links = chain["chain"].as_array().expect("links").iter();
        let text = |value: &Value| value.as_str().expect("a name").to_owned();
        links.map(|link| (text(&link["binding"]), link["generation"].as_u64().expect("a number"))).collect()
    }

    fn wait_for_chain(&self, listener: &str, links: &[(&str, u64)]) {
        let links: Vec<_> =
            links.iter().map(|(name, generation)| ((*name).to_owned(), *generation)).collect();
        wait_for(&format!("{listener} has {links:?}"), || self.chain(listener) == links);
    }

    /// The reason for which the binding's last file is not taken; waits for it.
    fn refusal(&self, binding: &str) -> String {
        let mut reason = String::new();
        wait_for(&format!("{binding} is refused"), || {
            let status = self.gateway.binding(binding).unwrap_or_default();
            status["reason"].as_str().unwrap_or_default().clone_into(&mut reason);
            status["state"] == "refused"
        });
        reason
    }

    /// Nothing was lost, and nobody had to come back.
    fn end(self) {
        let (sent, sessions) = (self.sent, self.sessions.len() as u64);
        let metrics = self.gateway.settle("every message came back", |metrics| {
            metrics.sum("messages_received", &[]) == sent && metrics.sum("messages_delivered", &[]) == sent
        });
        assert_eq!(metrics.sum("messages_dropped", &[]), 0);
        assert_eq!(metrics.sum("sessions_closed", &[]), 0);
        assert_eq!(metrics.sum("sessions", &[]), sessions);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_dropped_in_meets_the_next_message_of_open_sessions() {
    let mut scene = Scene::open(CONFIG, &[], "auto").await;
    assert_eq!(scene.says().await, "x");
    Swap::Rename.apply(&scene.gateway, "20-stamp.wasm", &stamp::version(7));
    scene.wait_for_chain("auto", &[("20-stamp", 1)]);
    assert_eq!(scene.says().await, "x<7>7");
    // The chain is in the order of the files' names, whatever the order of their coming.
    fs::write(scene.gateway.plugin_path("10-stamp.toml"), "config = { mark = \"a\" }").expect("settings");
    Swap::Rename.apply(&scene.gateway, "10-stamp.wasm", &stamp::version(8));
    scene.wait_for_chain("auto", &[("10-stamp", 1), ("20-stamp", 1)]);
    assert_eq!(scene.says().await, "x<a8<7>7>a8");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_beside_a_plugin_change_without_a_new_file() {
    let files = [("s.wasm", stamp::version(1)), ("s.toml", b"config = { mark = \"a\" }".to_vec())];
    let mut scene = Scene::open(CONFIG, &files, "auto").await;
    assert_eq!(scene.says().await, "x<a1>a1");
    let settings = scene.gateway.plugin_path("s.toml");
    fs::write(&settings, "config = { mark = \"b\" }\ndeadline = \"50ms\"").expect("settings");
    scene.wait_for_chain("auto", &[("s", 2)]);
    assert_eq!(scene.says().await, "x<b1>b1");
    // What cannot be read, what the schema refuses and what the plugin refuses: what served serves on.
    let cases = [
        ("config = { mark = \"c\"", "its settings cannot be used: "),
        ("onfailure = \"open\"", "on_failure"),
        ("config = { mark = 1 }", "its config does not fit: /mark: 1 is not of type \"string\""),
        ("config = { colour = \"red\" }", "'colour' was unexpected"),
        ("config = { mark = \"refused\" }", "this mark is not for use"),
        ("grants = [\"wasi\"]", "wasi"),
    ];
    for (text, why) in cases {
        fs::write(&settings, text).expect("settings");
        wait_for(&format!("{text:?} is refused: {why}"), || scene.refusal("s").contains(why));
        assert_eq!(scene.says().await, "x<b1>b1", "{text}");
        let logged = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            line["level"] == "ERROR" && line["plugin"] == "s" && message.contains(why)
        };
        let line = scene.gateway.wait_for_log(text, logged);
        assert!(line["message"].as_str().is_some_and(|text| text.contains("serves on")), "{line}");
    }
    fs::write(&settings, "config = { mark = \"d\" }").expect("settings");
    scene.wait_for_chain("auto", &[("s", 3)]);
    assert_eq!(scene.says().await, "x<d1>d1");
    fs::remove_file(&settings).expect("removed");
    scene.wait_for_chain("auto", &[("s", 4)]);
    assert_eq!(scene.says().await, "x<1>1");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_between_two_good_ones_changes_nothing() {
    let files = [("s.wasm", stamp::version(1))];
    let mut scene = Scene::open(CONFIG, &files, "auto").await;
    for (generation, swap) in (1..).zip(Swap::ALL) {
        let new = stamp::version(generation + 1);
        let serves = format!("x<{generation}>{generation}");
        assert_eq!(scene.says().await, serves);
        swap.apply(&scene.gateway, "s.wasm", &new[..new.len() / 2]);
        assert!(scene.refusal("s").contains("ends too early"), "{}", scene.refusal("s"));
        let status = scene.gateway.binding("s").expect("a binding");
        assert_eq!(status["serving"]["generation"], generation);
        assert_ne!(status["serving"]["sha256"], status["offered"]);
        assert_eq!(scene.says().await, serves);
        swap.apply(&scene.gateway, "s.wasm", &new);
        scene.wait_for_chain("auto", &[("s", u64::from(generation) + 1)]);
    }
    assert_eq!(scene.says().await, "x<4>4");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_chain_goes_on_without_a_file_that_is_removed() {
    let files = [("10-a.wasm", stamp::version(1)), ("20-b.wasm", stamp::version(2))];
    let mut scene = Scene::open(CONFIG, &files, "auto").await;
    assert_eq!(scene.says().await, "x<1<2>2>1");
    fs::remove_file(scene.gateway.plugin_path("10-a.wasm")).expect("removed");
    scene.wait_for_chain("auto", &[("20-b", 1)]);
    assert_eq!(scene.says().await, "x<2>2");
    assert_eq!(scene.gateway.binding("10-a").expect("still known")["state"], "missing");
    scene.gateway.wait_for_log("the removal", |line| {
        line["plugin"] == "10-a" && line["message"].as_str().is_some_and(|text| text.contains("is gone"))
    });
    // The same file again is a new generation.
    Swap::Rename.apply(&scene.gateway, "10-a.wasm", &stamp::version(1));
    scene.wait_for_chain("auto", &[("10-a", 2), ("20-b", 1)]);
    assert_eq!(scene.says().await, "x<1<2>2>1");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_names_a_plugin_keeps_its_last_generation() {
    let config = format!("{CONFIG}{NAMED}");
    let files = [("stamp.wasm", stamp::version(3))];
    let mut scene = Scene::open(&config, &files, "named").await;
    assert_eq!(scene.says().await, "x<n3>n3");
    fs::remove_file(scene.gateway.plugin_path("stamp.wasm")).expect("removed");
    scene.wait_for_chain("auto", &[]);
    scene.wait_for_chain("named", &[("stamp", 1)]);
    assert_eq!(scene.gateway.binding("stamp").expect("known")["state"], "missing");
    assert_eq!(scene.says().await, "x<n3>n3");
    Swap::Rename.apply(&scene.gateway, "stamp.wasm", &stamp::version(4));
    scene.wait_for_chain("named", &[("stamp", 2)]);
    scene.wait_for_chain("auto", &[("stamp", 2)]);
    assert_eq!(scene.says().await, "x<n4>n4");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_turns_out_bad_is_taken_back() {
    let files = [("s.wasm", stamp::version(1))];
    let mut scene = Scene::open(CONFIG, &files, "auto").await;
    let good = scene.says().await;
    let bad = fs::read(artifact::guest("panic")).expect("the guest");
    Swap::Rename.apply(&scene.gateway, "s.wasm", &bad);
    scene.wait_for_chain("auto", &[("s", 2)]);
    // Whatever it costs until it is taken back is dropped, as on_failure says.
    let mut lost = 0;
    while scene.chain("auto") != [("s".to_owned(), 1)] {
        for session in &mut scene.sessions {
            session.send(b"boom").await.expect("sent");
            lost += 1;
        }
        let all = scene.sent + lost;
        scene.gateway.settle("they are counted", |metrics| metrics.sum("messages_received", &[]) == all);
    }
    let reason = scene.refusal("s");
    assert!(reason.contains("calls failed"), "{reason}");
    // The last of them may have come after that; then the answers are in line before the next one's.
    let mut echoed = 0;
    for session in &mut scene.sessions {
        session.send(b"x").await.expect("sent");
        loop {
            match &*session.message().await.expect("an answer") {
                b"boom<1>1" => echoed += 1,
                other => break assert_eq!(other, good.as_bytes()),
            }
        }
    }
    let delivered = scene.sent + echoed + scene.sessions.len() as u64;
    let metrics = scene
        .gateway
        .settle("all is dealt with", |metrics| metrics.sum("messages_delivered", &[]) == delivered);
    println!("{} messages lost to the bad version: {reason}", lost - echoed);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin_failed")]), lost - echoed);
    assert_eq!(metrics.sum("messages_dropped", &[]), lost - echoed);
    assert_eq!(metrics.sum("sessions", &[]), scene.sessions.len() as u64);
    assert_eq!(metrics.sum("sessions_closed", &[]), 0);
}
