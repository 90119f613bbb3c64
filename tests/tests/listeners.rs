//! What a listener lets in, and what it puts up with.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use weir_tests::certificate::Authority;
use weir_tests::client::{Client, over_quic, u32be};
use weir_tests::raw::{Frame, Raw, UPGRADE, masked};
use weir_tests::{Gateway, artifact};

const ADMIN: &str = "[admin]\nbind = \"127.0.0.1:0\"\n";

fn gateway(listeners: &str) -> Gateway {
    let bound = listeners.replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nprotocol");
    Gateway::start(&format!("{ADMIN}{bound}"), &[("passthrough.wasm", artifact::plugin("passthrough"))])
}

/// The answer to an upgrade with these headers more.
fn upgrade(address: SocketAddr, more: &str) -> (u16, String) {
    let mut raw = Raw::connect(address);
    let answer = raw.request(&format!("GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}{more}\r\n"));
    if answer.0 == 101 {
        raw.write(&masked(0x88, &1000_u16.to_be_bytes()));
        assert_eq!(raw.frame(), Frame::Close(1000));
    }
    answer
}

#[test]
fn requests_that_are_no_upgrade_here_are_answered_and_counted() {
    let gateway = gateway(
        r#"
[[listener]]
name = "open"
protocol = "websocket"
subprotocols = ["v2.chat", "v1.chat"]
route = "echo"
[[listener]]
name = "listed"
protocol = "websocket"
path = "/chat"
origins = ["https://chat.example"]
route = "echo"
"#,
    );
    let open = gateway.address("open");
    let listed = gateway.address("listed");
    let (mut let_in, mut refused) = (0, 0);
    let mut expect = |what: &str, answer: (u16, String), status: u16| {
        assert_eq!(answer.0, status, "{what}: {}", answer.1);
        *(if status == 101 { &mut let_in } else { &mut refused }) += 1;
        answer.1.to_ascii_lowercase()
    };
    let origin = |origin: &str| format!("Origin: {origin}\r\n");

    expect("no browser", upgrade(open, ""), 101);
    expect("the same origin", upgrade(open, &origin(&format!("http://{open}"))), 101);
    expect("another site", upgrade(open, &origin("https://evil.example")), 403);
    expect("a file", upgrade(open, &origin("null")), 403);
    let at = |path: &str, more: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {listed}\r\n{UPGRADE}{more}\r\n");
        Raw::connect(listed).request(&head)
    };
    expect("listed", at("/chat", &origin("https://chat.example")), 101);
    expect("a query", at("/chat?room=1", ""), 101);
    expect("not listed", at("/chat", &origin("https://chat.example.evil")), 403);
    expect("not listed, though it is this host", at("/chat", &origin(&format!("http://{listed}"))), 403);
    expect("another path", at("/", ""), 404);
    expect("a longer path", at("/chat/room", ""), 404);

    let head = expect("a subprotocol", upgrade(open, "Sec-WebSocket-Protocol: v1.chat, v2.chat\r\n"), 101);
    assert!(head.contains("sec-websocket-protocol: v1.chat\r\n"), "the client's first: {head}");
    let head = expect("none that is known", upgrade(open, "Sec-WebSocket-Protocol: v3.chat\r\n"), 101);
    assert!(!head.contains("sec-websocket-protocol"), "{head}");

    let ask = |text: String| Raw::connect(open).request(&text);
    let host = format!("Host: {open}\r\n");
    expect("POST", ask(format!("POST / HTTP/1.1\r\n{host}{UPGRADE}\r\n")), 405);
    expect("no upgrade", ask(format!("GET / HTTP/1.1\r\n{host}\r\n")), 426);
    let old = UPGRADE.replace("Version: 13", "Version: 8");
    let head = expect("an old version", ask(format!("GET / HTTP/1.1\r\n{host}{old}\r\n")), 426);
    assert!(head.contains("sec-websocket-version: 13"), "{head}");
    let keyless = UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short");
    expect("no sound key", ask(format!("GET / HTTP/1.1\r\n{host}{keyless}\r\n")), 400);
    expect("no host", ask(format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n")), 400);
    expect("no HTTP", ask("HELO gateway\r\n\r\n".into()), 400);
    expect(
        "one header of 20 KiB",
        ask(format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(20_000))),
        431,
    );
    let many = "X: x\r\n".repeat(70);
    expect("70 headers", ask(format!("GET / HTTP/1.1\r\n{host}{UPGRADE}{many}\r\n")), 431);

    let all = let_in + refused;
    let metrics = gateway.settle("all closed", |metrics| metrics.sum("sessions_closed", &[]) == all);
    assert_eq!(metrics.sum("sessions_opened", &[]), let_in);
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "protocol")]), refused, "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_connections() {
    let gateway = gateway(
        r#"
[runtime]
workers = 2
[[listener]]
name = "tcp"
protocol = "tcp"
limits = { connections = 3 }
route = "echo"
[[listener]]
name = "ws"
protocol = "websocket"
limits = { connections = 3 }
route = "echo"
[[listener]]
name = "quic"
protocol = "quic"
limits = { connections = 3 }
route = "echo"
[[listener]]
name = "wt"
protocol = "webtransport"
limits = { connections = 3 }
route = "echo"
"#,
    );
    let mut delivered = 0;
    for listener in ["tcp", "ws", "quic", "wt"] {
        let open = || async {
            let address = gateway.address(listener);
            let mut client = match listener {
                "tcp" => Client::tcp(address, u32be()).await?,
                "ws" => Client::websocket(address, "/").await?,
                "quic" => Client::quic(address).await?,
                _ => Client::webtransport(address, "/").await?,
            };
            client.send(b"let me in").await?;
            client.message().await?;
            anyhow::Ok(client)
        };
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(open().await.unwrap());
        }
        for _ in 0..5 {
            open().await.unwrap_err();
        }
        // Those who are in notice nothing.
        for client in &mut clients {
            client.send(b"still here").await.unwrap();
            assert_eq!(client.message().await.unwrap(), "still here");
        }
        clients.pop().unwrap().close().await.unwrap();
        let mine = ("listener", listener);
        gateway.settle("one has left", |metrics| metrics.sum("sessions", &[mine]) == 2);
        clients.push(open().await.unwrap());
        delivered += 3 + 3 + 1;
        let metrics = gateway.settle(listener, |metrics| metrics.sum("messages_delivered", &[]) == delivered);
        assert_eq!(
            metrics.sum("sessions_closed", &[mine, ("reason", "too_many_connections")]),
            5,
            "{listener}"
        );
        assert_eq!(metrics.sum("messages_received", &[]), delivered);
    }
}

