//! What a plugin may call, from sessions on two workers.

use crate::remote::{Remote, gateway};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use weir_tests::wait_for;

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_in_kv_is_exact_over_all_sessions_and_workers() {
    const SESSIONS: u64 = 40;
    const EACH: u64 = 50;
    let gateway = gateway(&[("tcp", &["remote"]), ("ws", &["remote"])], None);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..SESSIONS {
        let mut session = Remote::connect(&gateway, if number % 2 == 0 { "tcp" } else { "ws" }).await;
        tasks.spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..EACH {
                seen.push(session.ask("kv.add hits 1").await.parse::<u64>().expect("a number"));
            }
            (session, seen)
        });
    }
    let done = tasks.join_all().await;
    let workers: BTreeSet<_> = done.iter().map(|(session, _)| session.worker()).collect();
    assert_eq!(workers.len(), 2, "both workers counted");
    let seen: BTreeSet<_> = done.iter().flat_map(|(_, seen)| seen.iter().copied()).collect();
    assert!(seen.into_iter().eq(1..=SESSIONS * EACH), "every number was given once");
    let metrics = gateway
        .settle("all answered", |metrics| metrics.sum("messages_delivered", &[]) == SESSIONS * (EACH + 1));
    assert_eq!(metrics.sum("messages_dropped", &[]), 0);
    assert_eq!(gateway.binding("remote").expect("known")["kv_keys"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn kv_is_shared_by_workers_atomic_and_forgets_in_time() {
    let gateway = gateway(&[("tcp", &["remote"])], None);
    let [mut one, mut two] = Remote::on_both_workers(&gateway, "tcp").await;
    assert_eq!(one.ask("kv.set name weir").await, "ok");
    assert_eq!(two.ask("kv.get name").await, "weir");
    assert_eq!(two.ask("kv.cas name other mill").await, "false");
    assert_eq!(two.ask("kv.cas name weir mill").await, "true");
    assert_eq!(one.ask("kv.get name").await, "mill");
    assert_eq!(one.ask("kv.cas fresh - 1").await, "true");
    assert_eq!(two.ask("kv.delete name").await, "true");
    assert_eq!(one.ask("kv.delete name").await, "false");
    assert_eq!(one.ask("kv.get name").await, "-");
    let begun = Instant::now();
    assert_eq!(one.ask("kv.set brief here 3000").await, "ok");
    let mut was_there = false;
    loop {
        let there = two.ask("kv.get brief").await == "here";
        let elapsed = begun.elapsed().as_millis();
        assert!(!there || elapsed < 60_000, "it never goes");
        // The store counts in whole milliseconds.
        assert!(there || elapsed >= 2999, "it went after {elapsed} ms");
        was_there |= there;
        if !there {
            break;
        }
    }
    assert!(was_there);
    wait_for("the store forgets it too", || gateway.binding("remote").expect("known")["kv_keys"] == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_are_seen_by_later_plugins_and_other_workers() {
    let gateway = gateway(&[("tcp", &["remote", "stamp-s"]), ("plain", &["remote"])], None);
    let [mut one, mut two] = Remote::on_both_workers(&gateway, "plain").await;
    let mut stamped = Remote::connect(&gateway, "tcp").await;
    assert_eq!(stamped.ask("say x").await, "x<s1>s1");
    // The effect comes before the message goes on: the next plugin sees it for this very message.
    assert_eq!(stamped.ask("attr.set color red").await, "ok<s1[red]>s1");
    assert_eq!(stamped.ask("attr.remove color").await, "ok<s1>s1");
    assert_eq!(one.ask("attr.set color blue").await, "ok");
    assert_eq!(two.ask(&format!("attr.of {} color", one.id)).await, "blue");
    assert_eq!(two.ask("attr.get color").await, "-");
    assert_eq!(two.ask("attr.get weir.listener").await, "plain");
    assert_eq!(two.ask("attr.get weir.transport").await, "tcp");
    assert!(two.ask(&format!("attr.of {} weir.peer", one.id)).await.starts_with("127.0.0.1:"));
    assert!(one.ask("attr.get opened").await.starts_with("plain 127.0.0.1:"));
    // The gateway's own are its own, and too many or too long ones are not taken.
    assert_eq!(one.ask("attr.set weir.peer 1.2.3.4:5").await, "ok");
    assert!(one.ask("attr.get weir.peer").await.starts_with("127.0.0.1:"));
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("plugin_effects_refused", &[("binding", "remote")]), 1);
    let id = one.id;
    one.client.close().await.expect("closed");
    let mut left = String::new();
    while left != "-" {
        left = two.ask(&format!("attr.of {id} color")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_reach_over_workers() {
    let gateway = gateway(&[("tcp", &["remote"]), ("ws", &["remote"]), ("quic", &["remote"])], None);
    let [mut one, mut two] = Remote::on_both_workers(&gateway, "tcp").await;
    let mut three = Remote::connect(&gateway, "ws").await;
    let mut four = Remote::connect(&gateway, "quic").await;
    assert_eq!(one.ask("members room").await, "0");
    for (count, session) in [&mut one, &mut two, &mut three, &mut four].into_iter().enumerate() {
        assert_eq!(session.ask("join room").await, "ok");
        assert_eq!(session.ask("join room").await, "ok", "again is as good as once");
        assert_eq!(session.ask("members room").await, (count + 1).to_string());
    }
    // A message that a plugin sends, and one that it routes. The sender is a member too: its own copy comes before the answer.
    assert_eq!(two.ask("send group:room hello").await, "hello");
    assert_eq!(two.hear().await, "ok");
    one.say("route group:room hi").await;
    // Of two senders on two workers, either may come first.
    for member in [&mut one, &mut three, &mut four] {
        let mut heard = [member.hear().await, member.hear().await];
        heard.sort();
        assert_eq!(heard, ["hello", "hi"]);
    }
    assert_eq!(two.hear().await, "hi");
    assert_eq!(one.ask("leave room").await, "ok");
    assert_eq!(two.ask("members room").await, "3");
    four.client.close().await.expect("closed");
    wait_for("the one who left is no member", || {
        gateway.metrics().sum("sessions", &[("listener", "quic")]) == 0
    });
    assert_eq!(two.ask("members room").await, "2");
    one.say("route group:room bye").await;
    assert_eq!(two.hear().await, "bye");
    assert_eq!(three.hear().await, "bye");
    one.say("route group:nobody bye").await;
    gateway.settle("nobody is there", |metrics| {
        metrics.sum("messages_dropped", &[("reason", "empty_group")]) == 1
    });
    assert_eq!(one.ask("send group:nobody bye").await, "ok");
    let metrics = gateway.settle("nor for a plugin", |metrics| {
        metrics.sum("plugin_messages_dropped", &[("reason", "empty_group")]) == 1
    });
    assert_eq!(metrics.sum("plugin_messages_sent", &[]), 2);
    assert_eq!(metrics.sum("groups", &[]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_sends_to_sessions_clusters_and_back() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = upstream.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = upstream.accept().await {
            let (mut read, mut write) = stream.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut read, &mut write).await });
        }
    });
    let gateway = gateway(&[("tcp", &["remote"])], Some(address));
    let [mut one, mut two] = Remote::on_both_workers(&gateway, "tcp").await;
    let to_two = format!("session:{}", two.id);
    assert_eq!(one.ask(&format!("send {to_two} psst")).await, "ok");
    assert_eq!(two.hear().await, "psst");
    one.say(&format!("route {to_two} here")).await;
    assert_eq!(two.hear().await, "here");
    // What it sends goes before the message in hand.
    assert_eq!(one.ask("send echo first").await, "first");
    assert_eq!(one.hear().await, "ok");
    assert_eq!(one.ask("send cluster:back there").await, "ok");
    assert_eq!(one.hear().await, "there");
    assert_eq!(one.ask("route cluster:back again").await, "again");
    // Nobody is called that.
    one.say("route cluster:nowhere x").await;
    one.say("route session:12345 x").await;
    assert_eq!(one.ask("send cluster:nowhere x").await, "ok");
    assert_eq!(one.ask("send session:12345 x").await, "ok");
    let metrics = gateway.settle("all have their fate", |metrics| {
        metrics.sum("messages_dropped", &[("reason", "unknown_session")]) == 2
    });
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "unknown_cluster")]), 1);
    assert_eq!(metrics.sum("plugin_messages_dropped", &[("reason", "unknown_cluster")]), 1);
    assert_eq!(metrics.sum("plugin_messages_sent", &[]), 5);
    assert_eq!(metrics.sum("upstream_messages_delivered", &[]), 2);
    assert_eq!(metrics.sum("upstream_messages_received", &[]), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_on_one_worker_alone() {
    let gateway = gateway(&[("tcp", &["remote"])], None);
    let [mut one, mut two] = Remote::on_both_workers(&gateway, "tcp").await;
    let begun = Instant::now();
    assert_eq!(one.ask("every 20").await, "ok");
    assert_eq!(two.ask("every 20").await, "ok");
    let ticks = || gateway.metrics().sum("custom_ticks", &[("binding", "remote")]);
    wait_for("ticks", || ticks() >= 25);
    let (count, elapsed) = (ticks(), begun.elapsed().as_millis() as u64);
    assert!(count <= elapsed / 20 + 1, "{count} ticks in {elapsed} ms");
    let ticked = |line: &serde_json::Value| line["plugin"] == "remote" && line["message"] == "tick";
    gateway.wait_for_log("a tick", ticked);
    let log = gateway.log();
    let workers: BTreeSet<_> =
        log.iter().filter(|line| ticked(line)).map(|line| line["worker"].to_string()).collect();
    assert_eq!(workers.len(), 1, "{workers:?}");
    // Whoever asks last decides, from either worker.
    assert_eq!(two.ask("every 0").await, "ok");
    let (stopped, since) = (ticks(), Instant::now());
    // Time for twenty more.
    while since.elapsed() < Duration::from_millis(400) {
        assert_eq!(one.ask("sequence").await, one.sent.to_string());
    }
    assert!(ticks() <= stopped + 2, "{} after {stopped}", ticks());
}
