//! Members of a group that never read.

use crate::honest::{Times, during};
use crate::rig::{Rig, alone, block_on, closed, gateway, scaled};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use weir_tests::client::{Client, u32be};
use weir_tests::peer::resident_kib;

/// The default of `queue`.
const QUEUE_KIB: u64 = 256;
const GRACE: Duration = Duration::from_secs(2);
/// Of each message: short enough to be copied into the queue of each member.
const SIZE: usize = 1_000;

const LISTENERS: &str = r#"
[[listener]]
name = "deaf"
protocol = "tcp"
route = "drop"
join = ["room"]
limits = { slow_grace = "2s" }
[[listener]]
name = "member"
protocol = "tcp"
route = "drop"
join = ["room"]
limits = { slow_grace = "2s" }
[[listener]]
name = "speaker"
protocol = "tcp"
route = "group:room"
join = []
"#;

#[test]
fn only_the_queue_is_held_and_the_others_get_everything() {
    let _alone = alone();
    let deaf = scaled(100, 1_000);
    let gateway = gateway(LISTENERS);
    let (Outcome { grown, grace, count, times }, fairness) =
        during(&gateway, || block_on(speak(&gateway, deaf)));
    let each = grown as f64 / deaf as f64;
    fairness.figure(
        "never reads",
        &format!(
            "{deaf} members, queue {QUEUE_KIB} KiB: at most {each:.1} KiB held for each; closed {grace:.1?} after the first full queue \
             (grace {GRACE:?}); 4 others got all {count} messages, p99 {:.1?}",
            times.p99()
        ),
    );
    // The queue, what it takes to keep it, and what the worker's buffers grew by.
    assert!(grown < deaf * (QUEUE_KIB + QUEUE_KIB / 4) + (8 << 10), "{grown} KiB");
    assert!(grace < GRACE + Duration::from_secs(1), "{grace:?}");
}

struct Outcome {
    /// Memory of the gateway, in KiB.
    grown: u64,
    /// From the first full queue to the last end.
    grace: Duration,
    /// Messages, and how long each took to those who read.
    count: usize,
    times: Times,
}

/// Speaks to a group, of which so many never read, until those are gone.
async fn speak(gateway: &Rig, deaf: u64) -> Outcome {
    let (member, silent) = (gateway.address("member"), gateway.address("deaf"));
    let mut deaf_ones = Vec::new();
    for _ in 0..deaf {
        deaf_ones.push(Client::tcp_of_few_bytes(silent, u32be()).await.unwrap());
    }
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(Client::tcp(member, u32be()).await.unwrap());
    }
    gateway.settle("all in", |metrics| metrics.sum("sessions", &[]) == deaf + 4);
    let held = resident_kib(gateway.pid());

    // Each member says how long after it was sent a message came; a message begins with that time.
    let began = Instant::now();
    let said = Arc::new(AtomicUsize::new(usize::MAX));
    let listening: Vec<_> = members
        .into_iter()
        .map(|mut member| {
            let said = Arc::clone(&said);
            tokio::spawn(async move {
                let mut times = Vec::new();
                while times.len() < said.load(Ordering::Acquire) {
                    let message = member.message().await.expect("a message");
                    let sent = u64::from_be_bytes(*message.first_chunk().expect("a time"));
                    times.push(began.elapsed().saturating_sub(Duration::from_micros(sent)));
                }
                times
            })
        })
        .collect();
    let mut speaker = Client::tcp(gateway.address("speaker"), u32be()).await.unwrap();
    let (mut count, mut most, mut full) = (0, held, None);
    let ended = loop {
        for _ in 0..20 {
            let sent = u64::try_from(began.elapsed().as_micros()).unwrap().to_be_bytes();
            speaker.send(&[&sent[..], &[b'x'; SIZE - 8]].concat()).await.unwrap();
            count += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let metrics = gateway.metrics();
        most = most.max(resident_kib(gateway.pid()));
        if full.is_none() && metrics.sum("messages_dropped", &[("reason", "queue_full")]) > 0 {
            full = Some(Instant::now());
        }
        if closed(&metrics, "slow_consumer") == deaf {
            break Instant::now();
        }
        assert!(began.elapsed() < weir_tests::PATIENCE, "they are still there: {metrics}");
    };
    // One more for each, so that nobody waits for the last one: it is what tells them that it was.
    said.store(count + 1, Ordering::Release);
    speaker.send(&[0; SIZE]).await.unwrap();
    let all = 4 * (count as u64 + 1);
    gateway.settle("everybody else gets everything", |metrics| {
        metrics.sum("messages_delivered", &[("listener", "member")]) == all
    });
    let mut times = Vec::new();
    for member in listening {
        let member = member.await.unwrap();
        assert_eq!(member.len(), count + 1, "everybody else gets everything");
        times.extend_from_slice(&member[..count]);
    }
    let times = Times::new(times);
    let grace = ended - full.expect("a queue was full");
    gateway.settle("the speaker is left", |metrics| metrics.sum("sessions", &[]) == 1);
    assert_eq!(closed(&gateway.metrics(), "slow_consumer"), deaf);
    drop(deaf_ones);
    Outcome { grown: most - held, grace, count, times }
}
