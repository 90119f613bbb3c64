//! New versions on trial: those that misbehave are taken back by themselves, at the cost of the sessions that tried them and of no other.

use crate::remote::Remote;
use crate::turncoat::{Crowd, gateway, version, with_cases};
use std::fs;
use weir_tests::client::{Client, u32be};
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, artifact, wait_for};

const CLIENTS: u32 = 40;
const SHARE: f64 = 0.3;

/// Whether a session is among those that try a generation: the same function as the gateway's, so that it stays what it is.
fn tries(session: u64, generation: u64) -> bool {
    let mut mixed = session ^ generation.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let part = ((mixed ^ (mixed >> 31)) >> 32) as f64 / f64::from(u32::MAX);
    part < SHARE
}

fn taken_back(gateway: &Gateway) -> String {
    let fits = |line: &serde_json::Value| {
        line["plugin"] == "p"
            && line["message"].as_str().is_some_and(|text| text.starts_with("plugin taken back"))
    };
    gateway.wait_for_log("it is taken back", fits)["message"].as_str().unwrap_or_default().to_owned()
}

/// A version in this mode is tried and taken back within its window, whatever it does, for the reason that is told; the other sessions
/// have lost nothing.
async fn canary(mode: &str, told: &str) {
    let gateway = gateway("rollout = { canary = \"30%\", for = \"10m\" }", &version("pass"));
    let crowd = Crowd::gather(gateway.address("l"), CLIENTS).await;
    // Something to compare with.
    crowd.wait_for_answers(200).await;
    Swap::Rename.apply(&gateway, "p.wasm", &version(mode));
    let reason = taken_back(&gateway);
    assert!(reason.contains(told), "{mode}: {reason}");
    crowd.wait_for_answers(u64::from(CLIENTS)).await;
    let tallies = crowd.stop().await;
    let (sent, lost) = tallies
        .iter()
        .fold((0, 0), |(sent, lost), tally| (sent + tally.sent, lost + tally.lost.len() as u64));
    let tried = tallies.iter().filter(|tally| tries(tally.session, 2)).count();
    assert!((1..40).contains(&tried), "{mode}: {tried} of the sessions");
    for tally in &tallies {
        assert!(
            tries(tally.session, 2) || tally.lost.is_empty(),
            "{mode}: an uninvolved session lost {tally:?}"
        );
    }
    let loses = mode != "slow";
    assert_eq!(lost > 0, loses, "{mode}: {lost} of {sent}");
    let metrics = gateway.settle("all have a fate", |metrics| {
        metrics.sum("messages_received", &[("listener", "l")]) == sent
            && metrics.sum("messages_delivered", &[("listener", "l")]) == sent - lost
    });
    let dropped = |reason: &str| metrics.sum("messages_dropped", &[("listener", "l"), ("reason", reason)]);
    assert_eq!(dropped("plugin") + dropped("plugin_failed"), lost, "{mode}");
    let answers =
        ["forward", "change", "drop"].map(|verdict| metrics.sum("plugin_verdicts", &[("verdict", verdict)]));
    let failures = metrics.sum("plugin_failures", &[]);
    assert_eq!(answers.iter().sum::<u64>() + failures, sent, "{mode}: the sums are those of all generations");
    let binding = gateway.binding("p").expect("it is there");
    assert_eq!((&binding["state"], &binding["serving"]["generation"]), (&"refused".into(), &1.into()));
    assert!(binding["rollout"].is_null());
    assert_eq!(binding["refused"].as_array().map(Vec::len), Some(1));
    println!("{mode}: {tried} of {CLIENTS} sessions tried it and lost {lost} of {sent} messages; {reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_traps_is_taken_back() {
    canary("trap", "calls failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_loops_is_taken_back() {
    canary("loop", "calls failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_ten_times_slower_is_taken_back() {
    canary("slow", "nine of ten calls took up to").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_drops_everything_is_taken_back() {
    canary("drop", "it dropped 100.0 %").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_behaves_becomes_everybodys() {
    let gateway = gateway("rollout = { canary = \"30%\", for = \"2s\" }", &version("pass"));
    let crowd = Crowd::gather(gateway.address("l"), CLIENTS).await;
    // The same code under another name.
    Swap::Rename.apply(&gateway, "p.wasm", &version("good"));
    wait_for("it is tried", || {
        let rollout = gateway.binding("p").expect("it is there")["rollout"].clone();
        rollout["generation"] == 2 && rollout["share"] == 0.3 && rollout["left_ms"].as_u64() > Some(0)
    });
    gateway.wait_for_log("it stood its trial", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("plugin stood its trial"))
    });
    crowd.wait_for_answers(u64::from(CLIENTS)).await;
    assert!(crowd.stop().await.iter().all(|tally| tally.lost.is_empty()));
    let binding = gateway.binding("p").expect("it is there");
    assert_eq!((&binding["state"], &binding["serving"]["generation"]), (&"active".into(), &2.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_stays_so_over_a_restart_and_what_served_before_serves() {
    let gateway = gateway("", &version("pass"));
    let crowd = Crowd::gather(gateway.address("l"), CLIENTS).await;
    crowd.wait_for_answers(200).await;
    let served = gateway.binding("p").expect("it is there")["serving"]["sha256"].clone();
    // For all sessions at once: it is watched then too.
    Swap::Rename.apply(&gateway, "p.wasm", &version("trap"));
    taken_back(&gateway);
    crowd.wait_for_answers(u64::from(CLIENTS)).await;
    crowd.stop().await;
    gateway.signal("TERM");
    let gateway = gateway.again();
    let binding = gateway.binding("p").expect("it is there");
    assert_eq!((&binding["state"], &binding["serving"]["sha256"]), (&"refused".into(), &served));
    assert!(
        binding["reason"].as_str().is_some_and(|reason| reason.contains("it was taken back before")),
        "{binding}"
    );
    let crowd = Crowd::gather(gateway.address("l"), 1).await;
    assert!(crowd.stop().await[0].lost.is_empty());
    // Another file is another matter.
    Swap::Rename.apply(&gateway, "p.wasm", &version("good"));
    wait_for("the next version serves", || {
        gateway.binding("p").is_some_and(|binding| binding["state"] == "active")
    });
    let crowd = Crowd::gather(gateway.address("l"), 1).await;
    assert!(crowd.stop().await[0].lost.is_empty());
}

async fn ask(client: &mut Client) -> String {
    client.send(b"x").await.expect("sent");
    String::from_utf8(client.message().await.expect("an answer").to_vec()).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_session_stays_with_the_version_that_it_began_with() {
    for drain in ["1h", "1s"] {
        let keys = format!("pin = \"session\"\npin_drain = \"{drain}\"");
        let gateway = gateway(&keys, &stamp::version(1));
        let mut before = Client::tcp(gateway.address("l"), u32be()).await.expect("a session");
        assert_eq!(ask(&mut before).await, "x<1>1");
        Swap::Rename.apply(&gateway, "p.wasm", &stamp::version(2));
        wait_for("it serves", || {
            gateway.binding("p").is_some_and(|binding| binding["serving"]["generation"] == 2)
        });
        let mut after = loop {
            // A session that opens before its worker has the snapshot is of the version before.
            let mut client = Client::tcp(gateway.address("l"), u32be()).await.expect("a session");
            if ask(&mut client).await == "x<2>2" {
                break client;
            }
        };
        if drain == "1h" {
            assert_eq!((ask(&mut before).await, ask(&mut after).await), ("x<1>1".into(), "x<2>2".into()));
            let binding = gateway.binding("p").expect("it is there");
            assert_eq!(binding["pinned"][0]["generation"], 1, "{binding}");
        } else {
            wait_for("it has drained", || {
                gateway
                    .binding("p")
                    .is_some_and(|binding| binding["pinned"].as_array().is_some_and(Vec::is_empty))
            });
            while ask(&mut before).await != "x<2>2" {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn held_messages_are_offered_to_the_next_version() {
    let grants = "grants = [\"messaging\", \"groups\", \"kv\", \"timers\", \"random\"]";
    let gateway = gateway(grants, &fs::read(artifact::guest("remote")).expect("the guest"));
    let mut one = Remote::connect(&gateway, "l").await;
    one.say("hold 60000").await;
    gateway.settle("held", |metrics| metrics.sum("messages_held", &[]) == 1);
    one.say("then this").await;
    Swap::Rename.apply(&gateway, "p.wasm", &stamp::version(7));
    // In their order, and through the next version once on each way.
    assert_eq!(one.hear().await, "hold 60000<7>7");
    assert_eq!(one.hear().await, "then this<7>7");
    gateway.settle("nothing is held", |metrics| {
        metrics.sum("messages_held", &[]) == 0 && metrics.sum("messages_dropped", &[]) == 0
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_own_test_fails_is_refused_while_the_old_one_serves() {
    let gateway = gateway("", &with_cases(version("pass"), "case a\n> x\n= forward x#1\n"));
    let crowd = Crowd::gather(gateway.address("l"), 4).await;
    Swap::Rename.apply(&gateway, "p.wasm", &with_cases(version("drop"), "case a\n> x\n= forward x#1\n"));
    wait_for("it is refused", || gateway.binding("p").is_some_and(|binding| binding["state"] == "refused"));
    let binding = gateway.binding("p").expect("it is there");
    let reason = binding["reason"].as_str().unwrap_or_default();
    let told = "case \"a\", line 2, `> x`: expected `forward x#1`, got `drop everything`";
    assert!(reason.contains(told), "{reason}");
    assert_eq!(binding["serving"]["generation"], 1);
    crowd.wait_for_answers(20).await;
    assert!(crowd.stop().await.iter().all(|tally| tally.lost.is_empty()));
}
