//! The same plugins give the same verdicts whatever a message came over.

use std::net::SocketAddr;
use weir_codec::Framing;
use weir_codec::framing::Prefix;
use weir_tests::certificate::Authority;
use weir_tests::client::{Client, over_quic, u32be};
use weir_tests::webtransport::Session;
use weir_tests::{Gateway, artifact};

/// What must become of a message.
enum Fate {
    /// Echoed, perhaps changed.
    Back(String),
    /// Dropped by verdict.
    Dropped,
    /// Sent to the group that somebody watches.
    Watched(&'static str),
    /// Sent to a group where nobody is.
    Nowhere,
}
use Fate::{Back, Dropped, Nowhere, Watched};

fn cases() -> Vec<(String, Fate)> {
    let back = |text: &str| (text.to_owned(), Back(text.to_owned()));
    let to = |text: &str, result: &str| (text.to_owned(), Back(result.to_owned()));
    let long = "0123456789abcde ".repeat(4096);
    let wide = "ж世🦀 ".repeat(5000);
    let json = format!("{{\"text\":\"{}\"", "y".repeat(65_000));
    vec![
        back("hello"),
        back(""),
        back("привет, 世界 🦀"),
        back("tab\tand\u{0}nul\r"),
        back("one\ntwo"),
        back("a||b"),
        back("|"),
        ("buy spam".into(), Dropped),
        ("SPAM!".into(), Dropped),
        ("это СПАМ".into(), Dropped),
        back("spammer"),
        to("a darn cold day", "a **** cold day"),
        to("in the STRASSE", "in the *******"),
        to("{}", "{\"via\":\"weir\"}"),
        to("{\"n\": 1.50, \"say\":\"Darn\"}", "{\"n\": 1.50, \"say\":\"****\",\"via\":\"weir\"}"),
        to("{\"via\":\"me\"}", "{\"via\":\"weir\"}"),
        back("[1,2]"),
        back("{\"broken\":"),
        (r#"{"type":"lobby","x":1}"#.into(), Watched(r#"{"type":"lobby","x":1,"via":"weir"}"#)),
        (r#"{"type":"lobby","say":"spam"}"#.into(), Dropped),
        (r#"{"type":"void"}"#.into(), Nowhere),
        back(&long),
        back(&wide),
        (format!("{long}spam"), Dropped),
        (format!("{json}}}"), Back(format!("{json},\"via\":\"weir\"}}"))),
        back("the last"),
    ]
}

/// A way in.
struct Way {
    name: String,
    /// The keys of its listener beside name and route.
    keys: String,
    framing: Option<Framing>,
    /// Of a message that fits, as it is sent and as it comes back.
    longest: usize,
    /// What no message may contain or end with.
    forbidden: &'static [&'static str],
    empty: bool,
}

fn ways() -> Vec<Way> {
    let tcp = |name: &str, framing: Framing, toml: &str, longest: usize| Way {
        name: name.into(),
        keys: format!(
            "protocol = \"tcp\"\nkind = \"text\"\nframing = {{ {toml}, max = {} }}",
            longest.min(1 << 20)
        ),
        framing: Some(framing),
        longest,
        forbidden: &[],
        empty: true,
    };
    let max = 1 << 20;
    let lengths = [
        ("u8", Prefix::U8, 255),
        ("u16be", Prefix::U16Be, 65_535),
        ("u16le", Prefix::U16Le, 65_535),
        ("u32be", Prefix::U32Be, max),
        ("u32le", Prefix::U32Le, max),
        ("varint", Prefix::Varint, max),
    ];
    let mut ways: Vec<Way> = lengths
        .into_iter()
        .map(|(word, prefix, longest)| {
            let toml = format!("type = \"length\", prefix = \"{word}\"");
            tcp(word, Framing::Length { prefix, max: longest }, &toml, longest)
        })
        .collect();
    let delimiter = Framing::Delimiter { delimiter: b"||".to_vec().into(), max };
    ways.push(Way { forbidden: &["\n", "\r"], ..tcp("line", Framing::Line { max }, "type = \"line\"", max) });
    ways.push(Way {
        forbidden: &["|"],
        ..tcp("delimiter", delimiter, "type = \"delimiter\", delimiter = \"||\"", max)
    });
    ways.push(tcp("checked", Framing::Checked { max }, "type = \"checked\"", max));
    // Cut by chance, so one at a time and short.
    ways.push(Way { empty: false, ..tcp("raw", Framing::Raw { max: 4096 }, "type = \"raw\"", 4096) });
    let other = |name: &str, keys: &str, longest| Way {
        name: name.into(),
        keys: keys.into(),
        framing: None,
        longest,
        forbidden: &[],
        empty: true,
    };
    ways.push(other("websocket", "protocol = \"websocket\"", max));
    ways.push(other("quic", "protocol = \"quic\"\nkind = \"text\"", max));
    ways.push(other("datagrams", "protocol = \"quic\"\nkind = \"text\"", 1_000));
    let webtransport = "protocol = \"webtransport\"\nkind = \"text\"";
    ways.push(other("webtransport", webtransport, max));
    ways.push(other("webtransport-datagrams", webtransport, 1_000));
    ways
}

impl Way {
    fn fits(&self, text: &str) -> bool {
        text.len() <= self.longest
            && (self.empty || !text.is_empty())
            && !self.forbidden.iter().any(|part| text.contains(part))
    }

    async fn open(&self, address: SocketAddr) -> Client {
        let client = match (&*self.name, &self.framing) {
            (_, Some(framing)) => Client::tcp(address, framing.clone()).await,
            ("websocket", _) => Client::websocket(address, "/").await,
            ("quic", _) => Client::quic(address).await,
            ("webtransport", _) => Client::webtransport(address, "/").await,
            ("webtransport-datagrams", _) => Client::webtransport_datagrams(address, "/").await,
            _ => Client::datagrams(address).await,
        };
        client.unwrap_or_else(|error| panic!("{}: {error:#}", self.name))
    }
}

const PLUGINS: &str = r#"
[runtime]
workers = 2
[admin]
bind = "127.0.0.1:0"
[plugins.defaults]
deadline = "5s"
max_output = "1MiB"
[[plugin]]
name = "drop"
module = "wordfilter.wasm"
config = { words = ["spam", "спам"] }
[[plugin]]
name = "mask"
module = "wordfilter.wasm"
config = { words = ["darn", "Straße"], action = "mask" }
[[plugin]]
name = "route"
module = "route-by-field.wasm"
config = { field = "/type", rules = { lobby = { group = "lobby" }, void = { group = "void" } } }
[[plugin]]
name = "enrich"
module = "enrich.wasm"
config = { fields = { via = { static = "weir" } } }
[[listener]]
name = "watch"
bind = "127.0.0.1:0"
protocol = "websocket"
chain = []
join = ["lobby"]
route = "drop"
"#;

fn shipped() -> Vec<(&'static str, std::path::PathBuf)> {
    ["wordfilter", "route-by-field", "enrich", "passthrough"]
        .map(|name| (&*Box::leak(format!("{name}.wasm").into_boxed_str()), artifact::plugin(name)))
        .to_vec()
}

fn config(ways: &[Way], chain: &str) -> String {
    let listener = |way: &Way| {
        let Way { name, keys, .. } = way;
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\n{keys}\nchain = {chain}\nroute = \"echo\"\n"
        )
    };
    let listeners: Vec<String> = ways.iter().map(listener).collect();
    format!("{PLUGINS}{}", listeners.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wasm_gives_the_same_verdicts_over_everything() {
    let ways = ways();
    let chain = r#"["drop", "mask", "route", "enrich"]"#;
    let gateway = Gateway::start(&config(&ways, chain), &shipped());
    let mut watcher = Client::websocket(gateway.address("watch"), "/").await.unwrap();
    gateway.settle("the watcher is there", |metrics| metrics.sum("sessions", &[]) == 1);
    for way in &ways {
        let mut client = way.open(gateway.address(&way.name)).await;
        let (mut sent, mut back, mut dropped, mut watched, mut nowhere) = (0, 0, 0, 0, 0);
        for (text, fate) in cases() {
            let result = if let Back(result) = &fate { result } else { &text };
            if !way.fits(&text) || !way.fits(result) {
                continue;
            }
            sent += 1;
            client.send(text.as_bytes()).await.unwrap();
            match &fate {
                Back(result) => {
                    back += 1;
                    let got = client
                        .message()
                        .await
                        .unwrap_or_else(|error| panic!("{}: {text:?}: {error:#}", way.name));
                    assert!(got == result.as_bytes(), "{}: {text:?} came back as {got:?}", way.name);
                }
                Watched(result) => {
                    watched += 1;
                    assert_eq!(watcher.message().await.unwrap(), result.as_bytes(), "{}", way.name);
                }
                Dropped => dropped += 1,
                Nowhere => nowhere += 1,
            }
            if way.name == "raw" && !matches!(fate, Back(_)) {
                // The next one must not be glued to it.
                gateway.settle("one by one", |metrics| {
                    metrics.sum("messages_received", &[("listener", "raw")]) == sent
                });
            }
        }
        assert!(back >= 14 && dropped >= 4 && watched == 1 && nowhere == 1, "{}: {sent} cases fit", way.name);
        let mine = ("listener", &*way.name);
        let metrics = gateway.settle(&way.name, |metrics| metrics.sum("messages_received", &[mine]) == sent);
        let drops =
            |reason| metrics.sum("messages_dropped", &[mine, ("direction", "inbound"), ("reason", reason)]);
        assert_eq!(drops("plugin"), dropped, "{}", way.name);
        assert_eq!(drops("empty_group"), nowhere, "{}", way.name);
        assert_eq!(metrics.sum("messages_routed", &[mine, ("target", "echo")]), back, "{}", way.name);
        assert_eq!(metrics.sum("messages_routed", &[mine, ("target", "group")]), watched, "{}", way.name);
        assert_eq!(metrics.sum("messages_delivered", &[mine]), back, "{}", way.name);
        client.close().await.unwrap();
    }
    let all = ways.len() as u64;
    let metrics = gateway.settle("all closed", |metrics| metrics.sum("sessions_closed", &[]) == all);
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "client")]), all);
    assert_eq!(metrics.sum("messages_delivered", &[("listener", "watch")]), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_pass_a_chain_of_text_plugins() {
    let mut ways = ways();
    for way in &mut ways {
        way.keys = way.keys.replace("kind = \"text\"", "kind = \"binary\"");
    }
    let gateway = Gateway::start(
        &config(&ways, r#"["passthrough", "drop", "route", "enrich"]"#).replacen(
            "[[plugin]]",
            "[[plugin]]\nmodule = \"passthrough.wasm\"\n[[plugin]]",
            1,
        ),
        &shipped(),
    );
    // Every byte but those of the framings, and what begins like text; none is UTF-8.
    let every: Vec<u8> = (0..=254).rev().filter(|byte| !b"\n\r|".contains(byte)).collect();
    let messages = [&every[..], b"spam \xff", b"\x00", b"\x80", b"{\"type\":\"void\"}\xc0"];
    for way in &ways {
        let mut client = way.open(gateway.address(&way.name)).await;
        for message in messages {
            client.send(message).await.unwrap();
            assert_eq!(client.message().await.unwrap(), message, "{}", way.name);
        }
        client.close().await.unwrap();
    }
    let all = (ways.len() * messages.len()) as u64;
    let metrics = gateway.settle("all came back", |metrics| metrics.sum("messages_delivered", &[]) == all);
    assert_eq!(metrics.sum("messages_received", &[]), all);
    assert_eq!(metrics.sum("messages_dropped", &[]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_wss_quic_and_webtransport_with_a_certificate_of_an_authority() {
    let config = r#"
[admin]
bind = "127.0.0.1:0"
[[listener]]
name = "tls"
bind = "127.0.0.1:0"
protocol = "tcp"
tls = { cert = "cert.pem", key = "key.pem" }
route = "echo"
[[listener]]
name = "mutual"
bind = "127.0.0.1:0"
protocol = "tcp"
tls = { cert = "cert.pem", key = "key.pem", client_ca = "ca.pem" }
route = "echo"
[[listener]]
name = "wss"
bind = "127.0.0.1:0"
protocol = "websocket"
tls = { cert = "cert.pem", key = "key.pem" }
route = "echo"
[[listener]]
name = "quic"
bind = "127.0.0.1:0"
protocol = "quic"
tls = { cert = "cert.pem", key = "key.pem" }
route = "echo"
[[listener]]
name = "webtransport"
bind = "127.0.0.1:0"
protocol = "webtransport"
tls = { cert = "cert.pem", key = "key.pem" }
route = "echo"
"#;
    let authority = Authority::default();
    let gateway = Gateway::prepare(config, &[("passthrough.wasm", artifact::plugin("passthrough"))])
        .with(|dir| authority.write(dir))
        .start();
    let at = |listener| gateway.address(listener);
    let big = vec![b'b'; 300_000];
    for mut client in [
        Client::tls(at("tls"), u32be(), authority.client(false)).await.unwrap(),
        Client::tls(at("mutual"), u32be(), authority.client(true)).await.unwrap(),
        Client::wss(at("wss"), "/", authority.client(false)).await.unwrap(),
        Client::quic_trusting(at("quic"), over_quic(authority.client(false))).await.unwrap(),
        Client::WebTransport(Box::new(
            Session::open(at("webtransport"), "/", authority.client(false)).await.unwrap(),
        )),
    ] {
        for message in [&b"over TLS"[..], &big] {
            client.send(message).await.unwrap();
            assert!(client.message().await.unwrap() == message);
        }
        client.close().await.unwrap();
    }
    // A client that trusts another authority says so; one without a certificate is not let in; neither becomes a session.
    let stranger = Authority::default();
    for listener in ["tls", "wss"] {
        Client::tls(at(listener), u32be(), stranger.client(false)).await.unwrap_err();
    }
    Client::quic_trusting(at("quic"), over_quic(stranger.client(false))).await.unwrap_err();
    Session::open(at("webtransport"), "/", stranger.client(false)).await.unwrap_err();
    // In TLS 1.3 the client has finished before the server looks at the certificate that is missing.
    if let Ok(mut client) = Client::tls(at("mutual"), u32be(), authority.client(false)).await {
        let _ = client.send(b"let me in").await;
        client.message().await.unwrap_err();
    }
    let metrics = gateway.settle("ends and refused handshakes", |metrics| {
        metrics.sum("sessions_closed", &[("reason", "client")]) == 5
            && metrics.sum("sessions_closed", &[("listener", "mutual"), ("reason", "protocol")]) == 1
            && metrics.sum("sessions_closed", &[]) >= 8
    });
    assert_eq!(metrics.sum("sessions_opened", &[]), 5);
    assert_eq!(metrics.sum("messages_delivered", &[]), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_see_where_a_webtransport_session_came_from() {
    let config = r#"
[admin]
bind = "127.0.0.1:0"
[[plugin]]
module = "enrich.wasm"
config.fields = { over = { attribute = "weir.transport" }, at = { attribute = "weir.path" }, alpn = { attribute = "weir.tls.alpn" } }
[[listener]]
name = "wt"
bind = "127.0.0.1:0"
protocol = "webtransport"
path = "/room"
kind = "text"
chain = ["enrich"]
route = "echo"
"#;
    let gateway = Gateway::start(config, &shipped());
    let mut client = Client::webtransport(gateway.address("wt"), "/room?token=a%20b").await.unwrap();
    client.send(b"{}").await.unwrap();
    let seen = r#"{"alpn":"h3","at":"/room?token=a%20b","over":"webtransport"}"#;
    assert_eq!(client.message().await.unwrap(), seen);
    client.close().await.unwrap();
    let error = Client::webtransport(gateway.address("wt"), "/room/").await.unwrap_err();
    assert!(format!("{error:#}").contains("404"), "{error:#}");
}
