//! Ten thousand clients that ask once a second whether the gateway is there: a minute and a half here, longer than silence is borne, half an hour with `make heartbeats`.

use std::time::Duration;
use weir_tests::heartbeats;

#[test]
fn ten_thousand_clients_with_a_heartbeat_a_second() {
    let seconds = std::env::var("HEARTBEAT_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(90);
    let outcome = heartbeats::run(Duration::from_secs(seconds));
    println!("{outcome}");
    assert_eq!(outcome.open, heartbeats::CLIENTS, "nobody is let go");
    assert_eq!(outcome.metrics.sum("sessions", &[]), heartbeats::CLIENTS as u64);
    assert_eq!(outcome.metrics.sum("sessions_closed", &[]), 0);
    assert_eq!(outcome.asked, outcome.pongs, "each is answered");
    // However slow the machine is: one is left out only if the one before waits.
    assert!(outcome.asked >= heartbeats::CLIENTS as u64);
    let [before, _, after] = outcome.memory;
    assert!(after * 100 <= before * 105, "{before} bytes after they came, {after} at the end");
}
