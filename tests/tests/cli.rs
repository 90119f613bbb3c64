//! The command line: what it says, what it does, and the codes it exits with.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use weir_tests::certificate::Authority;
use weir_tests::command::{fixed_ports, weir, weir_reading};
use weir_tests::gateway::Prepared;
use weir_tests::{Gateway, artifact};

const LISTENER: &str =
    "[admin]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:0\"\nroute = \"echo\"\n";

fn dir_with(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    fs::write(dir.path().join("weir.toml"), config).unwrap();
    dir
}

#[test]
fn a_broken_config_is_shown_where_it_is_broken() {
    let dir = dir_with("[admin]\nbnd = \"127.0.0.1:0\"\n\n[log]\nlevel = \"inf\"\n");
    for command in ["run", "check"] {
        let done = weir(dir.path(), &[command]);
        assert_eq!((done.code, &*done.out), (2, ""));
        // Both errors at once, each with its place, its line, a mark under the word, and what was probably meant.
        for part in ["weir.toml:2:1", "2 │ bnd = \"127.0.0.1:0\"", "did you mean `bind`", "weir.toml:5:9"] {
            assert!(done.err.contains(part), "no {part:?} in:\n{}", done.err);
        }
        assert!(
            done.err.contains("5 │ level = \"inf\"") && done.err.contains("did you mean \"info\""),
            "{}",
            done.err
        );
        let mark =
            |line: &&str| line.trim_start().starts_with('·') && line.contains('─') && !line.contains('╰');
        let marks: Vec<_> = done.err.lines().filter(mark).collect();
        assert_eq!(marks.len(), 2, "{}", done.err);
    }
    let done = weir(dir.path(), &["run", "-c", "nowhere.toml"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("nowhere.toml"), "{}", done.err);
    fs::write(dir.path().join("weir.toml"), "[[listener]\nname = ").unwrap();
    let done = weir(dir.path(), &["check"]);
    assert!(done.code == 2 && done.err.contains("weir.toml:1:"), "{}", done.err);
}

#[test]
fn what_is_not_there_yet_says_so() {
    let tcp = format!("{LISTENER}protocol = \"tcp\"\n");
    let cluster = "[[cluster]]\nname = \"c\"\nprotocol = \"tcp\"\nendpoints = [\"127.0.0.1:1\"]\n";
    for (text, key) in [
        (format!("{tcp}proxy_protocol = \"v1v2\""), "proxy_protocol"),
        (format!("{cluster}sessions = \"shared\""), "sessions"),
        (format!("{cluster}balance = \"maglev\""), "balance"),
        ("[plugins.defaults]\ngrants = [\"wasi\"]".into(), "grants"),
    ] {
        let done = weir(dir_with(&text).path(), &["check"]);
        // The report is wrapped: words are what counts.
        let words = done.err.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert_eq!(done.code, 2, "{key}: {}", done.err);
        assert!(words.contains(key) && words.contains("is not available in this version of Weir"), "{words}");
    }
}

/// Whatever is wrong outside of the configuration's text: one line that names it, and exit code 1.
#[test]
fn what_a_start_lacks_is_one_clear_line() {
    let tcp_taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp_taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = tcp_taken.local_addr().unwrap().to_string();
    let udp = udp_taken.local_addr().unwrap().to_string();
    let on = |address: &str, protocol: &str| {
        format!("{LISTENER}protocol = \"{protocol}\"\n").replacen(
            "\"l\"\nbind = \"127.0.0.1:0\"",
            &format!("\"l\"\nbind = \"{address}\""),
            1,
        )
    };
    let plain = format!("{LISTENER}protocol = \"tcp\"\n");
    let tls = |cert: &str| format!("{plain}tls = {{ cert = \"{cert}\", key = \"key.pem\" }}\n");
    let admin =
        |more: &str| plain.replacen("[admin]\nbind = \"127.0.0.1:0\"", &format!("[admin]\n{more}"), 1);
    // The configuration, what the line names, and whether `check` finds it too.
    let cases: Vec<(String, Vec<&str>, bool)> = vec![
        (on(&tcp, "tcp"), vec!["\"l\"", &tcp, "in use"], false),
        (on(&tcp, "websocket"), vec!["\"l\"", &tcp, "in use"], false),
        (on(&udp, "quic"), vec!["\"l\"", &udp, "in use"], false),
        (on(&udp, "webtransport"), vec!["\"l\"", &udp, "in use"], false),
        (admin(&format!("bind = \"{tcp}\"")), vec!["admin", &tcp, "in use"], false),
        (
            admin("bind = \"127.0.0.1:0\"\ntoken_file = \"absent\""),
            vec!["token_file", "absent", "No such file"],
            true,
        ),
        (admin("bind = \"127.0.0.1:0\"\ntoken_file = \"short\""), vec!["short", "16 characters"], true),
        (tls("absent.pem"), vec!["\"l\"", "absent.pem", "No such file"], true),
        (tls("garbage.pem"), vec!["\"l\"", "garbage.pem"], true),
        (tls("other.pem"), vec!["\"l\"", "other.pem"], true),
        (format!("[plugins]\ndir = \"nowhere\"\n{plain}"), vec!["nowhere", "plugins.dir"], true),
        (
            format!("[[plugin]]\nname = \"p\"\nmodule = \"absent.wasm\"\n{plain}chain = [\"p\"]"),
            vec!["\"p\"", "absent.wasm", "is not there"],
            true,
        ),
        (
            format!("[[plugin]]\nname = \"p\"\nmodule = \"garbage.wasm\"\n{plain}chain = [\"p\"]"),
            vec!["\"p\""],
            true,
        ),
        (
            format!(
                "[[plugin]]\nname = \"p\"\nmodule = \"wordfilter.wasm\"\nconfig = {{ words = 5 }}\n{plain}chain = [\"p\"]"
            ),
            vec!["\"p\"", "words"],
            true,
        ),
    ];
    for (config, parts, check_too) in cases {
        let dir = dir_with(&config);
        Authority::default().write(dir.path());
        fs::write(dir.path().join("other.pem"), Authority::default().issue().0).unwrap();
        fs::write(dir.path().join("garbage.pem"), "no certificate").unwrap();
        fs::write(dir.path().join("short"), "secret").unwrap();
        fs::write(dir.path().join("plugins/garbage.wasm"), "no module").unwrap();
        fs::copy(artifact::plugin("wordfilter"), dir.path().join("plugins/wordfilter.wasm")).unwrap();
        for command in if check_too { &["run", "check"][..] } else { &["run"] } {
            let done = weir(dir.path(), &[command]);
            let lines = done.complaints();
            assert_eq!((done.code, lines.len()), (1, 1), "{command}\n{config}\n{}", done.err);
            for part in &parts {
                assert!(
                    lines[0].starts_with("weir: ") && lines[0].contains(part),
                    "no {part:?} in {:?}",
                    lines[0]
                );
            }
        }
    }
}

#[test]
fn check_tells_what_a_start_would_run() {
    let config = format!("{LISTENER}protocol = \"tcp\"\nchain = \"auto\"\n[runtime]\nworkers = 2\n");
    let dir = dir_with(&config);
    fs::copy(artifact::plugin("passthrough"), dir.path().join("plugins/10-passthrough.wasm")).unwrap();
    fs::write(dir.path().join("plugins/20-garbage.wasm"), "no module").unwrap();
    let done = weir(dir.path(), &["check"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("weir.toml: 1 listener, 0 clusters, 1 plugin, 2 workers"), "{}", done.out);
    assert!(done.out.contains("20-garbage gets no traffic: "), "{}", done.out);
    assert!(done.out.ends_with("ok\n"), "{}", done.out);
}

#[test]
fn with_no_configuration_it_listens_on_loopback_and_makes_its_plugin_directory() {
    let _ports = fixed_ports();
    let gateway = Prepared::empty().start();
    let listening: Vec<_> = gateway
        .log()
        .iter()
        .filter(|line| line["message"] == "listening")
        .map(|line| line["url"].clone())
        .collect();
    assert_eq!(listening, ["tcp://127.0.0.1:7000", "ws://127.0.0.1:7001/", "quic://127.0.0.1:7002"]);
    assert!(gateway.dir().join("plugins").is_dir());
    let made =
        gateway.wait_for_log("a certificate", |line| line["message"] == "self-signed certificate made");
    assert_eq!(made["sha256"].as_str().map(str::len), Some(64));
    let here = Path::new(".");
    let urls = ["tcp://127.0.0.1:7000", "ws://127.0.0.1:7001/", "quic://127.0.0.1:7002"];
    for url in urls {
        let done = weir(here, &["send", url, "hello", "--wait", "2"]);
        assert_eq!((done.code, &*done.out), (0, "hello\n"), "{url}: {}", done.err);
    }
    // Every plugin of the directory makes one chain, in the order of their names, with the settings beside them.
    fs::write(
        gateway.plugin_path("10-filter.toml"),
        "config = { words = [\"hello\"], action = \"mask\", binary = true }",
    )
    .unwrap();
    gateway.swap("20-enrich.wasm", &artifact::plugin("enrich"));
    gateway.swap("10-filter.wasm", &artifact::plugin("wordfilter"));
    let chains = |page: &serde_json::Value| {
        page["chains"][0]["chain"].as_array().map(|chain| {
            chain
                .iter()
                .map(|link| link["binding"].as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        })
    };
    weir_tests::wait_for("both to serve", || {
        chains(&gateway.plugins()) == Some(vec!["10-filter".into(), "20-enrich".into()])
    });
    for url in urls {
        let done = weir_reading(here, &["send", url, "--wait", "2"], "hello there\nsecond\n");
        assert_eq!((done.code, &*done.out), (0, "***** there\nsecond\n"), "{url}: {}", done.err);
    }
    let metrics = gateway.settle("all gone", |metrics| {
        metrics.sum("messages_delivered", &[]) == 9 && metrics.sum("sessions", &[]) == 0
    });
    assert_eq!(metrics.sum("messages_received", &[]), 9);
    assert_eq!(gateway.get("/healthz"), (200, "ok\n".into()));
}

#[test]
fn send_says_what_is_wrong() {
    let here = Path::new(".");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (args, part) in [
        (vec!["send".into(), format!("tcp://{nobody}"), "x".into()], "refused"),
        (vec!["send".into(), format!("ws://{nobody}/"), "x".into()], "refused"),
        (vec!["send".into(), "http://localhost/".into(), "x".into()], "http:// is not spoken here"),
        (vec!["send".into(), "tcp://localhost".into(), "x".into()], "no port"),
        (vec!["send".into(), format!("tcp://{nobody}"), "x".into(), "--framing=lines".into()], "no framing"),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = weir(here, &args);
        assert_eq!((done.code, done.complaints().len()), (1, 1), "{args:?}: {}", done.err);
        assert!(done.err.starts_with("weir: ") && done.err.contains(part), "{args:?}: {}", done.err);
    }
    let config = "[admin]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nkind = \"text\"\n\
                  framing = { type = \"line\", max = 10 }\nroute = \"echo\"\n";
    let gateway = Gateway::start(config, &[]);
    let url = format!("tcp://{}", gateway.address("l"));
    let done = weir_reading(here, &["send", &url, "--framing", "line", "--wait", "2"], "one\n\ntwo\n");
    assert_eq!((done.code, &*done.out), (0, "one\n\ntwo\n"), "{}", done.err);
    let done = weir(here, &["send", &url, "--framing", "line", "--wait", "0", "much longer than ten"]);
    assert!(done.err.contains("closed by the other side"), "{}", done.err);
    let metrics = gateway.settle("both gone", |metrics| metrics.sum("sessions_closed", &[]) == 2);
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "message_too_long")]), 1);
    assert_eq!(metrics.sum("messages_delivered", &[]), 3);
}

