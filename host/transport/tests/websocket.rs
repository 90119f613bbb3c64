//! WebSocket listeners, with a client of another make.

mod support;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use support::{Entrance, Gateway, http, rest, run, until};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::{WebSocketStream, client_async};
use weir_core::CloseReason;

type Client<S> = WebSocketStream<S>;

async fn connect(gateway: &Gateway) -> Client<TcpStream> {
    let stream = TcpStream::connect(gateway.address(0)).await.unwrap();
    client_async("ws://localhost/ws", stream).await.unwrap().0
}

/// What a refused handshake says: its status and its headers.
async fn refused(
    gateway: &Gateway,
    path: &str,
    header: Option<(&'static str, &'static str)>,
) -> Response<()> {
    let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let stream = TcpStream::connect(gateway.address(0)).await.unwrap();
    match client_async(request, stream).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.map(drop),
        other => panic!("{other:?}"),
    }
}

async fn end<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) -> Option<(u16, String)> {
    loop {
        match client.next().await {
            Some(Ok(Message::Close(frame))) => {
                return frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned()));
            }
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn text_binary_fragments_and_pings_are_answered() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket()]);
        let mut client = connect(&gateway).await;
        for message in [
            Message::text("héllo"),
            Message::binary(vec![0; 100_000]),
            Message::text(""),
            Message::binary(vec![]),
        ] {
            client.send(message.clone()).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), message);
        }
        let part = |text: &str, opcode, last| {
            Message::Frame(Frame::message(text.as_bytes().to_vec(), OpCode::Data(opcode), last))
        };
        client.feed(part("in ", Data::Text, false)).await.unwrap();
        client.feed(Message::Ping("between".into())).await.unwrap();
        client.feed(part("three ", Data::Continue, false)).await.unwrap();
        client.feed(part("parts", Data::Continue, true)).await.unwrap();
        client.flush().await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("between".into()));
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("in three parts"));

        let close = CloseFrame { code: CloseCode::Library(4321), reason: "enough".into() };
        client.close(Some(close)).await.unwrap();
        assert_eq!(end(&mut client).await, Some((4321, "enough".into())));
        assert!(client.next().await.is_none());
        assert_eq!(gateway.settled().await, (5, 5));
        assert_eq!(gateway.closed(0, CloseReason::Client), 1);
    });
}

#[test]
fn messages_behind_the_request_are_not_lost() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket()]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        let mut bytes = b"GET /ws?a=1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
        for byte in 0..40_u8 {
            bytes.extend_from_slice(&[0x82, 0x81, 0, 0, 0, 0, byte]);
        }
        bytes.extend_from_slice(&[0x88, 0x80, 0, 0, 0, 0]);
        client.write_all(&bytes).await.unwrap();
        let answer = rest(&mut client).await;
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let expected: Vec<u8> = (0..40).flat_map(|byte| [0x82, 1, byte]).chain([0x88, 2, 3, 0xe8]).collect();
        assert_eq!(answer[head..], expected);
        assert_eq!(gateway.settled().await, (40, 40));
    });
}

#[test]
fn an_overloaded_gateway_says_so_in_http_and_lets_in_again() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket()]);
        let client = connect(&gateway).await;
        // One that is past the door already is told when it asks.
        let mut late = TcpStream::connect(gateway.address(0)).await.unwrap();
        let began = connect(&gateway).await;
        gateway.overload.set_refusing(true);
        let ask = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        late.write_all(ask.as_bytes()).await.unwrap();
        let late = String::from_utf8(rest(&mut late).await).unwrap();
        for answer in [
            late,
            http(gateway.address(0), ask).await,
            http(gateway.address(0), "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await,
        ] {
            let answer = answer.to_ascii_lowercase();
            assert!(answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: "), "{answer}");
            assert!(answer.ends_with("gateway is overloaded, try again later\n"), "{answer}");
        }
        until("counted", || gateway.closed(0, CloseReason::Overload) == 3).await;
        assert_eq!(gateway.stats.overload.refused.value(), 3);
        gateway.overload.set_refusing(false);
        let after = connect(&gateway).await;
        gateway.sessions(3).await;
        drop((client, began, after));
        gateway.settled().await;
    });
}

