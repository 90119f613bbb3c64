//! Files that are no good: the generation before them serves on, and whoever asks is told why in the same words.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_tests::client::{Client, u32be};
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, artifact, wait_for};

const CONFIG: &str = r#"
admin = { bind = "127.0.0.1:0" }
runtime = { workers = 2 }

[[listener]]
name = "echo"
bind = "127.0.0.1:0"
protocol = "tcp"
framing = { type = "length", prefix = "u32be", max = "1MiB" }
chain = "auto"
route = "echo"
"#;

/// A module that imports and exports nothing but what is said: sections by hand, as any other compiler might have made them.
fn module(import: Option<(&str, &str)>) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    // One type: a function without parameters and results.
    bytes.extend([1, 4, 1, 0x60, 0, 0]);
    if let Some((module, name)) = import {
        let mut section = vec![1];
        for text in [module, name] {
            section.push(text.len() as u8);
            section.extend(text.bytes());
        }
        section.extend([0, 0]);
        bytes.extend([2, section.len() as u8]);
        bytes.extend(section);
    }
    bytes
}

/// A component that exports an instance of something that is not ours, or imports it.
fn component(imports: Option<&str>) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    let Some(name) = imports else { return bytes };
    // One type: an instance without exports.
    bytes.extend([7, 3, 1, 0x42, 0]);
    let mut section = vec![1, 0, name.len() as u8];
    section.extend(name.bytes());
    section.extend([5, 0]);
    bytes.extend([10, section.len() as u8]);
    bytes.extend(section);
    bytes
}

struct Bad {
    name: &'static str,
    file: Vec<u8>,
    why: &'static str,
    /// Also without a binding.
    inspected: bool,
}

fn bad_files() -> Vec<Bad> {
    let good = stamp::version(2);
    let guest = |name: &str| fs::read(artifact::guest(name)).expect("a guest");
    let bad = |name, file, why| Bad { name, file, why, inspected: true };
    let mut middle = good.clone();
    let at = middle.len() / 2;
    middle[at..at + 64].fill(0xff);
    vec![
        bad(
            "truncated",
            good[..good.len() / 2].to_vec(),
            "the file ends too early: it was truncated, or is still being written",
        ),
        bad("cut in its first word", good[..3].to_vec(), "the file ends too early"),
        bad("empty", Vec::new(), "the file ends too early"),
        bad("garbage", vec![0xa5; 100_000], "this is not WebAssembly: it does not begin with `\\0asm`"),
        bad("a page of HTML", b"<html>404 not found</html>".to_vec(), "this is not WebAssembly"),
        bad("damaged", middle, ""),
        bad("another module", module(None), "it carries no component type. Build it with the Weir SDK"),
        bad("another host's module", module(Some(("env", "abort"))), "no Weir plugin"),
        bad(
            "WASI 1",
            module(Some(("wasi_snapshot_preview1", "fd_write"))),
            "it imports WASI (wasi_snapshot_preview1/fd_write)",
        ),
        bad("another host's component", component(Some("acme:host/api@1.0.0")), "made for another host"),
        bad("a component of nothing", component(None), "nothing of weir:plugin (nothing at all)"),
        bad(
            "WASI 2",
            component(Some("wasi:cli/environment@0.2.0")),
            "build it with `--target wasm32-unknown-unknown`",
        ),
        bad(
            "a later contract",
            guest("future"),
            "was built for weir:plugin 0.2.0; this gateway offers 0.1: rebuild it with SDK 0.1",
        ),
        bad("a describe that panics", guest("trap_describe"), "its describe failed (trap)"),
        Bad {
            inspected: false,
            ..bad("an import without its grant", guest("remote"), "does not grant: add grants = [")
        },
    ]
}

/// What `weir plugin inspect` says of a file that it refuses.
fn inspected(file: &Path) -> String {
    let output =
        Command::new(artifact::weir()).args(["plugin", "inspect"]).arg(file).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    said
}

/// A gateway with version 1 of the stamp and a session that stays.
struct Scene {
    gateway: Gateway,
    client: Client,
    sent: u64,
}