#[test]
fn slow_handshakes_and_upgrades_end_at_their_own_timeouts_and_keep_nobody_waiting() {
    let listeners = r#"
[[listener]]
name = "ws"
protocol = "websocket"
limits = { handshake_timeout = "1m", upgrade_timeout = "4s" }
route = "echo"
[[listener]]
name = "tls"
protocol = "tcp"
tls = { cert = "cert.pem", key = "key.pem" }
limits = { handshake_timeout = "4s" }
route = "echo"
[[listener]]
name = "wss"
protocol = "websocket"
tls = { cert = "cert.pem", key = "key.pem" }
limits = { handshake_timeout = "4s", upgrade_timeout = "1m" }
route = "echo"
"#;
    let listeners = listeners.replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nprotocol");
    let gateway = Gateway::prepare(&format!("{ADMIN}{listeners}"), &[])
        .with(|dir| Authority::default().write(dir))
        .start();
    let began = Instant::now();
    let mut slow: Vec<Raw> = Vec::new();
    for at in 0..300 {
        let listener = ["ws", "tls", "wss"][at % 3];
        let mut raw = Raw::connect(gateway.address(listener));
        // Nothing, or the beginning of a request or of a TLS record.
        let begin: &[u8] =
            if listener == "ws" { b"GET / HTTP/1.1\r\nHost:" } else { b"\x16\x03\x01\x02\x00\x01" };
        raw.write(&begin[..begin.len() * (at % 2)]);
        slow.push(raw);
    }
    let mut honest = Raw::websocket(gateway.address("ws"));
    honest.write(&masked(0x81, b"quick"));
    assert_eq!(honest.frame(), Frame::Frame(1, b"quick".to_vec()));
    assert!(began.elapsed() < Duration::from_secs(4), "before any of the others has ended");
    for raw in &mut slow {
        // A refused request may be told why; then the end.
        raw.rest();
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&took), "{took:?}");
    let metrics = gateway.settle("all ended", |metrics| metrics.sum("sessions_closed", &[]) == 300);
    for (listener, reason) in
        [("ws", "upgrade_timeout"), ("tls", "handshake_timeout"), ("wss", "handshake_timeout")]
    {
        let ended = metrics.sum("sessions_closed", &[("listener", listener), ("reason", reason)]);
        assert_eq!(ended, 100, "{listener}: {metrics}");
    }
    assert_eq!((metrics.sum("sessions_opened", &[]), metrics.sum("messages_delivered", &[])), (1, 1));
}

