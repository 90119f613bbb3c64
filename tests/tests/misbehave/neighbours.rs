//! What honest sessions notice of a plugin that never returns.

use std::time::{Duration, Instant};
use weir_tests::client::{Client, u32be};
use weir_tests::{Gateway, artifact};

const CONFIG: &str = r#"
admin = { bind = "127.0.0.1:0" }
runtime = { workers = 2 }

[[plugin]]
name = "endless"
module = "endless.wasm"
on_failure = "open"

[[plugin]]
name = "witness"
module = "passthrough.wasm"

[[listener]]
name = "bad"
bind = "127.0.0.1:0"
protocol = "tcp"
framing = { type = "length", prefix = "u32be", max = "1MiB" }
chain = ["endless"]
route = "echo"

[[listener]]
name = "honest"
bind = "127.0.0.1:0"
protocol = "tcp"
framing = { type = "length", prefix = "u32be", max = "1MiB" }
chain = ["witness"]
route = "echo"
"#;

/// Sends to each of the honest sessions in turn, one message at a time; gives the times there and back, sorted.
async fn round_trips(sessions: &mut [Client], messages: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(messages);
    for number in 0..messages {
        let session = &mut sessions[number % 16];
        let begun = Instant::now();
        session.send(b"hello").await.expect("sent");
        assert_eq!(session.message().await.expect("an echo"), "hello");
        times.push(begun.elapsed());
    }
    times.sort();
    times
}

fn p99(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_sessions_go_on_beside_an_endless_loop() {
    const MESSAGES: usize = 4000;
    let files =
        [("endless.wasm", artifact::guest("endless")), ("passthrough.wasm", artifact::guest("passthrough"))];
    let gateway = Gateway::start(CONFIG, &files);
    let mut honest = Vec::new();
    for _ in 0..16 {
        honest.push(Client::tcp(gateway.address("honest"), u32be()).await.expect("a session"));
    }
    let before = round_trips(&mut honest, MESSAGES).await;

    // One session of the bad listener, which sends as fast as it is answered, until told to stop.
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let address = gateway.address("bad");
    let bad = tokio::spawn(async move {
        let mut client = Client::tcp(address, u32be()).await.expect("a session");
        let mut times = Vec::new();
        while !*stopped.borrow_and_update() {
            let begun = Instant::now();
            client.send(b"go").await.expect("sent");
            assert_eq!(client.message().await.expect("as it was"), "go");
            times.push(begun.elapsed());
        }
        times
    });
    let beside = round_trips(&mut honest, MESSAGES).await;
    stop.send_replace(true);
    let times = bad.await.expect("the bad session");

    let metrics = gateway.settle("every message", |metrics| {
        let all = (2 * MESSAGES + times.len()) as u64;
        metrics.sum("messages_received", &[]) == all && metrics.sum("messages_delivered", &[]) == all
    });
    let deadline = metrics.sum("plugin_failures", &[("binding", "endless"), ("cause", "deadline")]);
    let waits = metrics.sum("plugin_failures", &[("binding", "endless"), ("cause", "back_off")]);
    assert_eq!(metrics.sum("plugin_failures", &[("binding", "witness")]), 0);
    assert!(deadline >= 2 && waits > 0, "{deadline} {waits}");
    // The first message is stopped on its way in and again on its way out; then the plugin is left alone.
    let first = times[0];
    println!(
        "p99 of honest sessions {:.2?} without and {:.2?} beside the endless loop (medians {:.2?} and {:.2?}, longest {:.2?} and {:.2?}); \
         {deadline} calls ran into the deadline, {waits} were not made; two deadlines of 10 ms took {first:.1?}",
        p99(&before),
        p99(&beside),
        before[MESSAGES / 2],
        beside[MESSAGES / 2],
        before[MESSAGES - 1],
        beside[MESSAGES - 1],
    );
    // The grain of a deadline is a millisecond.
    assert!(first >= Duration::from_millis(18), "{first:?}");
    // Wide, for a machine that does other things too: the figures above are what counts.
    assert!(first < Duration::from_secs(5), "{first:?}");
    assert!(p99(&beside) < p99(&before) * 3 + Duration::from_millis(250), "{:?}", p99(&beside));
}
