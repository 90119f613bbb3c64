//! A gateway with one plugin, and how it is given orders.

use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use weir_tests::client::{Client, u32be};
use weir_tests::command::{Done, weir};
use weir_tests::stamp::Swap;
use weir_tests::{Gateway, wait_for};

/// The configuration: `general` stands before the first table, `keys` are the plugin's.
pub(crate) fn config(general: &str, keys: &str) -> String {
    format!(
        "admin.bind = \"127.0.0.1:0\"\nruntime.workers = 2\n{general}\n\
         [[plugin]]\nname = \"p\"\nmodule = \"p.wasm\"\n{keys}\n\
         [[listener]]\nname = \"l\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nkind = \"text\"\nroute = \"echo\"\n\
         chain = [\"p\"]\n"
    )
}

/// A gateway that echoes through the binding `p`, and writes `audit.jsonl`.
pub(crate) fn start(keys: &str, file: &[u8]) -> Gateway {
    start_as(&config("plugins.audit = \"audit.jsonl\"", keys), file)
}

pub(crate) fn start_as(config: &str, file: &[u8]) -> Gateway {
    Gateway::prepare(config, &[])
        .with(|dir| fs::write(dir.join("plugins/p.wasm"), file).expect("a file"))
        .start()
}

/// The same directory, another process.
pub(crate) fn restart(gateway: Gateway) -> Gateway {
    gateway.signal("INT");
    gateway.again()
}

/// `weir plugin WHAT p ARGS`.
pub(crate) fn order(gateway: &Gateway, what: &str, args: &[&str]) -> Done {
    let admin = format!("http://{}", gateway.admin());
    weir(gateway.dir(), &[&["plugin", what, "p", "--admin", &admin], args].concat())
}

/// The same, which is carried out; gives what it said.
pub(crate) fn ordered(gateway: &Gateway, what: &str, args: &[&str]) -> String {
    let done = order(gateway, what, args);
    assert_eq!(done.code, 0, "{what}: {done:?}");
    done.out
}

/// The same, which is refused; gives why.
pub(crate) fn refused(gateway: &Gateway, what: &str) -> String {
    let done = order(gateway, what, &[]);
    assert_eq!((done.code, &*done.out), (1, ""), "{what}: {done:?}");
    done.err
}

/// A request without a body, with more lines for its head.
pub(crate) fn ask(gateway: &Gateway, request: &str, head: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(gateway.admin()).expect("the admin server");
    let host = if head.contains("Host:") { "" } else { "Host: localhost\r\n" };
    write!(stream, "{request} HTTP/1.1\r\n{host}Connection: close\r\n{head}Content-Length: 0\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

pub(crate) fn post(gateway: &Gateway, what: &str) -> (u16, Value) {
    ask(gateway, &format!("POST /v1/plugins/p/{what}"), "")
}

pub(crate) async fn connect(gateway: &Gateway) -> Client {
    Client::tcp(gateway.address("l"), u32be()).await.expect("a session")
}

/// What comes back for `x`.
pub(crate) async fn say(client: &mut Client) -> String {
    client.send(b"x").await.expect("sent");
    hear(client).await
}

pub(crate) async fn hear(client: &mut Client) -> String {
    String::from_utf8(client.message().await.expect("an answer").to_vec()).expect("text")
}

pub(crate) fn binding(gateway: &Gateway) -> Value {
    gateway.binding("p").expect("it is there")
}

/// Replaces the plugin's file, and waits until that has led to this state.
pub(crate) fn swap(gateway: &Gateway, file: &[u8], state: &str) {
    let before = binding(gateway)["offered"].clone();
    Swap::Rename.apply(gateway, "p.wasm", file);
    wait_for(state, || {
        let now = binding(gateway);
        // The workers have it too, where a chain has it.
        let link = gateway.plugins()["chains"][0]["chain"][0].clone();
        let published = link.is_null() || link["generation"] == now["serving"]["generation"];
        now["offered"] != before && now["state"] == state && published
    });
}

/// The audit log.
pub(crate) fn audit(gateway: &Gateway) -> Vec<Value> {
    let text = fs::read_to_string(gateway.dir().join("audit.jsonl")).expect("an audit log");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Event, generation and by whom, line by line.
pub(crate) fn events(gateway: &Gateway) -> Vec<String> {
    let word = |line: &Value| {
        let generation = line["generation"].as_u64().map_or(String::new(), |number| format!(" {number}"));
        format!(
            "{}{generation} by {}",
            line["event"].as_str().expect("an event"),
            line["by"].as_str().expect("by")
        )
    };
    audit(gateway).iter().map(word).collect()
}
