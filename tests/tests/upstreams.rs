//! Upstream servers that we did not write: Python's sockets and TLS, and `websockets`; the program is tests/peers/upstream.py.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};
use weir_codec::Framing;
use weir_tests::certificate::Authority;
use weir_tests::client::{Client, Got};
use weir_tests::gateway::Prepared;
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::{Gateway, Peer, artifact};

const LINE: &str = "protocol = \"tcp\"\nkind = \"text\"\nframing = { type = \"line\", max = \"1MiB\" }";
const LENGTH: &str = "protocol = \"tcp\"\nkind = \"text\"";
const WEBSOCKET: &str = "protocol = \"websocket\"";

/// A gateway whose listeners `ws`, `line` and `quic` lead to one cluster, through plugins in both directions.
fn gateway(cluster: &str, endpoints: &[u16]) -> Prepared {
    let endpoints: Vec<_> = endpoints.iter().map(|port| format!("\"localhost:{port}\"")).collect();
    let listener = |(name, keys): (&str, &str)| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\n{keys}\nchain = [\"passthrough\", \"filter\"]\nroute = \"service\"\n\
             limits = {{ slow_grace = \"1h\" }}\n"
        )
    };
    let listeners = [("ws", WEBSOCKET), ("line", LINE), ("quic", "protocol = \"quic\"\nkind = \"text\"")];
    let config = format!(
        "[admin]\nbind = \"127.0.0.1:0\"\n[plugins.defaults]\ndeadline = \"5s\"\nmax_output = \"2MiB\"\n\
         [[plugin]]\nmodule = \"passthrough.wasm\"\n\
         [[plugin]]\nname = \"filter\"\nmodule = \"wordfilter.wasm\"\nconfig = {{ words = [\"spam\"] }}\n\
         {}[[cluster]]\nname = \"service\"\nendpoints = [{}]\n{cluster}\n",
        listeners.map(listener).concat(),
        endpoints.join(", ")
    );
    let plugins = ["passthrough", "wordfilter"].map(|name| (format!("{name}.wasm"), artifact::plugin(name)));
    Gateway::prepare(&config, &plugins.each_ref().map(|(name, file)| (&**name, file.clone())))
}

async fn client(gateway: &Gateway, listener: &str) -> Client {
    connect(gateway, listener).await.unwrap()
}

async fn connect(gateway: &Gateway, listener: &str) -> anyhow::Result<Client> {
    let address = gateway.address(listener);
    match listener {
        "ws" => Client::websocket(address, "/").await,
        "line" => Client::tcp(address, Framing::Line { max: 1 << 20 }).await,
        _ => Client::quic(address).await,
    }
}

/// What was sent there and came from there, as everybody counts it.
fn settled(gateway: &Gateway, there: u64, back: u64) {
    let metrics = gateway.settle("nothing is under way", |metrics| {
        metrics.sum("upstream_messages_delivered", &[]) == there
            && metrics.sum("messages_delivered", &[]) == back
    });
    assert_eq!(metrics.sum("messages_routed", &[("target", "cluster")]), there);
    assert_eq!(metrics.sum("upstream_messages_received", &[]), back);
    assert_eq!(metrics.sum("upstream_messages_dropped", &[]), 0);
    assert_eq!(metrics.sum("upstream_messages_orphaned", &[]), 0);
}