/// More than anybody would keep in memory, over two workers: the tickets hold all that is needed.
#[test]
fn tls_sessions_are_resumed_on_any_worker() {
    const SESSIONS: u64 = 600;
    let listener = |name: &str, keys: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nroute = \"echo\"\n\
             tls = {{ cert = \"cert.pem\", key = \"key.pem\"{keys} }}\n"
        )
    };
    let config = format!(
        "{ADMIN}[runtime]\nworkers = 2\n{}{}",
        listener("on", ""),
        listener("off", ", session_tickets = false")
    );
    let gateway = Gateway::prepare(&config, &[]).with(|dir| Authority::default().write(dir)).start();
    let come_back = |listener: &str, count: u64, version: &str| {
        let address = gateway.address(listener);
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let said = weir_tests::Peer::run("tls_resumption.py", &[&host, &port, &count.to_string(), version]);
        (said["tickets"].as_u64().unwrap(), said["resumed"].as_u64().unwrap())
    };
    assert_eq!(come_back("on", SESSIONS, "1.3"), (SESSIONS, SESSIONS));
    assert_eq!(come_back("on", 20, "1.2"), (20, 20));
    assert_eq!(come_back("off", 20, "1.3").1, 0);
    assert_eq!(come_back("off", 20, "1.2"), (0, 0));
    let metrics = gateway.settle("all gone", |metrics| metrics.sum("sessions", &[]) == 0);
    assert_eq!(metrics.sum("messages_delivered", &[]), 2 * SESSIONS + 6 * 20);
}

/// A client looks at the server's certificate in whole handshakes alone.
#[derive(Debug)]
struct Counted(Arc<dyn ServerCertVerifier>, AtomicUsize);

