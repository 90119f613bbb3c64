//! What a start says: log lines for machines, and on a terminal a few lines for people, with what to try.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use weir_config::{ChainSpec, Config, Framing, LogFormat, Prefix, Protocol, RouteSpec};
use weir_transport::Listeners;
use weir_transport::tls::SelfSigned;

pub(crate) fn show(
    config: &Config,
    file: Option<&Path>,
    listeners: &Listeners,
    admin: &str,
    self_signed: Option<&SelfSigned>,
    workers: usize,
) {
    let terminal = config.log.format != LogFormat::Json && std::io::stderr().is_terminal();
    if terminal {
        let from = file.map_or("no configuration file".to_owned(), |file| file.display().to_string());
        eprintln!(
            "weir {}, {workers} worker{}, {from}",
            env!("CARGO_PKG_VERSION"),
            if workers == 1 { "" } else { "s" }
        );
    } else {
        let file = file.map(|file| file.display().to_string());
        tracing::info!(version = env!("CARGO_PKG_VERSION"), workers, file, "starting");
    }
    for (id, address) in listeners.addresses() {
        let Some(listener) = config.listeners.get(id.index()) else { continue };
        let url = url(listener, *address);
        if terminal {
            eprintln!("  {:<12} {url:<34} -> {}", listener.name, route(&listener.route));
        } else {
            tracing::info!(listener = listener.name, address = %address, url, "listening");
        }
    }
    if terminal {
        eprintln!("  {:<12} {admin}/metrics, /v1/plugins, /healthz, /readyz", "admin");
    } else {
        tracing::info!(address = admin, "admin");
    }
    if let Some(made) = self_signed {
        if terminal {
            eprintln!("  certificate  self-signed, for loopback only; SHA-256 {}", made.sha256_hex);
            if config.listeners.iter().any(is_self_signed_webtransport) {
                eprintln!("               for serverCertificateHashes, in base64: {}", made.sha256_base64);
            }
        } else {
            tracing::info!(
                sha256 = made.sha256_hex,
                sha256_base64 = made.sha256_base64,
                "self-signed certificate made"
            );
        }
    }
    if terminal {
        try_this(config, listeners);
    }
}

fn is_self_signed_webtransport(listener: &weir_config::Listener) -> bool {
    listener.tls.is_none() && matches!(listener.protocol, Protocol::WebTransport { .. })
}

fn url(listener: &weir_config::Listener, address: SocketAddr) -> String {
    match (&listener.protocol, &listener.tls) {
        (Protocol::Tcp { .. }, None) => format!("tcp://{address}"),
        (Protocol::Tcp { .. }, Some(_)) => format!("tls://{address}"),
        (Protocol::WebSocket { path, .. }, None) => format!("ws://{address}{path}"),
        (Protocol::WebSocket { path, .. }, Some(_)) => format!("wss://{address}{path}"),
        (Protocol::Quic { .. }, _) => format!("quic://{address}"),
        (Protocol::WebTransport { path, .. }, _) => format!("https://{address}{path}"),
    }
}

fn route(route: &RouteSpec) -> String {
    match route {
        RouteSpec::Cluster(name) => format!("cluster {name}"),
        RouteSpec::Group(name) => format!("group {name}"),
        RouteSpec::Echo => "echo".to_owned(),
        RouteSpec::Drop => "drop".to_owned(),
    }
}

/// Commands that show something, for the listeners that are there; whole paths, so that they work in any directory.
fn try_this(config: &Config, listeners: &Listeners) {
    let program =
        std::env::current_exe().map_or_else(|_| "weir".to_owned(), |path| path.display().to_string());
    eprintln!();
    eprintln!("try, in another terminal:");
    for (id, address) in listeners.addresses() {
        let Some(listener) = config.listeners.get(id.index()) else { continue };
        // Browsers speak WebTransport; `weir send` does not.
        let sends = !matches!(listener.protocol, Protocol::WebTransport { .. });
        if listener.tls.is_none() && sends {
            eprintln!("  {program} send {} hello{}", url(listener, *address), framing(&listener.protocol));
        }
    }
    if config.listeners.iter().any(|listener| listener.chain == ChainSpec::Auto) {
        let dir = config.plugins.dir.canonicalize();
        let dir = dir.as_deref().unwrap_or(&config.plugins.dir);
        eprintln!("and, while connected, put a plugin into {}: the next message meets it", dir.display());
    }
    eprintln!();
}

/// The option of `weir send` that a listener's framing asks for.
fn framing(protocol: &Protocol) -> String {
    let Protocol::Tcp { framing, .. } = protocol else { return String::new() };
    let word = match framing {
        Framing::Length { prefix: Prefix::U32Be, .. } => return String::new(),
        Framing::Length { prefix, .. } => match prefix {
            Prefix::U8 => "length:u8",
            Prefix::U16Be => "length:u16be",
            Prefix::U16Le => "length:u16le",
            Prefix::U32Be => "length:u32be",
            Prefix::U32Le => "length:u32le",
            Prefix::Varint => "length:varint",
        },
        Framing::Line { .. } => "line",
        Framing::Checked { .. } => "checked",
        Framing::Raw { .. } => "raw",
        Framing::Delimiter { delimiter, .. } => {
            return format!(" --framing 'delimiter:{}'", String::from_utf8_lossy(delimiter));
        }
    };
    format!(" --framing {word}")
}
