//! Servers that do what libraries do not let them.

use crate::trial::result;
use bytes::BytesMut;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use weir_codec::websocket::{Limits, Role, accept_key};
use weir_codec::{Decoder, Event, Kind, Wire};

/// Where a test's server listens, and what a client is told of it.
fn listen(scheme: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Lets a client in, and says this in the same breath.
fn upgrade(mut stream: &TcpStream, then: &[u8]) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request:?}");
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.as_bytes())
    );
    stream.write_all(&[head.as_bytes(), then].concat()).unwrap();
}

/// Sends back what comes until a close frame does, and gives its code.
fn echo(mut stream: &TcpStream) -> Option<u16> {
    let mut decoder = Decoder::websocket(Role::Server, Limits { message: 1 << 20, fragments: 8 });
    let wire = Wire::WebSocket { role: Role::Server };
    let mut buffer = [0; 4_096];
    loop {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "no close frame came");
        let mut bytes = &mut buffer[..length];
        let mut out = BytesMut::new();
        while !bytes.is_empty() {
            let decoded = decoder.decode(bytes).unwrap();
            let consumed = decoded.consumed;
            match decoded.event {
                Some(Event::Message { payload, .. }) => {
                    wire.encode(Kind::Binary, &payload, [0; 4], &mut out).unwrap();
                }
                Some(Event::Close(close)) => return close.map(|(code, _)| code),
                _ => {}
            }
            bytes = &mut bytes[consumed..];
        }
        stream.write_all(&out).unwrap();
    }
}

/// A server that does not survive its load is what such a tool is there to find.
#[test]
fn what_was_measured_is_told_where_the_process_of_the_server_ended() {
    let (listener, url) = listen("ws");
    let mut process = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = process.id().to_string();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        upgrade(&stream, &[]);
        // The load has begun.
        stream.peek(&mut [0]).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        echo(&stream);
    });
    let load = [&*url, "-c", "1", "--duration", "200ms", "--warm-up", "0", "--server-pid", &pid];
    let result = result(&load).unwrap();
    server.join().unwrap();
    assert_eq!(
        (&result["errors"], &result["server"]),
        (&json!({ "server_ended": 1 }), &Value::Null),
        "{result}"
    );
    assert!(result["sent"].as_u64() > Some(0), "{result}");
}

/// As a server does that has too many. The answer to its farewell is its own, and nobody else's.
#[test]
fn a_farewell_with_the_upgrade_is_told_and_nobody_else_hears_of_it() {
    let (listener, url) = listen("ws");
    let server = thread::spawn(move || {
        let [first, second] = [(); 2].map(|()| listener.accept().unwrap().0);
        upgrade(&first, &[0x88, 2, 0x03, 0xf5]);
        assert_eq!(echo(&first), Some(1_013));
        upgrade(&second, &[]);
        assert_eq!(echo(&second), Some(1_000));
    });
    let result = result(&[&url, "-c", "2", "--duration", "200ms", "--warm-up", "0"]).unwrap();
    server.join().unwrap();
    assert_eq!(result["errors"], json!({ "closed_1013": 1 }), "{result}");
    assert_eq!(result["connections"], json!({ "asked": 2, "open": 2, "failed": 0, "closed": 1 }));
    assert!(result["received"].as_u64() > Some(0), "{result}");
}

#[test]
fn connections_come_from_all_sources_and_no_faster_than_the_ramp() {
    const CONNECTIONS: u32 = 30;
    let (listener, url) = listen("tcp");
    let server = thread::spawn(move || {
        let all: Vec<_> = (0..CONNECTIONS).map(|_| listener.accept().unwrap()).collect();
        // Until the client ends them.
        all.into_iter().map(|(mut stream, from)| (stream.read(&mut [0]).unwrap(), from.ip())).collect()
    });
    let begun = Instant::now();
    let idle = [&*url, "-c", "30", "--in-flight", "0", "--duration", "100ms", "--warm-up", "0"];
    let sources = ["--ramp", "60", "--source", "127.0.0.2,127.0.0.3"];
    let result = result(&[&idle[..], &sources].concat()).unwrap();
    assert_eq!((&result["errors"], &result["connections"]["open"]), (&json!({}), &json!(CONNECTIONS)));
    // The last of them is not begun before the 29 intervals ahead of it have passed.
    assert!(begun.elapsed() >= Duration::from_secs(1) * (CONNECTIONS - 1) / 60 + Duration::from_millis(100));
    let came: Vec<(usize, IpAddr)> = server.join().unwrap();
    for source in ["127.0.0.2", "127.0.0.3"] {
        let from = came.iter().filter(|came| came.1 == source.parse::<IpAddr>().unwrap()).count();
        assert_eq!(from, 15, "{source}: {came:?}");
    }
}

/// The last word and the end of the stream are one event for whoever waits for the socket.
#[test]
fn an_end_behind_the_last_word_is_noticed() {
    const CONNECTIONS: u64 = 50;
    let (listener, url) = listen("tcp");
    let server = thread::spawn(move || {
        for _ in 0..CONNECTIONS {
            listener.accept().unwrap().0.write_all(&[0, 0, 0, 2, b'o', b'k']).unwrap();
        }
    });
    let connections = CONNECTIONS.to_string();
    let idle = [&*url, "-c", &connections, "--in-flight", "0", "--duration", "200ms", "--warm-up", "0"];
    let result = result(&idle).unwrap();
    server.join().unwrap();
    assert_eq!(result["errors"], json!({ "closed_eof": CONNECTIONS }), "{result}");
    assert_eq!(result["other_messages"], CONNECTIONS);
}

/// Memory is not where the answers to it are kept.
#[test]
fn who_asks_and_does_not_listen_is_given_up() {
    let (listener, url) = listen("ws");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        upgrade(&stream, &[]);
        // Each ping is 127 bytes, and asks for a pong of 131.
        let pings = [&[0x89, 125][..], &[b'p'; 125]].concat().repeat(1_000);
        let mut sent = 0_u64;
        while stream.write_all(&pings).is_ok() {
            sent += pings.len() as u64;
            assert!(sent < 1 << 30, "nobody minds");
        }
    });
    // Waiting for what never comes, so that this takes as long as it takes.
    let error = result(&[&url, "-c", "1", "--ready", "never", "--timeout", "5m"]).unwrap_err();
    server.join().unwrap();
    assert!(error.to_string().contains("did not read"), "{error}");
}
