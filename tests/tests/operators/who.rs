//! Who may give orders, and what becomes of those that name nothing.

use crate::rig::{ask, audit, config, connect, order, post, say, start, start_as};
use std::fs;
use weir_tests::command::weir;
use weir_tests::stamp::version;

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_order_nothing() {
    let gateway = start("", &version(1));
    for (request, head) in [
        ("POST /v1/plugins/p/disable", "Origin: https://evil.example\r\n"),
        ("POST /v1/plugins/p/disable", "Host: evil.example:7900\r\n"),
    ] {
        assert_eq!(ask(&gateway, request, head).0, 403, "{head}");
    }
    assert_eq!(ask(&gateway, "GET /v1/plugins/p/disable", "").0, 405, "a link is no order");
    assert_eq!(say(&mut connect(&gateway).await).await, "x<1>1");
    assert_eq!(audit(&gateway).len(), 1, "the start");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_nothing_is_said_so() {
    let gateway = start("", &version(1));
    let (status, answer) = ask(&gateway, "POST /v1/plugins/nobody/disable", "");
    assert_eq!((status, &answer["result"]), (404, &"unknown".into()), "{answer}");
    let (status, answer) = post(&gateway, "explode");
    assert_eq!(status, 404, "{answer}");
    assert!(
        answer["error"].to_string().contains("disable, enable, rollback, pin, unpin, accept"),
        "{answer}"
    );
    let (status, answer) = post(&gateway, &format!("disable?reason={}", "x".repeat(600)));
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = post(&gateway, "accept");
    assert_eq!((status, &answer["result"]), (409, &"refused".into()), "{answer}");
    let admin = format!("http://{}", gateway.admin());
    let done = weir(gateway.dir(), &["plugin", "pin", "no/body", "--admin", &admin]);
    assert!(done.code == 1 && done.err.contains("there is no plugin of this name"), "{done:?}");
    // Nobody there.
    for what in [&["plugin", "list"][..], &["plugin", "disable", "p"], &["reload"]] {
        let done = weir(gateway.dir(), &[what, &["--admin", "http://127.0.0.1:1"]].concat());
        assert!(done.code == 2 && done.err.contains("cannot reach the gateway"), "{what:?}: {done:?}");
    }
    let shown = weir(gateway.dir(), &["plugin", "list", "--json", "--admin", &admin]);
    let shown: serde_json::Value = serde_json::from_str(&shown.out).expect("JSON");
    assert_eq!(shown["bindings"][0]["name"], "p");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_and_a_socket_says_which_user_it_was() {
    let text = config("plugins.audit = \"audit.jsonl\"", "").replace(
        "admin.bind = \"127.0.0.1:0\"",
        "admin = { bind = \"unix:admin.sock\", token_file = \"token\" }",
    );
    let gateway = weir_tests::Gateway::prepare(&text, &[])
        .with(|dir| {
            fs::write(dir.join("token"), "0123456789abcdef0123\n").expect("a token");
            fs::write(dir.join("plugins/p.wasm"), version(1)).expect("a file");
        })
        .start();
    let socket = ["--admin", "unix:admin.sock"];
    let done = weir(gateway.dir(), &[&["plugin", "disable", "p"], &socket[..]].concat());
    assert!(done.code == 1 && done.err.contains("wants a token"), "{done:?}");
    let done =
        weir(gateway.dir(), &[&["plugin", "disable", "p", "--token-file", "token"], &socket[..]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    // A configuration knows both.
    let done = weir(gateway.dir(), &["plugin", "enable", "p", "-c", "weir.toml"]);
    assert_eq!(done.code, 0, "{done:?}");
    let peer = audit(&gateway)[1]["peer"].clone();
    assert!(peer.as_str().is_some_and(|peer| peer.starts_with("unix, user ")), "{peer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_come_together_are_carried_out_one_after_the_other() {
    let gateway = start_as(&config("plugins.audit = \"audit.jsonl\"", ""), &version(1));
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| order(&gateway, "disable", &[]).code)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ran")).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(audit(&gateway).len(), 2);
}
