//! Weir, as it is measured: one worker, on the first core, pings off, the access log off.

use crate::dialect::Dialect;
use crate::process::SERVED;
use crate::site::{Running, Site};
use crate::{WEIR, WEIR_PLUGIN};
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use weir_tests::{Gateway, artifact, process};

/// What all listeners here have.
const LISTENER: &str =
    "limits.ping_interval = \"0s\"\nlimits.idle_timeout = \"20m\"\nlimits.accept_rate = 100_000\n";
const WEBSOCKET: &str = "protocol = \"websocket\"\n";
const RAW: &str = "protocol = \"tcp\"\nframing = { type = \"raw\", max = \"64KiB\" }\n";
const LINES: &str = "protocol = \"tcp\"\nkind = \"text\"\nframing = { type = \"line\", max = \"64KiB\" }\n";

/// Starts a gateway on its core. A failure of its start is a panic of the tests' own gateway: the caller catches it.
pub(crate) fn start(more: &str, plugins: &[(&str, PathBuf)]) -> Gateway {
    let config = format!(
        "[runtime]\nworkers = 1\n[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\naccess = \"off\"\n\
         [overload]\nenabled = false\n{more}"
    );
    let gateway = Gateway::start(&config, plugins);
    process::pin(gateway.pid(), SERVED);
    gateway
}

fn listener(name: &str, bind: &str, protocol: &str, chain: &str, route: &str, join: &str) -> String {
    format!(
        "[[listener]]\nname = \"{name}\"\nbind = \"{bind}:0\"\n{protocol}chain = [{chain}]\nroute = \"{route}\"\n\
         join = [{join}]\n{LISTENER}"
    )
}

fn passthrough() -> (&'static str, PathBuf) {
    ("passthrough.wasm", artifact::plugin("passthrough"))
}

const BINDING: &str = "[[plugin]]\nname = \"passthrough\"\nmodule = \"passthrough.wasm\"\n";

/// Echo and groups, with a plugin in the chain and without; and idle sessions.
pub(crate) fn servers() -> Vec<Site> {
    let local = "127.0.0.1";
    let config = [
        BINDING.to_owned(),
        listener("echo", local, WEBSOCKET, "", "echo", ""),
        listener("echo-plugin", local, WEBSOCKET, "\"passthrough\"", "echo", ""),
        listener("publish", local, WEBSOCKET, "", "group:one", ""),
        listener("join", local, WEBSOCKET, "", "drop", "\"one\""),
        listener("publish-plugin", local, WEBSOCKET, "\"passthrough\"", "group:two", ""),
        listener("join-plugin", local, WEBSOCKET, "\"passthrough\"", "drop", "\"two\""),
    ]
    .concat();
    let gateway = start(&config, &[passthrough()]);
    let at = |name: &str| Dialect::websocket(gateway.address(name), "/");
    let (echo, with) = (at("echo"), at("echo-plugin"));
    let (group, group_with) = ((at("publish"), at("join")), (at("publish-plugin"), at("join-plugin")));
    let idle = at("echo");
    let running = Rc::new(Running::Weir(Box::new(gateway)));
    vec![
        Site::new(WEIR, Rc::clone(&running)).talk(echo).group(group.0, group.1).idle(idle),
        Site::new(WEIR_PLUGIN, running).talk(with).group(group_with.0, group_with.1),
    ]
}

/// Opaque bytes to a service.
pub(crate) fn bytes(backend: SocketAddr) -> Vec<Site> {
    let config = [
        listener("bytes", "127.0.0.1", RAW, "", "service", ""),
        format!("[[cluster]]\nname = \"service\"\n{RAW}endpoints = [\"{backend}\"]\n"),
    ]
    .concat();
    let gateway = start(&config, &[]);
    let talk = Dialect::prefixed(gateway.address("bytes"));
    vec![Site::new(WEIR, Rc::new(Running::Weir(Box::new(gateway)))).talk(talk)]
}

/// WebSocket to a service that speaks it.
pub(crate) fn web(backend: SocketAddr) -> Vec<Site> {
    let config = [
        BINDING.to_owned(),
        listener("web", "127.0.0.1", WEBSOCKET, "", "service", ""),
        listener("web-plugin", "127.0.0.1", WEBSOCKET, "\"passthrough\"", "service", ""),
        format!("[[cluster]]\nname = \"service\"\n{WEBSOCKET}endpoints = [\"{backend}\"]\n"),
    ]
    .concat();
    let gateway = start(&config, &[passthrough()]);
    let at = |name: &str| Dialect::websocket(gateway.address(name), "/");
    let (talk, with) = (at("web"), at("web-plugin"));
    let running = Rc::new(Running::Weir(Box::new(gateway)));
    vec![Site::new(WEIR, Rc::clone(&running)).talk(talk), Site::new(WEIR_PLUGIN, running).talk(with)]
}

/// Lines of JSON through a plugin to two services.
pub(crate) fn script(a: SocketAddr, b: SocketAddr) -> Result<Vec<Site>> {
    let plugin = crate::process::made(
        "native/weir-filter/wasm32-unknown-unknown/release/scripted.wasm",
        "weir_filter",
    )?;
    let cluster = |name: &str, endpoint: SocketAddr| {
        format!("[[cluster]]\nname = \"{name}\"\n{LINES}endpoints = [\"{endpoint}\"]\n")
    };
    let config = [
        "[[plugin]]\nname = \"scripted\"\nmodule = \"scripted.wasm\"\n".to_owned(),
        listener("lines", "127.0.0.1", LINES, "\"scripted\"", "a", ""),
        cluster("a", a),
        cluster("b", b),
    ]
    .concat();
    let gateway = start(&config, &[("scripted.wasm", plugin)]);
    let talk = Dialect::bytes(gateway.address("lines"));
    Ok(vec![Site::new(WEIR_PLUGIN, Rc::new(Running::Weir(Box::new(gateway)))).talk(talk)])
}

/// `weir 0.1.0`.
pub(crate) fn version() -> Result<String> {
    let output = std::process::Command::new(artifact::weir()).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().last().map(str::to_owned).context("a version")
}
