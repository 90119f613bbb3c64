//! A flood of pings.

use crate::honest::during;
use crate::rig::{alone, closed, gateway};
use socket2::{Domain, Socket, Type};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::wait_for;

/// One behind the other, so that there is time for honest sessions to notice.
const FLOODS: u64 = 500;

#[test]
fn pings_are_answered_up_to_a_flood() {
    let _alone = alone();
    let gateway = gateway("\n[[listener]]\nname = \"ws\"\nprotocol = \"websocket\"\nroute = \"echo\"\n");
    let address = gateway.address("ws");
    let pings = |from: u8, to: u8| -> Vec<u8> { (from..to).flat_map(|at| masked(0x89, &[at])).collect() };
    let flood = || {
        let mut socket = Raw::websocket(address);
        assert!(socket.write(&pings(0, 10)));
        for at in 0..10 {
            assert_eq!(socket.frame(), Frame::Frame(10, vec![at]), "each of one read");
        }
        // The gateway counts by its own second: one of two such bursts is within it.
        let mut end = None;
        while end.is_none() {
            socket.write(&pings(0, 60));
            while end.is_none() {
                match socket.frame() {
                    Frame::Frame(10, _) => {}
                    other => end = Some(other),
                }
            }
        }
        assert_eq!(end, Some(Frame::Close(1008)));
        socket.write(&masked(0x88, &1008_u16.to_be_bytes()));
    };
    let ((), fairness) = during(&gateway, || (0..FLOODS).for_each(|_| flood()));
    gateway.settle("closed", |metrics| closed(metrics, "ping_flood") == FLOODS);
    fairness.figure("ping flood", &format!("more than 20 pings in a second get 1008, {FLOODS} floods"));
}

#[test]
fn who_reads_no_pongs_has_one_waiting() {
    const PINGS: u8 = 15;
    let _alone = alone();
    let gateway = gateway(
        r#"
[[listener]]
name = "deaf"
protocol = "websocket"
route = "drop"
join = ["room"]
limits = { queue = "64KiB", slow_consumer = "drop-newest" }
[[listener]]
name = "speaker"
protocol = "tcp"
route = "group:room"
join = []
"#,
    );
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&gateway.address("deaf").into()).unwrap();
    let mut deaf = Raw::over(socket.into());
    deaf.upgrade();
    // Until nothing more goes to the deaf one: the kernel takes nothing of a whole burst.
    let mut speaker = TcpStream::connect(gateway.address("speaker")).unwrap();
    let burst = [&4_000_u32.to_be_bytes()[..], &[b'x'; 4_000]].concat().repeat(50);
    let sums = || {
        let metrics = gateway.metrics();
        ["messages_offered", "messages_delivered"].map(|name| metrics.sum(name, &[("listener", "deaf")]))
    };
    let ((), fairness) = during(&gateway, || {
        let mut offered = 0;
        wait_for("a client that takes nothing more", || {
            let before = sums();
            speaker.write_all(&burst).unwrap();
            offered += 50;
            wait_for("all are offered", || sums()[0] == offered);
            std::thread::sleep(Duration::from_millis(50));
            before[1] == sums()[1]
        });
        for number in 0..PINGS {
            assert!(deaf.write(&masked(0x89, &[number])));
            // A message behind it: where that has arrived, so has the ping, and the turn is over.
            assert!(deaf.write(&masked(0x82, b"x")));
            let arrived = u64::from(number) + 1;
            wait_for("it is there", || {
                gateway.metrics().sum("messages_received", &[("listener", "deaf")]) == arrived
            });
        }
    });
    assert!(deaf.write(&masked(0x88, &1000_u16.to_be_bytes())));
    let mut pongs = Vec::new();
    loop {
        match deaf.frame() {
            Frame::Frame(10, payload) => pongs.push(payload),
            Frame::Frame(2, _) => {}
            other => {
                assert_eq!(other, Frame::Close(1000));
                break;
            }
        }
    }
    fairness.figure(
        "ping flood",
        &format!("{PINGS} pings of a client that reads nothing: {} pong waits for it", pongs.len()),
    );
    assert_eq!(pongs, [[PINGS - 1]], "the newest answers for all");
}
