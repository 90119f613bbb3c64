//! What runs when there is no file.

use crate::{
    Admin, AdminBind, Cache, ChainSpec, Config, Drain, Framing, Listener, Log, LogAccess, LogFormat,
    LogLevel, Overload, PluginSettings, Plugins, Prefix, Protocol, RouteSpec, Runtime, Tap, Workers,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use weir_core::{Kind, Limits};

/// Connections accepted a second where nothing else is said.
pub(crate) const ACCEPT_RATE: u32 = 5_000;

/// The framing of TCP where none is named.
pub(crate) fn framing() -> Framing {
    Framing::Length { prefix: Prefix::U32Be, max: Limits::default().message }
}

pub(crate) const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7900);

impl Config {
    /// The configuration of `weir run` without a file: TCP 7000 (u32 length prefix), WebSocket 7001 at `/` and QUIC 7002 with a
    /// self-signed certificate, all on loopback, echoing through every plugin in `./plugins`; admin on 7900.
    pub fn zero() -> Self {
        let listener = |name: &str, port: u16, protocol: Protocol| Listener {
            name: name.to_owned(),
            bind: (Ipv4Addr::LOCALHOST, port).into(),
            protocol,
            tls: None,
            chain: ChainSpec::Auto,
            route: RouteSpec::Echo,
            join: Vec::new(),
            limits: Limits::default(),
            conflate: None,
            accept_rate: ACCEPT_RATE,
            resume: None,
        };
        Self {
            runtime: Runtime { workers: Workers::Auto, drain: Drain::default() },
            overload: Overload::default(),
            admin: Admin { bind: AdminBind::Tcp(ADMIN), token_file: None },
            tap: Tap::default(),
            log: Log { level: LogLevel::Info, format: LogFormat::Auto, access: LogAccess::Both },
            plugins: Plugins {
                dir: PathBuf::from("plugins"),
                dir_is_default: true,
                signed_by: Vec::new(),
                cache: Cache::Auto,
                state: Cache::Auto,
                max_module: 32 << 20,
                compile_time: Duration::from_mins(1),
                compile_memory: 512 << 20,
                forget_after: Duration::from_hours(1),
                defaults: PluginSettings::default(),
            },
            bindings: Vec::new(),
            listeners: vec![
                listener("tcp", 7000, Protocol::Tcp { framing: framing(), kind: Kind::Binary }),
                listener(
                    "websocket",
                    7001,
                    Protocol::WebSocket {
                        path: "/".to_owned(),
                        origins: Vec::new(),
                        subprotocols: Vec::new(),
                        compression: crate::Compression::Off,
                    },
                ),
                listener("quic", 7002, Protocol::Quic { kind: Kind::Binary }),
            ],
            clusters: Vec::new(),
        }
    }
}