#[test]
fn a_new_plugin_builds_and_serves() {
    let dir = tempfile::tempdir().unwrap();
    let done = weir(dir.path(), &["plugin", "new", "my-filter"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let again = weir(dir.path(), &["plugin", "new", "my-filter"]);
    assert!(again.code == 1 && again.err.contains("is there already"), "{}", again.err);
    // What is in the lock file of the shipped plugins is what has been downloaded.
    let lock = dir.path().join("my-filter/Cargo.lock");
    fs::copy(artifact::root().join("plugins/Cargo.lock"), lock).unwrap();
    let config = format!("{LISTENER}protocol = \"tcp\"\n");
    let gateway = Gateway::start(&config, &[]);
    let plugins = gateway.dir().join("plugins").display().to_string();
    fs::write(gateway.plugin_path("my_filter.toml"), "config = { longest = 5 }").unwrap();
    let cases = dir.path().join("my-filter/tests/short.case");
    fs::create_dir(dir.path().join("my-filter/tests")).unwrap();
    fs::write(
        &cases,
        "case long ones go\nconfig {\"longest\": 5}\n> short\n= forward\n> longer\n= drop too-long\n",
    )
    .unwrap();
    let done = weir(dir.path(), &["plugin", "build", "my-filter", "--out", &plugins]);
    assert_eq!(done.code, 0, "{}", done.err);
    let built = gateway.plugin_path("my_filter.wasm").display().to_string();
    let done = weir(dir.path(), &["plugin", "inspect", &built]);
    for part in ["my-filter 0.1.0", "weir:plugin ", "no grants", "\"longest\"", "inbound", "cases       1"] {
        assert!(done.code == 0 && done.out.contains(part), "no {part:?} in {}{}", done.out, done.err);
    }
    let json: serde_json::Value =
        serde_json::from_str(&weir(dir.path(), &["plugin", "inspect", "--json", &built]).out).unwrap();
    assert_eq!(json["manifest"]["name"], "my-filter");
    weir_tests::wait_for("it to serve", || {
        gateway.binding("my_filter").is_some_and(|binding| binding["serving"]["generation"] == 1)
    });
    let url = format!("tcp://{}", gateway.address("l"));
    let done = weir_reading(dir.path(), &["send", &url, "--wait", "2"], "short\nlonger\nlast\n");
    assert_eq!(done.out, "short\nlast\n", "{}", done.err);
    let metrics = gateway.settle("all seen", |metrics| metrics.sum("messages_received", &[]) == 3);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin")]), 1);

    let done = weir(dir.path(), &["plugin", "test", "my-filter"]);
    assert!(done.code == 0 && done.out.contains("ok      long ones go"), "{}{}", done.out, done.err);
    fs::write(&cases, "case wrong\n> short\n= drop too-short\n").unwrap();
    let done = weir(dir.path(), &["plugin", "test", &built, &cases.display().to_string()]);
    let told = "FAILED  wrong: line 2, `> short`: expected `drop too-short`, got `forward`";
    assert!(done.code == 1 && done.out.contains(told), "{}{}", done.out, done.err);

    let refused = weir(dir.path(), &["plugin", "inspect", "my-filter/Cargo.toml"]);
    assert_eq!((refused.code, refused.complaints().len()), (1, 1), "{}", refused.err);
    let nothing = weir(dir.path(), &["plugin", "build", "."]);
    assert!(nothing.code == 1 && nothing.err.contains("no Cargo.toml"), "{}", nothing.err);
}