impl Scene {
    async fn open(files: &[(&str, PathBuf)]) -> Self {
        let gateway = Gateway::start(CONFIG, files);
        let client = Client::tcp(gateway.address("echo"), u32be()).await.expect("a session");
        Self { gateway, client, sent: 0 }
    }

    async fn says(&mut self) -> String {
        self.sent += 1;
        self.client.send(b"x").await.expect("sent");
        String::from_utf8(self.client.message().await.expect("an answer").to_vec()).expect("text")
    }

    /// The reason in `/v1/plugins`; the same is in the log.
    fn refused(&self, binding: &str, why: &str) -> String {
        let mut reason = String::new();
        wait_for(&format!("{binding} is refused: {why}"), || {
            let status = self.gateway.binding(binding).unwrap_or_default();
            status["reason"].as_str().unwrap_or_default().clone_into(&mut reason);
            status["state"] == "refused" && reason.contains(why)
        });
        self.gateway.wait_for_log(&reason, |line| {
            let message = line["message"].as_str().unwrap_or_default();
            line["level"] == "ERROR" && line["plugin"] == binding && message.contains(&reason)
        });
        reason
    }

    fn end(&self) {
        let metrics = self.gateway.settle("every message came back", |metrics| {
            metrics.sum("messages_received", &[]) == self.sent
                && metrics.sum("messages_delivered", &[]) == self.sent
        });
        assert_eq!(metrics.sum("messages_dropped", &[]), 0);
        assert_eq!(metrics.sum("sessions_closed", &[]), 0);
        assert_eq!(metrics.sum("plugin_failures", &[]), 0);
    }
}