#[test]
fn a_connection_with_a_high_descriptor_is_one_too_many() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket(), Entrance::u32be()]);
        // Every descriptor is beyond, but none far beyond.
        gateway.overload.set_descriptors(0, 1 << 20);
        let answer = http(gateway.address(0), "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        let mut framed = TcpStream::connect(gateway.address(1)).await.unwrap();
        assert!(rest(&mut framed).await.is_empty());
        // So few are left that nobody is told.
        gateway.overload.set_descriptors(0, 0);
        let mut silent = TcpStream::connect(gateway.address(0)).await.unwrap();
        assert!(rest(&mut silent).await.is_empty());
        let refused = [0, 1].map(|listener| gateway.closed(listener, CloseReason::Overload));
        assert_eq!(refused, [2, 1]);
    });
}

#[test]
fn a_handshake_that_outlasts_its_listener_is_told_so() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket()]);
        let mut late = TcpStream::connect(gateway.address(0)).await.unwrap();
        late.write_all(b"GET /ws HTTP/1.1\r\nHost: h\r\n").await.unwrap();
        // They are accepted in order: when the second is served, the first is past the listener.
        let client = connect(&gateway).await;
        gateway.listeners.stop();
        let rest_of_it = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x88\x80\0\0\0\0";
        late.write_all(rest_of_it).await.unwrap();
        let answer = rest(&mut late).await;
        let answer = String::from_utf8(answer).unwrap().to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: "), "{answer}");
        until("counted", || gateway.closed(0, CloseReason::Shutdown) == 1).await;
        drop(client);
        gateway.settled().await;
    });
}

#[test]
fn what_breaks_the_protocol_is_closed_with_its_code() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket().with(|limits| limits.message = 1000)]);
        let mut codes = Vec::new();
        for message in [
            Message::binary(vec![0; 1001]),
            Message::Frame(Frame::message(vec![0xff], OpCode::Data(Data::Text), true)),
            Message::Frame(Frame::message(vec![], OpCode::Data(Data::Continue), true)),
        ] {
            let mut client = connect(&gateway).await;
            client.send(message).await.unwrap();
            codes.push(end(&mut client).await.unwrap().0);
        }
        let mut client = connect(&gateway).await;
        for _ in 0..30 {
            client.feed(Message::Ping("flood".into())).await.unwrap();
        }
        client.flush().await.unwrap();
        codes.push(end(&mut client).await.unwrap().0);
        drop(client);
        assert_eq!(codes, [1009, 1007, 1002, 1008]);

        let mut client = connect(&gateway).await;
        gateway.sessions(1).await;
        gateway.local.with(|worker| worker.drain(Duration::ZERO, Duration::ZERO));
        assert_eq!(end(&mut client).await.unwrap().0, 1001);
        drop(client);

        let client = connect(&gateway).await;
        drop(client);
        until("reset", || gateway.closed(0, CloseReason::ClientReset) == 1).await;
        assert_eq!(gateway.settled().await, (0, 0));
        for reason in [CloseReason::MessageTooLong, CloseReason::InvalidUtf8, CloseReason::Protocol] {
            assert_eq!(gateway.closed(0, reason), 1, "{reason:?}");
        }
    });
}

#[test]
fn a_silent_client_is_asked_and_then_let_go() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket().with(|limits| {
            limits.ping_interval = Duration::from_millis(50);
            limits.idle_timeout = Duration::from_millis(150);
        })]);
        let mut client = TcpStream::connect(gateway.address(0)).await.unwrap();
        let request = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut client).await;
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let frames = &answer[head..];
        assert_eq!(
            [&frames[..2], &frames[10..12]].concat(),
            [0x89, 8, 0x88, 36],
            "a ping, then a close frame"
        );
        drop(client);
        gateway.settled().await;
        assert_eq!(gateway.closed(0, CloseReason::IdleTimeout), 1);
    });
}

#[test]
fn subprotocols_are_agreed_on_and_origins_looked_at() {
    run(async {
        let mut entrance = Entrance::websocket();
        entrance.protocol = weir_transport::Protocol::WebSocket {
            path: "/ws".into(),
            origins: Some(vec!["https://chat.example".into()]),
            subprotocols: vec!["v2".into(), "v1".into()],
            deflate: false,
        };
        let gateway = Gateway::start(vec![entrance]);
        let mut request = "ws://localhost/ws".into_client_request().unwrap();
        request.headers_mut().insert("origin", HeaderValue::from_static("https://chat.example"));
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("v1, v2"));
        let stream = TcpStream::connect(gateway.address(0)).await.unwrap();
        let (_client, response) = client_async(request, stream).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "v1");

        let evil = Some(("origin", "https://evil.example"));
        assert_eq!(refused(&gateway, "/ws", evil).await.status(), 403);
        assert_eq!(refused(&gateway, "/other", None).await.status(), 404);
        let version = refused(&gateway, "/ws", Some(("sec-websocket-version", "8"))).await;
        assert_eq!(
            (version.status().as_u16(), &version.headers()["sec-websocket-version"]),
            (426, &HeaderValue::from(13))
        );
        until("counted", || gateway.closed(0, CloseReason::Protocol) == 3).await;
    });
}

