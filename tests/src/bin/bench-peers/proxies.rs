//! Proxies for bytes and for WebSocket, and scripts in them.

use crate::dialect::Dialect;
use crate::process::{Process, SERVED, configure, directory, free_port, made, program, sources};
use crate::servers::bun_program;
use crate::site::{Running, Site};
use anyhow::Result;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What a proxy leads to: bytes, and WebSocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Services {
    pub(crate) bytes: SocketAddr,
    pub(crate) other: SocketAddr,
    pub(crate) web: SocketAddr,
}

/// Which of a proxy's ports is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bytes,
    Web,
    Script,
}

/// Where a started proxy listens.
struct Ports {
    bytes: u16,
    web: u16,
    script: u16,
}

impl Ports {
    fn free() -> Self {
        Self { bytes: free_port(), web: free_port(), script: free_port() }
    }

    fn words(&self, services: Services) -> Vec<(&'static str, String)> {
        vec![
            ("port", self.bytes.to_string()),
            ("web", self.web.to_string()),
            ("script", self.script.to_string()),
            ("backend", services.bytes.port().to_string()),
            ("web_backend", services.web.port().to_string()),
        ]
    }

    fn talk(&self, kind: Kind) -> Dialect {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        match kind {
            Kind::Bytes => Dialect::prefixed(at(self.bytes)),
            Kind::Web => Dialect::websocket(at(self.web), "/"),
            Kind::Script => Dialect::bytes(at(self.script)),
        }
    }
}

fn site(name: &'static str, process: Process, ports: &Ports, kind: Kind) -> Vec<Site> {
    vec![Site::new(name, Rc::new(Running::Peer(process, Vec::new()))).talk(ports.talk(kind))]
}

/// The configuration of `HAProxy` for all but scripts.
pub(crate) fn haproxy_files(dir: &Path, words: &[(&str, String)]) -> Result<PathBuf> {
    configure("haproxy.cfg", dir, words)
}

pub(crate) fn haproxy(services: Services, kind: Kind) -> Result<Vec<Site>> {
    let haproxy = program("haproxy")?;
    let dir = directory(&format!("haproxy-{kind:?}"))?;
    let mut ports = Ports::free();
    let file = if kind == Kind::Script {
        ports.script = ports.bytes;
        configure("haproxy-script.cfg", &dir, &ports.words(services))?
    } else {
        haproxy_files(&dir, &ports.words(services))?
    };
    // -db: stays in front.
    let mut process =
        Process::start(SERVED, &dir, &haproxy, &["-db", "-f", &file.display().to_string()], &[])?;
    process.answers(ports.bytes)?;
    let name = if kind == Kind::Script { "HAProxy + Lua" } else { "HAProxy" };
    Ok(site(name, process, &ports, kind))
}

pub(crate) fn nginx(services: Services, kind: Kind) -> Result<Vec<Site>> {
    let nginx = program("nginx")?;
    let dir = directory(&format!("nginx-{kind:?}"))?;
    let ports = Ports::free();
    let file = configure("nginx.conf", &dir, &ports.words(services))?;
    let arguments = ["-p", &dir.display().to_string(), "-e", "stderr", "-c", &file.display().to_string()]
        .map(str::to_owned);
    let mut process = Process::start(SERVED, &dir, &nginx, &arguments.each_ref().map(String::as_str), &[])?;
    process.answers(ports.web)?;
    let name = if kind == Kind::Script { "nginx + njs" } else { "nginx" };
    Ok(site(name, process, &ports, kind))
}

/// WebSocket alone.
pub(crate) fn caddy(services: Services) -> Result<Vec<Site>> {
    let caddy = program("caddy")?;
    let dir = directory("caddy")?;
    let mut ports = Ports::free();
    ports.bytes = ports.web;
    let words = [("port", ports.web.to_string()), ("backend", services.web.port().to_string())];
    let file = configure("Caddyfile", &dir, &words)?;
    let arguments =
        ["run", "--adapter", "caddyfile", "--config", &file.display().to_string()].map(str::to_owned);
    let mut process = Process::start(SERVED, &dir, &caddy, &arguments.each_ref().map(String::as_str), &[])?;
    process.answers(ports.web)?;
    Ok(site("caddy", process, &ports, Kind::Web))
}

pub(crate) fn pingora(services: Services, kind: Kind) -> Result<Vec<Site>> {
    let pingora = made("native/pingora/release/peer-pingora", "pingora")?;
    let ports = Ports::free();
    let arguments =
        [ports.bytes, services.bytes.port(), ports.web, services.web.port()].map(|port| port.to_string());
    let mut process = Process::start(
        SERVED,
        &directory(&format!("pingora-{kind:?}"))?,
        &pingora,
        &arguments.each_ref().map(String::as_str),
        &[],
    )?;
    process.answers(ports.bytes)?;
    process.answers(ports.web)?;
    Ok(site("pingora", process, &ports, kind))
}

/// A handler of lines in JavaScript.
pub(crate) fn handler(name: &'static str, services: Services) -> Result<Vec<Site>> {
    let (program, script) = if name.starts_with("bun") {
        (bun_program()?, "bun-filter.js")
    } else {
        (program("node")?, "node-filter.mjs")
    };
    let mut ports = Ports::free();
    ports.script = ports.bytes;
    let script = sources().join("scripts").join(script).display().to_string();
    let mut arguments = vec![script];
    arguments
        .extend([ports.bytes, services.bytes.port(), services.other.port()].map(|port| port.to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut process = Process::start(SERVED, &directory(&script_dir(name))?, &program, &arguments, &[])?;
    process.answers(ports.bytes)?;
    Ok(site(name, process, &ports, Kind::Script))
}

fn script_dir(name: &str) -> String {
    name.replace(' ', "-")
}