fn stamp_file(dir: &tempfile::TempDir, version: u32) -> PathBuf {
    let path = dir.path().join(format!("{version}.wasm"));
    fs::write(&path, stamp::version(version)).expect("a file");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plugin_is_refused_and_everybody_is_told_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scene = Scene::open(&[("s.wasm", stamp_file(&dir, 1))]).await;
    assert_eq!(scene.says().await, "x<1>1");
    for Bad { name, file, why, inspected: everywhere } in bad_files() {
        Swap::Rename.apply(&scene.gateway, "s.wasm", &file);
        let digest = || scene.gateway.binding("s").map(|status| status["offered"].clone());
        let offered = digest();
        wait_for(name, || digest() != offered);
        let reason = scene.refused("s", why);
        let status = scene.gateway.binding("s").expect("a binding");
        assert_eq!(status["serving"]["generation"], 1, "{name}");
        assert_eq!(scene.says().await, "x<1>1", "{name}");
        if everywhere {
            let copy = dir.path().join("copy.wasm");
            fs::write(&copy, &file).expect("a copy");
            let said = inspected(&copy);
            // Without a trap's frames, which depend on the instance.
            let sentence = reason.split(" in ").next().unwrap_or_default();
            assert!(said.contains(sentence), "{name}: the gateway says {reason:?}, inspect says {said:?}");
        }
        println!("  {name}: {reason}");
    }
    // Past the capture of the test harness: it is a row of docs/robustness.md.
    let _ = writeln!(
        std::io::stdout().lock(),
        "attack: files that are none: {} kinds refused, each with its sentence; the old generation serves on",
        bad_files().len()
    );
    Swap::Rename.apply(&scene.gateway, "s.wasm", &stamp::version(2));
    scene.gateway.settle("the next good one serves", |metrics| metrics.sum("plugin_generation", &[]) == 2);
    wait_for("the chain", || scene.gateway.plugins()["chains"][0]["chain"][0]["generation"] == 2);
    assert_eq!(scene.says().await, "x<2>2");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_100_megabytes_is_not_even_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scene = Scene::open(&[("s.wasm", stamp_file(&dir, 1))]).await;
    let before = weir_tests::peer::resident_kib(scene.gateway.pid());
    let part = scene.gateway.plugin_path(".part");
    let large = File::create(&part).expect("a file");
    large.set_len(100 << 20).expect("it has holes");
    fs::rename(&part, scene.gateway.plugin_path("s.wasm")).expect("renamed");
    let reason = scene.refused("s", "the file has 104857600 bytes; the most is 33554432");
    let after = weir_tests::peer::resident_kib(scene.gateway.pid());
    assert!(after < before + 50 * 1024, "{before} KiB before, {after} KiB after");
    assert_eq!(scene.says().await, "x<1>1");
    let said = inspected(&scene.gateway.plugin_path("s.wasm"));
    assert!(said.contains(&reason), "{said}");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_slowly_is_taken_when_it_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scene = Scene::open(&[("s.wasm", stamp_file(&dir, 1))]).await;
    let file = stamp::version(2);
    let mut part = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(scene.gateway.plugin_path("s.wasm"))
        .expect("a file");
    // In pieces, with messages in between; and so slowly in the middle that it is looked at.
    let pieces: Vec<_> = file.chunks(file.len() / 20 + 1).collect();
    for (at, piece) in pieces.iter().enumerate() {
        part.write_all(piece).expect("a piece");
        part.flush().expect("written");
        if at == pieces.len() / 2 {
            scene.refused("s", "is still being written");
        }
        assert_eq!(scene.says().await, "x<1>1");
        if at + 2 == pieces.len() {
            break;
        }
    }
    part.write_all(pieces.last().expect("pieces")).expect("the last piece");
    drop(part);
    wait_for("it is whole", || scene.gateway.plugins()["chains"][0]["chain"][0]["generation"] == 2);
    assert_eq!(scene.says().await, "x<2>2");
    assert_eq!(scene.gateway.binding("s").expect("a binding")["state"], "active");
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configure_that_fails_is_refused_with_its_own_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let grants = "grants = [\"messaging\", \"timers\"]\n";
    let settings = dir.path().join("c.toml");
    fs::write(&settings, grants).expect("settings");
    let mut scene = Scene::open(&[("c.wasm", artifact::guest("configured")), ("c.toml", settings)]).await;
    assert_eq!(scene.says().await, "{}");
    let cases = [
        ("config = { do = \"fail\" }", "the word list is empty"),
        ("config = { do = \"panic\" }", "its configure failed (trap)"),
        ("config = { do = \"loop\" }", "its configure failed (deadline): it ran past its deadline of 250 ms"),
        ("config = { limit = 0 }", "its config does not fit: /limit: 0 is less than the minimum of 1"),
        ("config = { limits = 3 }", "('limits' was unexpected)"),
    ];
    for (settings, why) in cases {
        fs::write(scene.gateway.plugin_path("c.toml"), format!("{grants}{settings}")).expect("settings");
        let reason = scene.refused("c", why);
        assert_eq!(scene.says().await, "{}", "{settings}");
        println!("  {settings}: {reason}");
    }
    fs::write(scene.gateway.plugin_path("c.toml"), format!("{grants}config = {{ limit = 1 }}"))
        .expect("settings");
    wait_for("it serves", || scene.gateway.plugins()["chains"][0]["chain"][0]["generation"] == 2);
    assert_eq!(scene.says().await, "{\"limit\":1}");
    // The tries are no calls of the binding's: nothing is counted as its failure.
    scene.end();
}

#[test]
fn a_plugin_that_cannot_serve_from_the_beginning_keeps_the_gateway_from_starting_where_a_chain_names_it() {
    let config = CONFIG.replace("chain = \"auto\"", "chain = [\"future\"]")
        + "[[plugin]]\nname = \"future\"\nmodule = \"future.wasm\"\n";
    let mut gateway = Gateway::launch(&config, &[("future.wasm", artifact::guest("future"))]);
    assert_eq!(gateway.wait().code(), Some(1));
    let said = gateway.log().iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains("plugin \\\"future\\\": ") && said.contains("rebuild it with SDK 0.1"), "{said}");
    // An automatic chain goes without.
    let gateway = Gateway::start(CONFIG, &[("future.wasm", artifact::guest("future"))]);
    assert_eq!(gateway.binding("future").expect("known")["state"], "refused");
    assert_eq!(gateway.plugins()["chains"][0]["chain"], serde_json::json!([]));
}