impl ServerCertVerifier for Counted {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.verify_server_cert(own, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, own, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, own, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quic_sessions_are_resumed_without_early_data() {
    let config = format!(
        "{ADMIN}[runtime]\nworkers = 2\n[[listener]]\nname = \"quic\"\nbind = \"127.0.0.1:0\"\nprotocol = \"quic\"\nroute = \"echo\"\n\
         tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n"
    );
    let authority = Authority::default();
    let gateway = Gateway::prepare(&config, &[]).with(|dir| authority.write(dir)).start();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let known =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let counted = Arc::new(Counted(known, AtomicUsize::new(0)));
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(counted.clone())
        .with_no_client_auth();
    tls.enable_early_data = true;
    let config = over_quic(tls);
    for _ in 0..20 {
        // From another port each time, so on either worker.
        let mut client = Client::quic_trusting(gateway.address("quic"), config.clone()).await.unwrap();
        client.send(b"hello").await.unwrap();
        assert_eq!(client.message().await.unwrap(), "hello");
        client.close().await.unwrap();
    }
    assert_eq!(counted.1.load(Ordering::Relaxed), 1, "all but the first are resumed");
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, gateway.address("quic"), "localhost").unwrap();
    assert!(connecting.into_0rtt().is_err(), "nothing may be sent before the handshake");
}

/// Whoever is slow twice has the time of each, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn the_upgrade_has_its_own_time_after_the_handshake() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let authority = Authority::default();
    let config = format!(
        "{ADMIN}[[listener]]\nname = \"wss\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\n\
         tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\nlimits = {{ handshake_timeout = \"1m\", upgrade_timeout = \"3s\" }}\n"
    );
    let gateway = Gateway::prepare(&config, &[]).with(|dir| authority.write(dir)).start();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(authority.client(false)));
    let stream = tokio::net::TcpStream::connect(gateway.address("wss")).await.unwrap();
    let mut slow = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let began = Instant::now();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    // However the end looks.
    let _ = slow.read_to_end(&mut Vec::new()).await;
    let took = began.elapsed();
    // A busy machine is later; it is never sooner.
    assert!((Duration::from_millis(2_900)..Duration::from_secs(8)).contains(&took), "{took:?}");
    gateway
        .settle("counted", |metrics| metrics.sum("sessions_closed", &[("reason", "upgrade_timeout")]) == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_asked_after_and_then_ended() {
    let gateway = gateway(
        r#"
[[listener]]
name = "ws"
protocol = "websocket"
limits = { ping_interval = "300ms", idle_timeout = "3s" }
route = "echo"
[[listener]]
name = "tcp"
protocol = "tcp"
limits = { ping_interval = "300ms", idle_timeout = "3s" }
route = "echo"
[[listener]]
name = "quic"
protocol = "quic"
limits = { ping_interval = "300ms", idle_timeout = "3s" }
route = "echo"
"#,
    );
    let (ws, tcp) = (gateway.address("ws"), gateway.address("tcp"));
    // Answers no ping: is pinged, then closed.
    let deaf = tokio::task::spawn_blocking(move || {
        let mut raw = Raw::websocket(ws);
        let began = Instant::now();
        let mut pings = 0;
        while let Frame::Frame(9, _) = raw.frame() {
            pings += 1;
        }
        (pings, began.elapsed())
    });
    // Answers every ping, and says nothing else for twice the timeout.
    let alive = tokio::task::spawn_blocking(move || {
        let mut raw = Raw::websocket(ws);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(6) {
            let Frame::Frame(9, payload) = raw.frame() else { panic!("no ping") };
            raw.write(&masked(0x8a, &payload));
        }
        raw.write(&masked(0x81, b"still here"));
        loop {
            match raw.frame() {
                Frame::Frame(9, _) => {}
                other => break other,
            }
        }
    });
    let mut quic = Client::quic(gateway.address("quic")).await.unwrap();
    quic.send(b"one").await.unwrap();
    assert_eq!(quic.message().await.unwrap(), "one");
    let began = Instant::now();
    let silent = tokio::task::spawn_blocking(move || Raw::connect(tcp).rest());
    assert_eq!(silent.await.unwrap(), b"");
    let took = began.elapsed();
    assert!((Duration::from_millis(2900)..Duration::from_secs(9)).contains(&took), "{took:?}");
    let (pings, took) = deaf.await.unwrap();
    assert!(pings >= 1, "it was asked");
    assert!((Duration::from_millis(2900)..Duration::from_secs(9)).contains(&took), "{took:?}");
    assert_eq!(alive.await.unwrap(), Frame::Frame(1, b"still here".to_vec()));
    // QUIC's keep-alives are answered by the client's QUIC.
    quic.send(b"two").await.unwrap();
    assert_eq!(quic.message().await.unwrap(), "two");
    let metrics = gateway
        .settle("two ended", |metrics| metrics.sum("sessions_closed", &[("reason", "idle_timeout")]) == 2);
    assert_eq!(metrics.sum("messages_delivered", &[]), 3);
}
