//! Peers that vanish without a word: no end of the stream, no reset, nothing is acknowledged. With the default configuration a ping
//! comes after 30 seconds and the end before 75: `half_open_is_gone_before_75_seconds` in `host/core` shows it by the clock of a test.

use crate::honest::during;
use crate::rig::{Rig, alone, closed, figure, gateway};
use socket2::{SockFilter, SockRef};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::{Peer, wait_for};

/// A thirtieth of the defaults, rounded up.
const LISTENERS: &str = r#"
[[listener]]
name = "ws"
protocol = "websocket"
route = "echo"
limits = { ping_interval = "1s", pong_floor = "100ms", idle_timeout = "3s" }
[[listener]]
name = "tcp"
protocol = "tcp"
route = "echo"
limits = { ping_interval = "1s", idle_timeout = "3s" }
[[listener]]
name = "quic"
protocol = "quic"
route = "echo"
limits = { ping_interval = "1s", idle_timeout = "3s" }
"#;

/// Everything that comes is dropped before the kernel's TCP sees it, so that it answers nothing: BPF, `return 0`.
fn vanish(stream: &TcpStream) {
    SockRef::from(stream).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).expect("a filter");
}

/// Where a close frame was sent, an end is counted when the peer's own was waited for in vain, for two seconds.
const LINGER: Duration = Duration::from_secs(2);

fn gone(gateway: &Rig, what: &str, reason: &str, most: Duration) {
    let began = Instant::now();
    wait_for("the end", || closed(&gateway.metrics(), reason) > 0);
    let took = began.elapsed();
    figure("half-open", &format!("{what}, ping 1 s, idle timeout 3 s: {reason}, gone after {took:.1?}"));
    assert!(took < most + Duration::from_secs(1), "{took:?}");
}

#[test]
fn who_vanishes_is_let_go_in_time() {
    let _alone = alone();
    let gateway = gateway(LISTENERS);
    let (took, fairness) = during(&gateway, || {
        over_websocket(&gateway);
        over_tcp(&gateway);
        over_quic(&gateway)
    });
    fairness.figure("half-open", &format!("QUIC, idle timeout 3 s: gone after {took:.1?}; of all three"));
    assert!(took < Duration::from_secs(4), "{took:?}");
}

/// One that has answered is known: its pings tell, well before its silence does.
fn over_websocket(gateway: &Rig) {
    let stream = TcpStream::connect(gateway.address("ws")).unwrap();
    let handle = stream.try_clone().unwrap();
    let mut known = Raw::over(stream);
    known.upgrade();
    for _ in 0..2 {
        let Frame::Frame(9, carried) = known.frame() else { panic!("no ping") };
        assert!(known.write(&masked(0x8a, &carried)));
    }
    vanish(&handle);
    gone(gateway, "WebSocket", "heartbeat_timeout", Duration::from_secs(2) + LINGER);
    drop((known, handle));
}

fn over_tcp(gateway: &Rig) {
    let stream = TcpStream::connect(gateway.address("tcp")).unwrap();
    gateway.settle("it is there", |metrics| metrics.sum("sessions", &[]) == 1);
    vanish(&stream);
    gone(gateway, "framed TCP", "idle_timeout", Duration::from_secs(3));
}

fn over_quic(gateway: &Rig) -> Duration {
    let port = gateway.address("quic").port().to_string();
    let before = closed(&gateway.metrics(), "idle_timeout");
    let peer = Peer::start("quic_attacker.py", &["vanish", &port, "60"]);
    peer.said();
    let began = Instant::now();
    gateway.settle("it has gone", |metrics| metrics.sum("sessions", &[]) == 0);
    assert_eq!(closed(&gateway.metrics(), "idle_timeout"), before + 1);
    began.elapsed()
}
