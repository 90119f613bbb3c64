//! The configuration changes while sessions are open.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use weir_tests::client::{Client, u32be};
use weir_tests::{Gateway, artifact, stamp, wait_for};

fn config(binding: &str, chain: &str, more: &str) -> String {
    format!(
        "admin.bind = \"127.0.0.1:0\"\nruntime.workers = 2\n{more}\n\
         [[plugin]]\nname = \"stamp\"\nmodule = \"stamp.wasm\"\n{binding}\n\
         [[listener]]\nname = \"tcp\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nroute = \"echo\"\nchain = {chain}\n"
    )
}

fn start(config: &str) -> Gateway {
    let prepared = Gateway::prepare(config, &[("liar.wasm", artifact::guest("liar"))]);
    prepared
        .with(|dir| fs::write(dir.join("plugins/stamp.wasm"), stamp::version(1)).expect("a plugin"))
        .start()
}

fn rewrite(gateway: &Gateway, config: &str) {
    let part = gateway.dir().join(".weir.toml.part");
    fs::write(&part, config).expect("written");
    fs::rename(part, gateway.dir().join("weir.toml")).expect("renamed");
}

/// `POST /v1/config/reload`: the status and the answer.
fn reload(gateway: &Gateway, header: &str) -> (u16, serde_json::Value) {
    let line = gateway.wait_for_log("admin", |line| line["message"] == "admin");
    let address = line["address"].as_str().and_then(|text| text.strip_prefix("http://")).expect("an address");
    let mut stream = TcpStream::connect(address).expect("the admin server");
    write!(stream, "POST /v1/config/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}Content-Length: 0\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// Writes a configuration and has it read; gives what changed live, and what waits, as the log says it: whoever watches the file may
/// have been faster than whoever asks.
fn take_up(gateway: &Gateway, config: &str) -> (String, String) {
    let lines = |message: &str| {
        let log = gateway.log();
        log.into_iter().filter(|line| line["message"] == message).collect::<Vec<_>>()
    };
    let count = || lines("configuration reloaded").len();
    let before = count();
    let waiting = "some of the configuration waits for a restart: it is as it was";
    let waited = lines(waiting).len();
    rewrite(gateway, config);
    let (status, answer) = reload(gateway, "");
    assert_eq!(status, 200, "{answer}");
    wait_for("it is taken up", || count() > before);
    let line = &lines("configuration reloaded")[before];
    let restart =
        lines(waiting).get(waited).map(|line| line["restart"].as_str().unwrap_or_default().to_owned());
    (line["live"].as_str().expect("a list").to_owned(), restart.unwrap_or_default())
}

async fn ask(client: &mut Client, text: &str) -> String {
    client.send(text.as_bytes()).await.expect("sent");
    String::from_utf8(client.message().await.expect("an answer").to_vec()).expect("text")
}

fn generation(gateway: &Gateway) -> u64 {
    gateway.binding("stamp").expect("known")["serving"]["generation"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_chains_and_limits_change_while_sessions_are_open() {
    let gateway = start(&config("", "[\"stamp\"]", ""));
    let mut client = Client::tcp(gateway.address("tcp"), u32be()).await.expect("a session");
    assert_eq!(ask(&mut client, "x").await, "x<1>1");

    // A budget: another generation of the same file.
    let (live, restart) = take_up(&gateway, &config("memory = \"4MiB\"\nmax_effects = 3", "[\"stamp\"]", ""));
    assert_eq!((&*live, &*restart), ("changed plugin \"stamp\" (live)", ""));
    assert_eq!(generation(&gateway), 2);
    assert_eq!(ask(&mut client, "x").await, "x<1>1");

    // A chain and limits at once; what needs a restart is named, and stays as it was.
    let more =
        "log.level = \"debug\"\n[[cluster]]\nname = \"c\"\nprotocol = \"tcp\"\nendpoints = [\"127.0.0.1:1\"]";
    let limits = "limits = { queue = \"64KiB\", connections = 9 }";
    let (live, restart) = take_up(&gateway, &format!("{}{limits}", config("", "[]", more)));
    for named in ["[log]", "added cluster \"c\"", "listener \"tcp\": limits of its sockets"] {
        assert!(restart.contains(named), "{restart}");
    }
    for named in ["listener \"tcp\": chain", "listener \"tcp\": limits (live)", "plugin \"stamp\""] {
        assert!(live.contains(named), "{live}");
    }
    wait_for("no plugin is met", || {
        gateway.plugins()["chains"][0]["chain"].as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(ask(&mut client, "x").await, "x");

    // The same again is nothing new, but for what waits.
    let (status, answer) = reload(&gateway, "");
    assert_eq!((status, &answer["live"]), (200, &serde_json::json!([])), "{answer}");
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_delivered", &[]) == 3);
    assert_eq!(metrics.sum("sessions_closed", &[]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_changes_nothing() {
    let gateway = start(&config("", "[\"stamp\"]", ""));
    let mut client = Client::tcp(gateway.address("tcp"), u32be()).await.expect("a session");
    let good = config("deadline = \"20ms\"", "[\"stamp\"]", "");
    for (wrong, why) in [
        (good.replace("20ms", "20 parsecs"), "weir.toml:7:"),
        (good.replace("[[plugin]]", "[[plugin"), "not TOML"),
        // The listener's chain is right, the plugin is there, and its config is none that it takes.
        (
            good.replace("deadline", "config = { a = 1 }\ndeadline"),
            "plugin \\\"stamp\\\": its config does not fit",
        ),
        // Of two changes one cannot be.
        (
            good.replace(
                "[[listener]]",
                "[[plugin]]\nname = \"other\"\nmodule = \"nowhere.wasm\"\n[[listener]]",
            )
            .replace("[\"stamp\"]", "[\"stamp\", \"other\"]"),
            "nowhere.wasm",
        ),
        (
            good.replace("[[listener]]", "[[plugin]]\nname = \"liar\"\nmodule = \"liar.wasm\"\n[[listener]]")
                .replace("[\"stamp\"]", "[\"liar\", \"stamp\"]"),
            "does not grant: add grants",
        ),
    ] {
        rewrite(&gateway, &wrong);
        let (status, answer) = reload(&gateway, "");
        assert_eq!((status, &answer["result"]), (409, &"refused".into()), "{answer}");
        assert!(answer["error"].to_string().contains(why), "{why}: {answer}");
        assert_eq!(generation(&gateway), 1, "{why}");
        assert_eq!(ask(&mut client, "x").await, "x<1>1", "{why}");
    }
    gateway.wait_for_log("it is logged", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("configuration not reloaded"))
    });
    // A page of some site in the operator's browser.
    assert_eq!(reload(&gateway, "Origin: https://evil.example\r\n").0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_and_the_file_itself_are_enough() {
    let gateway = start(&config("", "[\"stamp\"]", ""));
    let mut client = Client::tcp(gateway.address("tcp"), u32be()).await.expect("a session");
    // Nobody says anything: the file is watched.
    rewrite(&gateway, &config("", "[]", ""));
    wait_for("the chain is empty", || {
        gateway.plugins()["chains"][0]["chain"].as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(ask(&mut client, "x").await, "x");
    // A drop-in, and a signal.
    fs::create_dir(gateway.dir().join("conf.d")).expect("a directory");
    fs::write(gateway.dir().join("conf.d/10-rates.toml"), "plugins.defaults.log_rate = 7\n")
        .expect("written");
    gateway.signal("HUP");
    gateway.wait_for_log("the drop-in", |line| {
        line["message"] == "configuration reloaded" && line["live"].to_string().contains("[plugins.defaults]")
    });
    let metrics = gateway.settle("it lives", |metrics| metrics.sum("messages_delivered", &[]) == 1);
    assert_eq!(metrics.sum("sessions_closed", &[]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_became_of_it() {
    let socket = "admin.bind = \"unix:admin.sock\"";
    let text = config("", "[\"stamp\"]", "").replace("admin.bind = \"127.0.0.1:0\"", socket);
    let gateway = start(&text);
    let command = || {
        let command = Command::new(artifact::weir())
            .args(["reload", "-c", "weir.toml"])
            .current_dir(gateway.dir())
            .output();
        let output = command.expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    assert_eq!(command(), (Some(0), "unchanged\n".to_owned()));
    rewrite(&gateway, &text.replace("[\"stamp\"]", "[]"));
    let (code, said) = command();
    // The watcher may have been faster.
    assert!(
        code == Some(0) && (said == "unchanged\n" || said.contains("listener \"tcp\": chain (live)")),
        "{said}"
    );
    rewrite(&gateway, &text.replace("echo", "nowhere"));
    let (code, said) = command();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("nowhere"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_come_and_go_are_forgotten() {
    let text = config("", "[\"stamp\"]", "plugins.forget_after = \"1s\"");
    let gateway = start(&text);
    for number in 0..5 {
        fs::write(gateway.plugin_path(&format!("guest-{number}.wasm")), stamp::version(2)).expect("written");
    }
    wait_for("they are there", || gateway.binding("guest-4").is_some());
    for number in 0..5 {
        let _ = fs::remove_file(gateway.plugin_path(&format!("guest-{number}.wasm")));
    }
    fs::remove_file(gateway.plugin_path("stamp.wasm")).expect("removed");
    wait_for("they are forgotten", || {
        (0..5).all(|number| gateway.binding(&format!("guest-{number}")).is_none())
    });
    assert!(gateway.binding("stamp").is_some(), "a chain names it");
    assert_eq!(gateway.binding("stamp").expect("known")["state"], "missing");
}
