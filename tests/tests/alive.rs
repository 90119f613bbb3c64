//! Heartbeats, deadlines of each phase, and a drain that is spread.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::{Gateway, Metrics, PATIENCE};

fn gateway(listeners: &str) -> Gateway {
    let bound = listeners.replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nprotocol");
    let config = "[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 1\ndrain = { ready_delay = \"0s\", window = \"20s\", retry = \"30s\" }\n";
    Gateway::start(&format!("{config}{bound}"), &[])
}

fn ended(metrics: &Metrics, reason: &str) -> u64 {
    metrics.sum("sessions_closed", &[("reason", reason)])
}

#[test]
fn a_client_that_answers_stays_and_one_that_does_not_goes() {
    let gateway = gateway(
        "[[listener]]\nname = \"ws\"\nprotocol = \"websocket\"\nroute = \"echo\"\n\
         limits = { ping_interval = \"500ms\", pong_floor = \"500ms\", idle_timeout = \"40s\" }\n",
    );
    let address = gateway.address("ws");
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(1);
    let answering = std::thread::spawn(move || {
        let mut raw = Raw::websocket(address);
        let mut asked = 0;
        while stopped.try_recv().is_err() {
            let Frame::Frame(9, carried) = raw.frame() else { panic!("no ping") };
            assert!(raw.write(&masked(0x8a, &carried)));
            asked += 1;
        }
        (raw, asked)
    });
    // Nothing is known of it: each answer may take eight seconds.
    let mut silent = Raw::websocket(address);
    for _ in 0..3 {
        assert!(matches!(silent.frame(), Frame::Frame(9, _)));
    }
    assert_eq!(silent.frame(), Frame::Close(1001));
    drop(silent);
    let metrics = gateway.settle("ended", |metrics| ended(metrics, "heartbeat_timeout") == 1);
    assert_eq!(metrics.sum("sessions", &[]), 1, "{metrics}");
    stop.send(()).unwrap();
    let (_raw, asked) = answering.join().unwrap();
    assert!(asked >= 10, "{asked}");
    let metrics = gateway.settle("answered", |metrics| metrics.sum("heartbeats_answered", &[]) == asked);
    assert!(metrics.sum("heartbeats_missed", &[]) >= 3, "{metrics}");
}

#[test]
fn framed_clients_have_heartbeats_that_are_no_messages() {
    let gateway = gateway(
        "[[listener]]\nname = \"tcp\"\nprotocol = \"tcp\"\nroute = \"echo\"\nheartbeat = \"frame\"\n\
         limits = { ping_interval = \"300ms\" }\n",
    );
    let mut client = TcpStream::connect(gateway.address("tcp")).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let read = |client: &mut TcpStream| {
        let mut length = [0; 4];
        client.read_exact(&mut length).unwrap();
        let mut payload = vec![0; u32::from_be_bytes(length) as usize];
        client.read_exact(&mut payload).unwrap();
        payload
    };
    let write = |client: &mut TcpStream, payload: &[u8]| {
        client.write_all(&(payload.len() as u32).to_be_bytes()).unwrap();
        client.write_all(payload).unwrap();
    };
    let mut asked = read(&mut client);
    assert_eq!(&asked[..5], b"\0WHB\x01");
    asked[4] = 2;
    write(&mut client, &asked);
    write(&mut client, b"\0WHB\x01\0\0\0\0\0\0\0\x07filler");
    loop {
        // Another request may come first.
        let payload = read(&mut client);
        if payload[4] == 2 {
            assert_eq!(payload, b"\0WHB\x02\0\0\0\0\0\0\0\x07filler");
            break;
        }
    }
    let metrics = gateway.settle("answered", |metrics| metrics.sum("heartbeats_answered", &[]) == 1);
    assert_eq!(metrics.sum("messages_received", &[]), 0, "{metrics}");
}

#[test]
fn slow_first_messages_and_slow_frames_are_ended_in_time() {
    let gateway = gateway(
        "[[listener]]\nname = \"first\"\nprotocol = \"websocket\"\nroute = \"echo\"\n\
         limits = { first_message_timeout = \"1s\" }\n\
         [[listener]]\nname = \"frame\"\nprotocol = \"websocket\"\nroute = \"echo\"\n\
         limits = { frame_timeout = \"1s\" }\n",
    );
    let began = Instant::now();
    let mut first = Raw::websocket(gateway.address("first"));
    assert_eq!(first.frame(), Frame::Close(1008));
    assert!(began.elapsed() >= Duration::from_secs(1));

    // A byte every 50 ms, which is how slow this client is: bytes that go on coming make the time no longer.
    let mut slow = Raw::websocket(gateway.address("frame"));
    let whole = masked(0x82, &[7; 100]);
    assert!(slow.write(&whole));
    assert_eq!(slow.frame(), Frame::Frame(2, vec![7; 100]));
    let began = Instant::now();
    let mut sent = 0;
    while began.elapsed() < PATIENCE && sent < whole.len() - 1 {
        if !slow.write(&whole[sent..=sent]) || ended(&gateway.metrics(), "frame_timeout") == 1 {
            break;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(slow.frame(), Frame::Close(1008));
    assert!(began.elapsed() >= Duration::from_secs(1));
    drop((first, slow));
    let metrics = gateway.settle("ended", |metrics| metrics.sum("sessions", &[]) == 0);
    assert_eq!((ended(&metrics, "first_message_timeout"), ended(&metrics, "frame_timeout")), (1, 1));
}

#[test]
fn a_drain_is_spread_and_tells_when_to_come_back() {
    const SESSIONS: usize = 1_000;
    let mut gateway = gateway("[[listener]]\nname = \"ws\"\nprotocol = \"websocket\"\nroute = \"echo\"\n");
    let address = gateway.address("ws");
    let mut clients: Vec<_> = (0..SESSIONS).map(|_| Raw::websocket(address)).collect();
    let began = Instant::now();
    gateway.signal("TERM");
    let mut hints = Vec::new();
    for client in &mut clients {
        let reason = client.close_reason();
        let (said, wait) = reason.split_once("; retry-after-ms=").expect("a hint");
        assert_eq!(said, "gateway is going away");
        hints.push(wait.parse::<u64>().expect("a number"));
    }
    // 500 a second: the last is told two seconds after the first, or a little before.
    assert!(began.elapsed() >= Duration::from_millis(1_500), "{:?}", began.elapsed());
    drop(clients);
    assert!(gateway.wait().success());
    assert!(hints.iter().all(|wait| *wait < 30_000));
    let mean = hints.iter().sum::<u64>() / SESSIONS as u64;
    assert!((12_000..18_000).contains(&mean), "{mean}");
    let log = gateway.log();
    let record = log.iter().find(|line| line["message"] == "session closed").expect("an access record");
    assert_eq!((&record["reason"], &record["by"]), (&"shutdown".into(), &"operator".into()));
    assert_eq!((&record["health"], &record["inbound_bytes"]), (&"healthy".into(), &0.into()));
}