#[test]
fn http_that_is_no_websocket_gets_an_answer() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::websocket()]);
        let plain = http(gateway.address(0), "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(plain.starts_with("HTTP/1.1 426 ") && plain.contains("new WebSocket(url)"), "{plain}");
        let post =
            http(gateway.address(0), "POST /ws HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi").await;
        assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
        let garbage = http(gateway.address(0), "\x16\x03\x01\x02\r\n\r\n").await;
        assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");

        let long = format!("GET /ws HTTP/1.1\r\nHost: h\r\nX-Long: {}\r\n\r\n", "x".repeat(40_000));
        assert!(http(gateway.address(0), &long).await.starts_with("HTTP/1.1 431 "));
        let many = "X: x\r\n".repeat(65);
        let many = format!("GET /ws HTTP/1.1\r\nHost: h\r\n{many}\r\n");
        assert!(http(gateway.address(0), &many).await.starts_with("HTTP/1.1 431 "));
        until("counted", || gateway.closed(0, CloseReason::Protocol) == 5).await;
    });
}

#[test]
fn a_handshake_that_takes_too_long_is_ended_and_blocks_nobody() {
    run(async {
        let gateway = Gateway::start(vec![
            Entrance::websocket().with(|limits| limits.upgrade_timeout = Duration::from_millis(200)),
        ]);
        let mut slow = TcpStream::connect(gateway.address(0)).await.unwrap();
        slow.write_all(b"GET /ws HTTP/1.1\r\nHo").await.unwrap();
        let mut silent = TcpStream::connect(gateway.address(0)).await.unwrap();
        let mut honest = connect(&gateway).await;
        honest.send(Message::text("hi")).await.unwrap();
        assert_eq!(honest.next().await.unwrap().unwrap(), Message::text("hi"));
        for stream in [&mut slow, &mut silent] {
            // An end or a reset.
            assert!(matches!(stream.read(&mut [0; 100]).await, Ok(0) | Err(_)));
        }
        until("counted", || gateway.closed(0, CloseReason::UpgradeTimeout) == 2).await;
    });
}

#[test]
fn over_tls_it_is_the_same() {
    run(async {
        let own = weir_transport::tls::self_signed().unwrap();
        let mut entrance =
            Entrance::websocket().with(|limits| limits.handshake_timeout = Duration::from_millis(500));
        entrance.tls = Some(own.config.clone());
        let gateway = Gateway::start(vec![entrance]);
        let mut roots = RootCertStore::empty();
        let certificate =
            <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
                own.pem.as_bytes(),
            );
        roots.add(certificate.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(gateway.address(0)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let (client, _) = client_async("wss://localhost/ws", stream).await.unwrap();
        let large = Message::binary(vec![5; 1 << 20]);
        let (mut write, mut read) = client.split();
        let (sent, received) = tokio::join!(write.send(large.clone()), read.next());
        sent.unwrap();
        assert!(received.unwrap().unwrap() == large);
        let mut client = write.reunite(read).unwrap();
        client.close(None).await.unwrap();
        assert_eq!(end(&mut client).await, Some((1000, String::new())));
        assert!(client.next().await.is_none());

        // One that never says hello, and one that says something else.
        let mut silent = TcpStream::connect(gateway.address(0)).await.unwrap();
        let mut other = TcpStream::connect(gateway.address(0)).await.unwrap();
        other.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let _ = other.read(&mut [0; 100]).await;
        let _ = silent.read(&mut [0; 100]).await;
        until("timeout", || gateway.closed(0, CloseReason::HandshakeTimeout) == 1).await;
        until("protocol", || gateway.closed(0, CloseReason::Protocol) == 1).await;
        assert_eq!(gateway.settled().await, (1, 1));
    });
}
