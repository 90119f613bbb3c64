//! Every client at once, again.

use crate::crowd;
use crate::honest::{Times, during};
use crate::rig::{alone, block_on, gateway, scaled};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Barrier;
use weir_tests::PATIENCE;
use weir_tests::peer::{forget_peak, peak_kib, resident_kib};
use weir_tests::raw::masked;

/// An open session that was answered once. Of a runtime that ends before it does.
async fn session(address: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let mut stream = crowd::connect(address, number).await?;
    crowd::upgrade(&mut stream).await?;
    stream.write_all(&masked(0x82, b"hi")).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, *b"\x82\x02hi");
    stream.into_std()
}

#[test]
fn all_come_back_at_once_at_the_accept_rate() {
    let _alone = alone();
    let count: usize = scaled(2_000, 15_000);
    let rate: usize = scaled(1_000, 5_000);
    let gateway = gateway(&format!(
        "\n[[listener]]\nname = \"ws\"\nprotocol = \"websocket\"\nroute = \"echo\"\n\
         limits = {{ accept_rate = {rate}, handshake_timeout = \"60s\" }}\n"
    ));
    let address = gateway.address("ws");
    let sessions = block_on(crowd::paced(count, move |number| session(address, number)));
    let sessions: Vec<_> = sessions.into_iter().map(|session| session.expect("a session")).collect();
    gateway.settle("all are there", |metrics| metrics.sum("sessions", &[]) == count as u64);
    let before = resident_kib(gateway.pid());
    forget_peak(gateway.pid());

    let (barrier, began) = (Arc::new(Barrier::new(count + 1)), Arc::new(OnceLock::new()));
    let storm = async {
        let tasks: Vec<_> = sessions
            .into_iter()
            .enumerate()
            .map(|(number, old)| {
                let (barrier, began) = (Arc::clone(&barrier), Arc::clone(&began));
                tokio::spawn(async move {
                    barrier.wait().await;
                    let began = began.get_or_init(Instant::now);
                    // Without a goodbye, and whoever is refused tries again: that is a storm.
                    drop(old);
                    let (mut tries, mut session_again) = (1, session(address, number).await);
                    while session_again.is_err() && began.elapsed() < PATIENCE {
                        tries += 1;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        session_again = session(address, number).await;
                    }
                    let took = began.elapsed();
                    (session_again.expect("a session"), took, tries)
                })
            })
            .collect();
        barrier.wait().await;
        let mut back = Vec::new();
        for task in tasks {
            back.push(task.await.expect("it came back"));
        }
        back
    };
    let (back, fairness) = during(&gateway, || block_on(storm));
    let again = back.iter().map(|(_, _, tries)| tries - 1).sum::<usize>();
    let times = Times::new(back.iter().map(|(_, took, _)| *took).collect());
    let peak = peak_kib(gateway.pid()).saturating_sub(before);
    let least = Duration::from_secs_f64(count as f64 / rate as f64);
    fairness.figure(
        "reconnect storm",
        &format!(
            "{count} sessions, accept_rate {rate}: all served again after {:.2?} (at that rate {least:.2?}), median {:.2?}, {again} tries \
             failed; peak {peak} KiB above {before} KiB, {:.1} KiB a session",
            times.most(),
            times.median(),
            peak as f64 / count as f64
        ),
    );
    // A tenth of a second's worth may come at once.
    assert!(times.most() > least.mul_f64(0.9), "the rate was not held");
    // The old session and the new one: less than what one handshake may hold.
    assert!(peak < count as u64 * 16, "{peak} KiB");
    let metrics = gateway.settle("all are there", |metrics| metrics.sum("sessions", &[]) == count as u64);
    assert_eq!(metrics.sum("messages_delivered", &[]), 2 * count as u64);
    drop(back);
    gateway.settle("all have gone", |metrics| metrics.sum("sessions", &[]) == 0);
}
