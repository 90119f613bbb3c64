//! Servers that echo and have groups: bun, Node with ws, nats-server, sockudo, pushpin; and mosquitto, for idle sessions.

use crate::dialect::Dialect;
use crate::process::{LOAD, Process, SERVED, configure, directory, free_port, made, peers, program, sources};
use crate::site::{Running, Site};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

fn script(name: &str) -> String {
    sources().join("scripts").join(name).display().to_string()
}

/// It takes milliseconds to let somebody in, so it has a smaller part where there are many.
pub(crate) const PUSHPIN: &str = "pushpin";

/// The one that npm has.
pub(crate) fn bun_program() -> Result<PathBuf> {
    made("node/node_modules/bun/bin/bun.exe", "npm_peers")
        .or_else(|_| made("node/node_modules/.bin/bun", "npm_peers"))
}

/// An echo of WebSocket on a core: also the service behind the proxies.
pub(crate) fn bun_on(core: usize, name: &str) -> Result<(Process, u16)> {
    let port = free_port();
    let dir = directory(name)?;
    let mut process =
        Process::start(core, &dir, &bun_program()?, &[&script("bun-server.js"), &port.to_string()], &[])?;
    process.answers(port)?;
    Ok((process, port))
}

pub(crate) fn bun() -> Result<Vec<Site>> {
    let (process, port) = bun_on(SERVED, "bun")?;
    Ok(vec![rooms("bun", process, port)])
}

pub(crate) fn ws() -> Result<Vec<Site>> {
    made("node/node_modules/ws/package.json", "npm_peers")?;
    let port = free_port();
    let modules = peers().join("node").display().to_string();
    let mut process = Process::start(
        SERVED,
        &directory("ws")?,
        &program("node")?,
        &[&script("node-server.mjs"), &port.to_string(), &modules],
        &[],
    )?;
    process.answers(port)?;
    Ok(vec![rooms("Node ws", process, port)])
}

/// A server whose paths are those of our scripts.
fn rooms(name: &'static str, process: Process, port: u16) -> Site {
    let at = |path| Dialect::websocket(([127, 0, 0, 1], port).into(), path);
    Site::new(name, Rc::new(Running::Peer(process, Vec::new())))
        .talk(at("/"))
        .group(at("/publish"), at("/join"))
        .idle(at("/"))
}

pub(crate) fn nats() -> Result<Vec<Site>> {
    let nats = program("nats-server")?;
    let dir = directory("nats")?;
    let (port, tcp) = (free_port(), free_port());
    let words = [("port", port.to_string()), ("tcp", tcp.to_string())];
    let file = configure("nats.conf", &dir, &words)?;
    let mut process = Process::start(SERVED, &dir, &nats, &["-c", &file.display().to_string()], &[])?;
    let address = process.answers(port)?;
    Ok(vec![
        Site::new("nats-server", Rc::new(Running::Peer(process, Vec::new())))
            .talk(Dialect::nats_echo(address))
            .group(Dialect::nats_publish(address), Dialect::nats_member(address))
            .idle(Dialect::nats_member(address)),
    ])
}

pub(crate) fn mosquitto() -> Result<Vec<Site>> {
    let mosquitto = program("mosquitto")?;
    let dir = directory("mosquitto")?;
    let port = free_port();
    let file = configure("mosquitto.conf", &dir, &[("port", port.to_string())])?;
    let mut process = Process::start(SERVED, &dir, &mosquitto, &["-c", &file.display().to_string()], &[])?;
    let address = process.answers(port)?;
    let running = Rc::new(Running::Peer(process, Vec::new()));
    Ok(vec![Site::new("mosquitto", running).idle(Dialect::mqtt_member(address))])
}

/// Publishes as Pusher's services do, by signed requests: a signature holds for ten minutes, so one is made for each payload.
pub(crate) fn sockudo() -> Result<Vec<Site>> {
    let sockudo = made("sockudo/bin/sockudo", "sockudo")?;
    let dir = directory("sockudo")?;
    let port = free_port();
    let file =
        configure("sockudo.toml", &dir, &[("port", port.to_string()), ("metrics", free_port().to_string())])?;
    let mut process = Process::start(
        SERVED,
        &dir,
        &sockudo,
        &["--config", &file.display().to_string()],
        &[("RUST_LOG", "error".to_owned())],
    )?;
    let address = process.answers(port)?;
    let publish = Dialect::requests(address, move |payload| {
        let text = String::from_utf8_lossy(payload).into_owned();
        let body = serde_json::json!({ "name": "message", "channel": "group", "data": text }).to_string();
        let path = Command::new("node")
            .args([&script("sign.mjs"), "/apps/bench/events", &body])
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
            .unwrap_or_default();
        post(&path, &body)
    });
    Ok(vec![
        Site::new("sockudo", Rc::new(Running::Peer(process, Vec::new())))
            .group(publish, Dialect::pusher_member(address))
            .idle(Dialect::pusher_member(address)),
    ])
}

/// Publishes by its port of `ZeroMQ`, because its HTTP port takes one request a connection; the service behind it subscribes who comes.
pub(crate) fn pushpin() -> Result<Vec<Site>> {
    let pushpin = program(PUSHPIN)?;
    let dir = directory(PUSHPIN)?;
    for sub in ["run", "log", "lib"] {
        fs::create_dir_all(dir.join(sub))?;
    }
    // Debian's goes to a zurl of the system; this one starts its own.
    let library = peers().join("debian/usr/lib/pushpin");
    let internal = fs::read_to_string(library.join("internal.conf"))?
        .replace("ipc:///var/run/zurl/zurl-", "ipc://{rundir}/{ipc_prefix}zurl-");
    fs::write(dir.join("lib/internal.conf"), internal)?;
    std::os::unix::fs::symlink(library.join("runner"), dir.join("lib/runner"))?;
    let (port, service, control) = (free_port(), free_port(), free_port());
    let words = [
        ("port", port.to_string()),
        ("service", service.to_string()),
        ("control", control.to_string()),
        ("http", free_port().to_string()),
    ];
    let file = configure("pushpin.conf", &dir, &words)?;
    configure("routes", &dir, &words)?;
    let mut origin = Process::start(
        LOAD,
        &dir,
        &program("node")?,
        &[&script("pushpin-origin.mjs"), &service.to_string()],
        &[],
    )?;
    origin.answers(service)?;
    let mut process =
        Process::start(SERVED, &dir, &pushpin, &["--config", &file.display().to_string()], &[])?;
    let address = process.answers(port)?;
    let control = process.answers(control)?;
    let publish = Dialect::zeromq(control, |payload| {
        let text = String::from_utf8_lossy(payload).into_owned();
        let item = serde_json::json!({
            "channel": "group", "formats": { "ws-message": { "content": text } }
        });
        format!("J{item}")
    });
    Ok(vec![
        Site::new(PUSHPIN, Rc::new(Running::Peer(process, vec![origin])))
            .group(publish, Dialect::pushpin_member(address))
            .idle(Dialect::pushpin_member(address)),
    ])
}

fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The first line of what a program says of its version.
pub(crate) fn version(program: &std::path::Path, argument: &str) -> Result<String> {
    let libraries = peers().join("debian/usr/lib/x86_64-linux-gnu");
    let output = Command::new(program).arg(argument).env("LD_LIBRARY_PATH", libraries).output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned()).context("a version")
}
