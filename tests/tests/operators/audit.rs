//! Every change leaves one line in the audit log, in order.

use crate::rig::{
    audit, binding, config, connect, events, order, ordered, post, restart, say, start, start_as, swap,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use weir_tests::stamp::version;
use weir_tests::{Gateway, artifact, wait_for};

fn rewrite(gateway: &Gateway, config: &str) {
    let part = gateway.dir().join(".weir.toml.part");
    fs::write(&part, config).expect("written");
    fs::rename(part, gateway.dir().join("weir.toml")).expect("renamed");
}

fn wait_for_events(gateway: &Gateway, count: usize) {
    wait_for("lines of the audit log", || events(gateway).len() >= count);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_the_configuration_trials_and_restarts_are_told_apart() {
    let general = "plugins.audit = \"audit.jsonl\"\nplugins.forget_after = \"1s\"";
    let gateway = start_as(&config(general, ""), &version(1));
    swap(&gateway, &version(2), "active");
    swap(&gateway, b"none", "refused");
    rewrite(&gateway, &config(general, "rollout = { canary = \"50%\", for = \"1s\" }"));
    gateway.wait_for_log("it is read", |line| line["message"] == "configuration reloaded");
    swap(&gateway, &version(3), "trying");
    wait_for_events(&gateway, 5);
    rewrite(&gateway, &config(general, "memory = \"4MiB\""));
    wait_for_events(&gateway, 6);
    fs::remove_file(gateway.plugin_path("p.wasm")).expect("removed");
    wait_for_events(&gateway, 7);
    fs::write(gateway.plugin_path("p.wasm"), version(3)).expect("written");
    wait_for_events(&gateway, 8);
    let gateway = restart(gateway);
    // Nobody names it, and its file goes.
    let text = config(general, "memory = \"4MiB\"");
    let plain = text.replace("[[plugin]]\nname = \"p\"\nmodule = \"p.wasm\"\nmemory = \"4MiB\"\n", "");
    fs::remove_file(gateway.plugin_path("p.wasm")).expect("removed");
    wait_for_events(&gateway, 10);
    rewrite(&gateway, &plain.replace("[\"p\"]", "[]"));
    wait_for_events(&gateway, 11);
    assert_eq!(gateway.binding("p"), None);
    let told = events(&gateway);
    assert_eq!(
        told,
        [
            "loaded 1 by start",
            "loaded 2 by file",
            "refused by file",
            "trial 3 by file",
            "promoted 3 by trial",
            "loaded 4 by config",
            "missing by file",
            "loaded 5 by file",
            "loaded 1 by start",
            "missing by file",
            "forgotten by config"
        ]
    );
    let lines = audit(&gateway);
    let times: Vec<&str> = lines.iter().filter_map(|line| line["time"].as_str()).collect();
    assert!(times.len() == lines.len() && times.is_sorted(), "{times:?}");
    assert!(lines.iter().all(|line| line["binding"] == "p"));
    assert_eq!(lines[1]["before"], json!({ "generation": 1, "sha256": lines[0]["sha256"] }));
    assert_eq!(lines[4]["before"]["generation"], 2);
    assert_eq!((&lines[5]["sha256"], &lines[5]["before"]["generation"]), (&lines[4]["sha256"], &json!(3)));
    assert_ne!(lines[5]["settings"], lines[4]["settings"]);
    assert!(lines[2]["reason"].as_str().is_some_and(|reason| reason.contains("not WebAssembly")));
    let mode = fs::metadata(gateway.dir().join("audit.jsonl")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The guest `turncoat` in this mode.
fn turncoat(mode: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"@mode=pass @";
    let mut file = fs::read(artifact::guest("turncoat")).expect("the guest");
    let at = file.windows(PLACE.len()).position(|bytes| bytes == PLACE).expect("it has a mode");
    file[at..at + PLACE.len()].copy_from_slice(format!("@mode={mode:<5}@").as_bytes());
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_and_what_has_drained_is_told() {
    let gateway = start("pin = \"session\"\npin_drain = \"1s\"", &turncoat("pass"));
    swap(&gateway, &turncoat("good"), "active");
    wait_for_events(&gateway, 3);
    swap(&gateway, &turncoat("trap"), "active");
    // A session that opens now is of the new one.
    wait_for("it has failed on enough", || {
        let failed = gateway.metrics().sum("plugin_failures", &[]) >= 5;
        if !failed {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    let mut client = connect(&gateway).await;
                    client.send(b"1").await.expect("sent");
                });
            });
        }
        failed
    });
    wait_for("it is taken back", || binding(&gateway)["state"] == "refused");
    let told = events(&gateway);
    // The sessions of the second stay for a second, unless it serves all before that.
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    assert_eq!(
        told[..4],
        ["loaded 1 by start", "loaded 2 by file", "drained 1 by trial", "loaded 3 by file"]
    );
    let back = audit(&gateway).into_iter().find(|line| line["event"] == "taken-back").expect("a line");
    assert_eq!((&back["generation"], &back["by"]), (&json!(3), &json!("trial")));
    assert_eq!(told.iter().filter(|line| line.starts_with("taken-back")).count(), 1);
    assert!(back["reason"].as_str().is_some_and(|reason| reason.contains("calls failed")), "{back}");
    assert!(back["serving"]["generation"].as_u64().is_some_and(|number| number < 3), "{back}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_told_with_who_gave_them_and_why() {
    let gateway = start("", &version(1));
    ordered(&gateway, "disable", &["--reason", "too \"loud\"\nnow"]);
    assert_eq!(order(&gateway, "disable", &[]).code, 1);
    post(&gateway, "enable");
    let lines = audit(&gateway);
    assert_eq!(lines.len(), 3, "what is refused changes nothing: {lines:?}");
    let (disabled, enabled) = (&lines[1], &lines[2]);
    assert_eq!((&disabled["event"], &disabled["note"]), (&json!("disabled"), &json!("too \"loud\"\nnow")));
    let peer = disabled["peer"].as_str().expect("a peer");
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    assert_eq!((&enabled["event"], &enabled["note"]), (&json!("enabled"), &Value::Null));
    // It may be moved away, and be another file from now on.
    fs::rename(gateway.dir().join("audit.jsonl"), gateway.dir().join("audit.1")).expect("renamed");
    ordered(&gateway, "pin", &[]);
    assert_eq!(events(&gateway), ["pinned 1 by operator"]);
    rewrite(&gateway, &config("plugins.audit = \"other.jsonl\"", ""));
    wait_for("it is read", || {
        gateway.log().iter().any(|line| line["live"].to_string().contains("[plugins] audit"))
    });
    ordered(&gateway, "unpin", &[]);
    let other = fs::read_to_string(gateway.dir().join("other.jsonl")).expect("a file");
    assert!(other.contains("unpinned") && other.lines().count() == 1, "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_done_and_said() {
    let general = "plugins.audit = \"nowhere/audit.jsonl\"\nplugins.state = \"off\"";
    let gateway = start_as(&config(general, ""), &version(1));
    let mut client = connect(&gateway).await;
    assert_eq!(gateway.metrics().sum("audit_failures", &[]), 1, "the start was to be told too");
    let (status, answer) = post(&gateway, "disable");
    assert_eq!((status, &answer["kept"]), (200, &json!(false)), "{answer}");
    assert!(
        answer["audit_error"].as_str().is_some_and(|error| error.contains("nowhere/audit.jsonl")),
        "{answer}"
    );
    let message = answer["message"].as_str().expect("a sentence");
    assert!(message.contains("ends with this process") && message.contains("cannot be written"), "{message}");
    assert_eq!(say(&mut client).await, "x");
    assert_eq!(gateway.metrics().sum("audit_failures", &[]), 2);
    gateway.wait_for_log("it is logged", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("audit log"))
    });
}
