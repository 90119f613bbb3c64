//! What each order does to messages, and that it lasts.

use crate::rig::{binding, connect, events, hear, ordered, post, refused, restart, say, start, swap};
use std::fs;
use weir_tests::stamp::version;
use weir_tests::{Gateway, artifact, wait_for};

fn sessions_closed(gateway: &Gateway) -> u64 {
    gateway.metrics().sum("sessions_closed", &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pass_without_what_is_disabled() {
    let gateway = start("", &version(1));
    let mut client = connect(&gateway).await;
    assert_eq!(say(&mut client).await, "x<1>1");
    let said = ordered(&gateway, "disable", &["--reason", "too loud"]);
    assert!(said.contains("messages pass without p") && said.contains("weir plugin enable p"), "{said}");
    assert_eq!(say(&mut client).await, "x", "the next message meets it");
    assert!(refused(&gateway, "disable").contains("disabled already"));
    assert_eq!(gateway.plugins()["chains"][0]["chain"], serde_json::json!([]));
    assert!(binding(&gateway)["disabled_ms"].is_u64());
    assert_eq!(gateway.metrics().sum("plugin_disabled", &[("binding", "p")]), 1);
    // A new file is tried and taken, and serves nobody.
    swap(&gateway, b"none", "refused");
    swap(&gateway, &version(2), "active");
    assert_eq!(say(&mut client).await, "x");
    assert_eq!(sessions_closed(&gateway), 0);

    let gateway = restart(gateway);
    let mut client = connect(&gateway).await;
    assert_eq!(say(&mut client).await, "x", "a restart is no way around it");
    let (status, answer) = post(&gateway, "enable?reason=it+is+mended");
    assert_eq!((status, &answer["result"], &answer["kept"]), (200, &"done".into(), &true.into()), "{answer}");
    assert!(answer["plugin"]["disabled_ms"].is_null(), "{answer}");
    assert_eq!(say(&mut client).await, "x<2>2");
    assert_eq!(post(&gateway, "enable").0, 409);
    assert_eq!(sessions_closed(&gateway), 0);
    let gateway = restart(gateway);
    assert_eq!(say(&mut connect(&gateway).await).await, "x<2>2");
    assert_eq!(
        events(&gateway),
        [
            "loaded 1 by start",
            "disabled by operator",
            "refused by file",
            "loaded 2 by file",
            "loaded 1 by start",
            "enabled by operator",
            "loaded 1 by start"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_holds_goes_on_when_it_is_disabled() {
    let grants = "grants = [\"messaging\", \"groups\", \"kv\", \"timers\", \"random\"]";
    let gateway = start(grants, &fs::read(artifact::guest("remote")).expect("the guest"));
    let mut client = connect(&gateway).await;
    client.send(b"hold 60000").await.expect("sent");
    gateway.settle("held", |metrics| metrics.sum("messages_held", &[]) == 1);
    client.send(b"then this").await.expect("sent");
    ordered(&gateway, "disable", &[]);
    assert_eq!(hear(&mut client).await, "hold 60000");
    assert_eq!(hear(&mut client).await, "then this");
    gateway.settle("nothing is held", |metrics| {
        metrics.sum("messages_held", &[]) == 0 && metrics.sum("messages_dropped", &[]) == 0
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_serve_keeps_no_gateway_from_starting_when_it_is_disabled() {
    let gateway = start("", &version(1));
    ordered(&gateway, "disable", &[]);
    swap(&gateway, b"none", "refused");
    let gateway = restart(gateway);
    assert_eq!(say(&mut connect(&gateway).await).await, "x");
    let why = refused(&gateway, "enable");
    assert!(why.contains("nothing of it serves"), "{why}");
    swap(&gateway, &version(2), "active");
    ordered(&gateway, "enable", &[]);
    assert_eq!(say(&mut connect(&gateway).await).await, "x<2>2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_served_before_serves_again_after_its_probation_and_over_restarts() {
    let gateway = start("rollback = { window = \"1s\" }", &version(1));
    let mut client = connect(&gateway).await;
    assert_eq!(say(&mut client).await, "x<1>1");
    let why = refused(&gateway, "rollback");
    assert!(why.contains("nothing to go back to"), "{why}");
    swap(&gateway, &version(2), "active");
    assert_eq!(say(&mut client).await, "x<2>2");
    wait_for("its probation is over", || binding(&gateway)["probation"] == false);
    let said = ordered(&gateway, "rollback", &["--reason", "it stamps wrongly"]);
    assert!(said.contains("generation 1 of p"), "{said}");
    assert_eq!(say(&mut client).await, "x<1>1");
    let now = binding(&gateway);
    assert_eq!(now["state"], "refused");
    let reason = now["reason"].as_str().expect("a reason");
    assert!(reason.contains("an operator ordered it: it stamps wrongly"), "{reason}");
    assert_eq!(sessions_closed(&gateway), 0);

    let gateway = restart(gateway);
    let mut client = connect(&gateway).await;
    assert_eq!(say(&mut client).await, "x<1>1", "only the file of the second is there");
    let said = ordered(&gateway, "accept", &[]);
    assert!(said.contains("what lies in the directory serves"), "{said}");
    assert_eq!(say(&mut client).await, "x<2>2");
    assert_eq!(sessions_closed(&gateway), 0);

    let gateway = restart(gateway);
    let mut client = connect(&gateway).await;
    assert_eq!(say(&mut client).await, "x<2>2");
    let (status, answer) = post(&gateway, "rollback");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(say(&mut client).await, "x<1>1", "what served before the restart is known");
    // Another file is another matter.
    swap(&gateway, &version(3), "active");
    assert_eq!(say(&mut client).await, "x<3>3");
    assert_eq!(
        events(&gateway),
        [
            "loaded 1 by start",
            "loaded 2 by file",
            "rolled-back 2 by operator",
            "refused by start",
            "loaded 1 by start",
            "accepted by operator",
            "loaded 2 by operator",
            "loaded 1 by start",
            "rolled-back 1 by operator",
            "loaded 3 by file"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_called_off() {
    let gateway = start("rollout = { canary = \"50%\", for = \"10m\" }", &version(1));
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(connect(&gateway).await);
    }
    swap(&gateway, &version(2), "trying");
    let admin = format!("http://{}", gateway.admin());
    let shown = weir_tests::command::weir(gateway.dir(), &["plugin", "list", "--admin", &admin]);
    let line = shown.out.lines().nth(1).expect("a line");
    assert!(line.starts_with('p') && line.contains("trying") && line.contains("50%"), "{}", shown.out);
    ordered(&gateway, "rollback", &[]);
    for client in &mut clients {
        assert_eq!(say(client).await, "x<1>1");
    }
    let now = binding(&gateway);
    assert_eq!((&now["state"], &now["rollout"]), (&"refused".into(), &serde_json::Value::Null));
    assert_eq!(now["refused"].as_array().map(Vec::len), Some(1));
    ordered(&gateway, "accept", &[]);
    assert_eq!(binding(&gateway)["state"], "trying");
    assert_eq!(sessions_closed(&gateway), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_serves_whatever_comes() {
    let gateway = start("", &version(1));
    let mut client = connect(&gateway).await;
    assert!(refused(&gateway, "unpin").contains("not pinned"));
    ordered(&gateway, "pin", &["--reason", "no changes this week"]);
    swap(&gateway, &version(2), "waiting");
    assert_eq!(say(&mut client).await, "x<1>1");
    let now = binding(&gateway);
    assert_ne!(now["offered"], now["serving"]["sha256"]);
    assert_eq!(now["pin"]["sha256"], now["serving"]["sha256"]);
    assert_eq!(sessions_closed(&gateway), 0);

    let gateway = restart(gateway);
    let mut client = connect(&gateway).await;
    assert_eq!(say(&mut client).await, "x<1>1", "its file is not there, a copy is");
    let admin = format!("http://{}", gateway.admin());
    let shown = weir_tests::command::weir(gateway.dir(), &["plugin", "list", "--admin", &admin]);
    assert!(shown.out.contains("waiting") && shown.out.contains("pinned"), "{}", shown.out);
    let said = ordered(&gateway, "unpin", &[]);
    assert!(said.contains("what lies in the directory serves"), "{said}");
    assert_eq!(say(&mut client).await, "x<2>2");
    assert_eq!(sessions_closed(&gateway), 0);
    let gateway = restart(gateway);
    assert_eq!(say(&mut connect(&gateway).await).await, "x<2>2");
    assert_eq!(
        events(&gateway),
        [
            "loaded 1 by start",
            "pinned 1 by operator",
            "refused by file",
            "refused by start",
            "loaded 1 by start",
            "unpinned by operator",
            "loaded 2 by operator",
            "loaded 1 by start"
        ]
    );
}
