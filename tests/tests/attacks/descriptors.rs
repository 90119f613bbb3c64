//! Descriptors that are used up, and a processor that is left alone.

use crate::honest::during;
use crate::rig::{Rig, alone, passthrough, prepare};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use weir_tests::peer::processor_time;
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::wait_for;

const WEBSOCKET: &str = "\n[[listener]]\nname = \"ws\"\nprotocol = \"websocket\"\nroute = \"echo\"\n";

#[test]
fn used_up_descriptors_are_waited_out() {
    const WAITING: usize = 80;
    let _alone = alone();
    let config = format!("\n[overload]\nenabled = false{WEBSOCKET}");
    let gateway = Rig::start(prepare(&config).open_files(64));
    let address = gateway.address("ws");
    let (others, fairness) = during(&gateway, || {
        // The kernel takes them in; the gateway cannot.
        let others: Vec<Raw> = (0..WAITING).map(|_| Raw::connect(address)).collect();
        gateway.wait_for_log("a warning", |line| {
            line["message"].as_str().is_some_and(|message| message.starts_with("cannot accept connections"))
        });
        let began = Instant::now();
        wait_for("a second without a descriptor", || began.elapsed() >= Duration::from_secs(1));
        others
    });
    // The places of the honest ones are taken by others: again there is none left, and now nothing else to do.
    let before = processor_time(gateway.pid());
    let began = Instant::now();
    wait_for("two seconds", || began.elapsed() >= Duration::from_secs(2));
    let spent = processor_time(gateway.pid()).saturating_sub(before);
    // As some leave, those who wait come in.
    for mut other in others {
        other.upgrade();
        assert!(other.write(&masked(0x82, b"hi")));
        assert_eq!(other.frame(), Frame::Frame(2, b"hi".to_vec()));
    }
    gateway.wait_for_log("the end of it", |line| line["message"] == "accepting again");
    fairness.figure(
        "file descriptors used up",
        &format!("{spent:?} of processor time in 2 s, then all {WAITING} who waited were served"),
    );
    assert!(spent < Duration::from_millis(200), "{spent:?} while there was nothing to do");
    let metrics = gateway.settle("all gone", |metrics| metrics.sum("sessions", &[]) == 0);
    assert_eq!(metrics.sum("sessions_opened", &[]), WAITING as u64);
    TcpStream::connect(address).unwrap();
}

#[test]
fn an_idle_gateway_is_idle() {
    let _alone = alone();
    let gateway = Rig::start(passthrough(prepare(WEBSOCKET)));
    let _idle: Vec<Raw> = (0..20).map(|_| Raw::websocket(gateway.address("ws"))).collect();
    gateway.settle("all open", |metrics| metrics.sum("sessions", &[]) == 20);
    let before = processor_time(gateway.pid());
    let began = Instant::now();
    wait_for("two seconds", || began.elapsed() >= Duration::from_secs(2));
    let spent = processor_time(gateway.pid()).saturating_sub(before);
    assert!(spent < Duration::from_millis(200), "{spent:?} of processor time in two seconds");
}