/// Sixty messages and their answers, one of them filtered out, over each listener; then the client ends.
async fn both_directions(gateway: Gateway, service: &Peer, bye: bool) {
    let (mut there, mut back) = (0, 0);
    for (at, listener) in ["ws", "line", "quic"].into_iter().enumerate() {
        let mut client = client(&gateway, listener).await;
        let big = format!("big {}", "ж".repeat(100_000));
        client.send(b"spam").await.unwrap();
        for number in 0..59 {
            client.send(format!("message {number}").as_bytes()).await.unwrap();
        }
        client.send(big.as_bytes()).await.unwrap();
        for number in 0..59 {
            assert_eq!(client.message().await.unwrap(), format!("> message {number}"), "{listener}");
        }
        assert!(client.message().await.unwrap() == format!("> {big}"), "{listener}");
        assert_eq!(service.said()["opened"], at + 1);
        client.send(b".the last").await.unwrap();
        (there, back) = (there + 61, back + 60);
        settled(&gateway, there, back);
        drop(client);
        let closed = service.said();
        assert_eq!(closed["got"], 61, "{listener}: {closed}");
        // Only over TCP can both sides say that they have said all; then the service still says "bye".
        back += u64::from(listener == "line" && bye);
    }
    let metrics = gateway.settle("all gone", |metrics| metrics.sum("connections", &[]) == 0);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin")]), 3);
    assert_eq!(metrics.sum("upstream_connections_opened", &[]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_lengths_and_websocket_in_both_directions() {
    for (speech, cluster) in [("line", LINE), ("length", LENGTH), ("websocket", WEBSOCKET)] {
        let service = Peer::start("upstream.py", &[speech]);
        let gateway = gateway(cluster, &[service.port()]).start();
        both_directions(gateway, &service, speech != "websocket").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_towards_services_is_verified() {
    let authority = Authority::default();
    let files = tempfile::tempdir().unwrap();
    authority.write(files.path());
    let at = |name: &str| files.path().join(name).display().to_string();
    for (speech, cluster) in [("line", LINE), ("websocket", WEBSOCKET)] {
        let service = Peer::start("upstream.py", &[speech, &at("cert.pem"), &at("key.pem")]);
        let port = service.port();
        let trusting = |authority: &Authority| {
            let put = |dir: &Path| std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
            gateway(&format!("{cluster}\ntls = {{ ca = \"ca.pem\" }}"), &[port]).with(put).start()
        };
        let stranger = trusting(&Authority::default());
        let mut refused = client(&stranger, "ws").await;
        assert_eq!(refused.next().await.unwrap(), Got::End(1013), "another authority's certificate");
        stranger.settle("closed", |metrics| metrics.sum("sessions", &[]) == 0);

        both_directions(trusting(&authority), &service, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_said_all_gets_the_last_answers() {
    for (speech, cluster, bye) in
        [("line", LINE, true), ("length", LENGTH, true), ("websocket", WEBSOCKET, false)]
    {
        let mut service = Peer::start("upstream.py", &[speech]);
        let gateway = gateway(cluster, &[service.port()]).start();
        // The service answers only after the client has shut its side down.
        service.order("stop");
        let address = gateway.address("line");
        let answers = tokio::task::spawn_blocking(move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"one\ntwo\nthree\n").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answers = String::new();
            stream.read_to_string(&mut answers).unwrap();
            answers
        });
        gateway.settle("sent on", |metrics| metrics.sum("upstream_messages_delivered", &[]) == 3);
        service.order("go");
        let answers = answers.await.unwrap();
        if bye {
            assert_eq!(answers, "> one\n> two\n> three\nbye, 3\n", "{speech}");
            settled(&gateway, 3, 4);
        } else {
            // Who has said goodbye over WebSocket says no more, so answers that are late are lost with the service, not here.
            assert!("> one\n> two\n> three\n".starts_with(&answers), "{answers:?}");
            settled(&gateway, 3, answers.lines().count() as u64);
        }
        let metrics = gateway.settle("all gone", |metrics| metrics.sum("connections", &[]) == 0);
        assert_eq!(metrics.sum("sessions_closed", &[("reason", "client")]), 1, "{speech}: {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_says_when_it_closes_goes_on() {
    let websocket = Peer::start("upstream.py", &["websocket"]);
    let line = Peer::start("upstream.py", &["line"]);
    for (cluster, service, code) in [(WEBSOCKET, &websocket, 4001), (LINE, &line, 1000)] {
        let gateway = gateway(cluster, &[service.port()]).start();
        for listener in ["ws", "line", "quic"] {
            let mut client = client(&gateway, listener).await;
            client.send(b"hello").await.unwrap();
            assert_eq!(client.message().await.unwrap(), "> hello");
            client.send(b"close 4001").await.unwrap();
            // TCP has no place for a code.
            let heard = if listener == "line" { 0 } else { code };
            assert_eq!(client.next().await.unwrap(), Got::End(heard), "{listener}");
        }
        settled(&gateway, 6, 3);
        let metrics = gateway.metrics();
        assert_eq!(metrics.sum("sessions_closed", &[("reason", "upstream_closed")]), 3);
        let said = if code == 4001 { "the service says so" } else { "upstream closed" };
        for line in gateway.log().iter().filter(|line| line["message"] == "session closed") {
            assert_eq!((&line["code"], &line["said"]), (&code.into(), &said.into()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_breaks_off_is_1014() {
    for (speech, cluster) in [("line", LINE), ("length", LENGTH), ("websocket", WEBSOCKET)] {
        let mut service = Peer::start("upstream.py", &[speech]);
        let gateway = gateway(cluster, &[service.port()]).start();
        // tungstenite knows no 1014, which the registry has since 2012; so by hand.
        let mut first = Raw::websocket(gateway.address("ws"));
        first.write(&masked(0x81, b"die"));
        assert_eq!(first.frame(), Frame::Close(1014), "{speech}: reset");
        drop(first);

        // In the middle of a message; over WebSocket without goodbye.
        let mut second = Raw::websocket(gateway.address("ws"));
        second.write(&masked(0x81, b"half"));
        assert_eq!(second.frame(), Frame::Close(1014), "{speech}: cut off");
        drop(second);

        // Killed in the middle of a stream: what had not gone out is dropped and counted.
        let mut third = Raw::websocket(gateway.address("ws"));
        for number in 0..200 {
            third.write(&masked(0x81, format!(".{number} {}", "x".repeat(1000)).as_bytes()));
        }
        gateway.settle("some are there", |metrics| metrics.sum("upstream_messages_delivered", &[]) > 2);
        service.kill();
        let end = third.frame();
        // A process that has read all that had come ends its TCP connections in order.
        let in_order = speech != "websocket" && end == Frame::Close(1000);
        assert!(in_order || end == Frame::Close(1014), "{speech}: killed: {end:?}");
        drop(third);
        let metrics = gateway.settle("all gone", |metrics| metrics.sum("connections", &[]) == 0);
        assert!(metrics.sum("sessions_closed", &[("reason", "upstream_failed")]) >= 2);
        let received = metrics.sum("messages_received", &[]);
        let ended = [("reason", "upstream_ended")];
        let fates = metrics.sum("upstream_messages_delivered", &[])
            + metrics.sum("upstream_messages_dropped", &ended)
            + metrics.sum("messages_dropped", &ended);
        assert_eq!(fates, received, "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_is_1013_and_another_endpoint_is_tried() {
    let down = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for cluster in [LINE, WEBSOCKET] {
        let gateway = gateway(&format!("{cluster}\nconnect_timeout = \"5s\""), &[down(), down()]).start();
        let mut sent = 0;
        for listener in ["ws", "line", "quic"] {
            let mut client = match connect(&gateway, listener).await {
                Ok(client) => client,
                // The close may come before the first stream is open.
                Err(error) => {
                    assert!(listener == "quic" && format!("{error:#}").contains("1013"), "{error:#}");
                    continue;
                }
            };
            for _ in 0..3 {
                // The close may come before all is sent.
                sent += u64::from(client.send(b"is anybody there").await.is_ok());
            }
            let heard = if listener == "line" { 0 } else { 1013 };
            match client.next().await {
                Ok(end) => assert_eq!(end, Got::End(heard), "{listener}"),
                // What arrived after the end was never read: the kernel resets.
                Err(error) => assert_eq!(listener, "line", "{error:#}"),
            }
        }
        let metrics = gateway.settle("all closed", |metrics| metrics.sum("sessions", &[]) == 0);
        assert_eq!(metrics.sum("sessions_closed", &[("reason", "upstream_unreachable")]), 3, "{metrics}");
        let received = metrics.sum("messages_received", &[]);
        let dropped = ["messages_dropped", "upstream_messages_dropped"]
            .map(|family| metrics.sum(family, &[("reason", "upstream_unreachable")]));
        assert!(received <= sent);
        assert_eq!(dropped.iter().sum::<u64>(), received, "each has its counted fate: {metrics}");
    }
    let service = Peer::start("upstream.py", &["line"]);
    let gateway = gateway(LINE, &[down(), service.port(), down()]).start();
    let (mut served, began) = (0, Instant::now());
    for _ in 0..8 {
        let mut client = client(&gateway, "ws").await;
        client.send(b"hello").await.unwrap();
        match client.next().await.unwrap() {
            Got::Message(answer) => {
                assert_eq!(answer, "> hello");
                served += 1;
                client.close().await.unwrap();
            }
            // Two are tried, and both may be down the first time; then they are passed over, for half a second.
            Got::End(code) => assert_eq!(code, 1013),
        }
    }
    assert!(served >= 7 || began.elapsed() > Duration::from_millis(500), "{served} of 8");
    gateway.settle("all gone", |metrics| metrics.sum("connections", &[]) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_accepts_and_never_reads_ends_its_sessions() {
    // The kernel takes its connections in, and so many bytes as it has buffers for.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = deaf.local_addr().unwrap().port();
    let gateway = gateway(&format!("{LINE}\nwrite_timeout = \"2s\""), &[port]).start();
    let mut client = Client::websocket(gateway.address("ws"), "/").await.unwrap();
    let text = ".".repeat(100_000);
    let began = Instant::now();
    let end = loop {
        // Until its sends are held back for good.
        match tokio::time::timeout(Duration::from_millis(100), client.send(text.as_bytes())).await {
            Ok(Ok(())) => assert!(began.elapsed() < weir_tests::PATIENCE, "it takes everything"),
            // It is held back, or told already.
            Ok(Err(_)) | Err(_) => break began.elapsed(),
        }
    };
    let metrics = gateway
        .settle("ended", |metrics| metrics.sum("sessions_closed", &[("reason", "upstream_timeout")]) == 1);
    assert_eq!(metrics.sum("upstream_connections_closed", &[("reason", "upstream_timeout")]), 1, "{metrics}");
    assert!(began.elapsed() >= end.max(Duration::from_secs(2)), "{:?}", began.elapsed());
    let line = gateway.wait_for_log("its end", |line| line["reason"] == "upstream_timeout");
    assert_eq!((&line["code"], &line["by"]), (&1014.into(), &"gateway".into()));
    drop((client, deaf));
    let metrics = gateway.settle("all gone", |metrics| metrics.sum("connections", &[]) == 0);
    let received = metrics.sum("messages_received", &[]);
    let fates =
        metrics.sum("upstream_messages_delivered", &[]) + metrics.sum("upstream_messages_dropped", &[]);
    assert_eq!(fates + metrics.sum("messages_dropped", &[("direction", "inbound")]), received, "{metrics}");
}
