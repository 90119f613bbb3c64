//! Descriptors that are used up, and a processor that is left alone.

use std::net::TcpStream;
use std::time::{Duration, Instant};
use weir_tests::raw::Raw;
use weir_tests::{Gateway, artifact, wait_for};

const ADMIN: &str = "[admin]\nbind = \"127.0.0.1:0\"\n";

#[test]
fn used_up_descriptors_are_waited_out() {
    let config = format!(
        "{ADMIN}[runtime]\nworkers = 1\n[overload]\nenabled = false\n[[listener]]\nname = \"tcp\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nroute = \"echo\"\n"
    );
    let gateway = Gateway::prepare(&config, &[]).open_files(64).start();
    let address = gateway.address("tcp");
    let echo = |raw: &mut Raw| {
        raw.write(b"\0\0\0\x02hi") && {
            raw.finish();
            raw.rest() == b"\0\0\0\x02hi"
        }
    };
    let mut first = Raw::connect(address);
    // The kernel takes them in; the gateway cannot.
    let mut others: Vec<Raw> = (0..80).map(|_| Raw::connect(address)).collect();
    gateway.wait_for_log("a warning", |line| {
        line["message"].as_str().is_some_and(|message| message.starts_with("cannot accept connections"))
    });
    let before = cpu_ticks(gateway.pid());
    let began = Instant::now();
    wait_for("a second", || began.elapsed() >= Duration::from_secs(1));
    let spent = cpu_ticks(gateway.pid()) - before;
    assert!(spent < 20, "{spent} hundredths of a second of processor time while there was nothing to do");
    // Whoever is in is served; as they leave, those who wait come in.
    assert!(echo(&mut first));
    for other in &mut others {
        assert!(echo(other));
    }
    gateway.wait_for_log("the end of it", |line| line["message"] == "accepting again");
    drop((first, others));
    let metrics = gateway.settle("all gone", |metrics| metrics.sum("sessions", &[]) == 0);
    assert_eq!(metrics.sum("sessions_opened", &[]), 81);
    assert_eq!(metrics.sum("messages_delivered", &[]), 81);
    TcpStream::connect(address).unwrap();
}

#[test]
fn an_idle_gateway_is_idle() {
    let config = format!(
        "{ADMIN}[[listener]]\nname = \"ws\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\n"
    );
    let gateway = Gateway::start(&config, &[("passthrough.wasm", artifact::plugin("passthrough"))]);
    let _idle: Vec<Raw> = (0..20).map(|_| Raw::websocket(gateway.address("ws"))).collect();
    gateway.settle("all open", |metrics| metrics.sum("sessions", &[]) == 20);
    let before = cpu_ticks(gateway.pid());
    let began = Instant::now();
    wait_for("two seconds", || began.elapsed() >= Duration::from_secs(2));
    let spent = cpu_ticks(gateway.pid()) - before;
    assert!(spent < 20, "{spent} hundredths of a second of processor time in two seconds");
}

/// Processor time of a process, user and system, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
