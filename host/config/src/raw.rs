//! The file as it is written. These types are the schema too: their comments are the reference page.

mod offload;
mod overload;
mod rollout;
mod tap;
mod when;

pub(crate) use offload::Offload;
pub(crate) use overload::Overload;
pub(crate) use rollout::{Rollback, RolloutValue};
pub(crate) use tap::Tap;
pub(crate) use when::When;

use crate::field::{Chain, Field, List};
use crate::json::Json;
use crate::value::{Sha256, Size, Time, WorkerCount};
use crate::words::{
    Balance, ClusterWord, Compression, DegradedWord, FailureWord, FramingWord, Grant, HeartbeatWord,
    KindWord, ListenerWord, LogAccess, LogFormat, LogLevel, PinWord, PlacementWord, PrefixWord, ProxyWord,
    RateWord, SessionsWord, SlowWord,
};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// The configuration of Weir.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(crate) struct File {
    /// Threads, and how the process ends.
    pub(crate) runtime: Runtime,
    /// What is done when the process runs short of memory, file descriptors or time. Pressure is what is used, as a part of what there
    /// is; the highest of the three decides.
    pub(crate) overload: Overload,
    /// Metrics, health and the admin API.
    pub(crate) admin: Admin,
    /// What `weir tap` may show of messages.
    pub(crate) tap: Tap,
    /// Log lines.
    pub(crate) log: Log,
    /// Where plugins come from, and what they may use.
    pub(crate) plugins: Plugins,
    /// A binding: one use of a plugin, with a name, a config, limits and grants. Keys that are left out are those of `[plugins.defaults]`.
    #[schemars(with = "Vec<Plugin>")]
    pub(crate) plugin: Vec<Spanned<Plugin>>,
    /// A bound address and how its bytes become messages.
    #[schemars(with = "Vec<Listener>")]
    pub(crate) listener: Vec<Spanned<Listener>>,
    /// A named set of upstream addresses.
    #[schemars(with = "Vec<Cluster>")]
    pub(crate) cluster: Vec<Spanned<Cluster>>,
}

/// Threads, and how the process ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Runtime {
    /// Threads with an event loop of their own: "auto" (one per core) or a number from 1 to 256.
    #[schemars(extend("default" = "auto"))]
    pub(crate) workers: Field<WorkerCount>,
    /// How the process ends.
    pub(crate) drain: Drain,
}

/// How the process ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Drain {
    /// From the moment that `/readyz` fails to the end of accepting. At most 10 minutes.
    #[schemars(extend("default" = "2s"))]
    pub(crate) ready_delay: Field<Time>,
    /// For how long sessions may then take to end; what is left is cut. At most an hour.
    #[schemars(extend("default" = "30s"))]
    pub(crate) window: Field<Time>,
    /// Clients that are told why they are closed are told to wait so long at most before they connect again, each another time
    /// (`retry-after-ms=…` in the close reason); "0s": nothing is said. At most an hour.
    #[schemars(extend("default" = "10s"))]
    pub(crate) retry: Field<Time>,
}

/// Metrics, health and the admin API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Admin {
    /// An address with a port, or `unix:PATH`. Off loopback it needs `token_file`.
    #[schemars(extend("default" = "127.0.0.1:7900"))]
    pub(crate) bind: Field<String>,
    /// A file that holds the bearer token which requests must carry.
    pub(crate) token_file: Field<String>,
}

/// Log lines.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Log {
    /// The least severe line that is written.
    #[schemars(extend("default" = "info"))]
    pub(crate) level: Field<LogLevel>,
    /// "auto" is human on a terminal and json elsewhere.
    #[schemars(extend("default" = "auto"))]
    pub(crate) format: Field<LogFormat>,
    /// Records of sessions, at level info: "close" writes one when a session ends, "both" one when it opens as well.
    #[schemars(extend("default" = "both"))]
    pub(crate) access: Field<LogAccess>,
}

/// Where plugins come from, and what they may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Plugins {
    /// The directory that is watched.
    #[schemars(extend("default" = "plugins"))]
    pub(crate) dir: Field<String>,
    /// Where compiled modules are kept: "auto" (a private directory of the user's cache), "off", or a private directory.
    #[schemars(extend("default" = "auto"))]
    pub(crate) cache: Field<String>,
    /// Where it is kept what must be known after a restart, such as versions that were taken back: "auto" (a directory of the user's
    /// state, one for each plugin directory), "off", or a directory.
    #[schemars(extend("default" = "auto"))]
    pub(crate) state: Field<String>,
    /// A file that gets a line of JSON for every change of a plugin's generation and every order of an operator, in a directory that is
    /// there. Left out: none.
    pub(crate) audit: Field<String>,
    /// Public keys (minisign) of those who may sign plugins: every file then needs its signature beside it, as `NAME.wasm.minisig`.
    /// Left out: signatures are not looked at.
    #[schemars(with = "Vec<String>", extend("default" = []))]
    pub(crate) signed_by: List<String>,
    /// The largest file that is looked at, from 1 KiB to 1 GiB.
    #[schemars(extend("default" = "32MiB"))]
    pub(crate) max_module: Field<Size>,
    /// For how long a file may be read and compiled, from 100 ms to an hour. That is done in a process of its own.
    #[schemars(extend("default" = "60s"))]
    pub(crate) compile_time: Field<Time>,
    /// How much memory that process may take, from 64 MiB to 64 GiB.
    #[schemars(extend("default" = "512MiB"))]
    pub(crate) compile_memory: Field<Size>,
    /// For how long a plugin is remembered whose file is gone and which no chain names, with its keys and values; from 1 s to 30 days.
    #[schemars(extend("default" = "1h"))]
    pub(crate) forget_after: Field<Time>,
    /// For every binding that does not say otherwise.
    pub(crate) defaults: Defaults,
}

/// For every binding that does not say otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Defaults {
    /// Linear memory of an instance, from 64 KiB to 4 GiB.
    #[schemars(extend("default" = "16MiB"))]
    pub(crate) memory: Field<Size>,
    /// Of each call, from 1 ms to 10 s.
    #[schemars(extend("default" = "10ms"))]
    pub(crate) deadline: Field<Time>,
    /// Native stack of a call, from 64 KiB to 1 MiB; rounded up to a multiple of 64 KiB.
    #[schemars(extend("default" = "512KiB"))]
    pub(crate) stack: Field<Size>,
    /// Table elements of an instance, at most 10,000,000.
    #[schemars(extend("default" = 100_000))]
    pub(crate) max_table: Field<u64>,
    /// Calls of the host by one call, from 1 to 100,000,000.
    #[schemars(extend("default" = 10_000))]
    pub(crate) max_host_calls: Field<u64>,
    /// Payloads and effects of one call together, at most 256 MiB.
    #[schemars(extend("default" = "256KiB"))]
    pub(crate) max_output: Field<Size>,
    /// Effects of one call, at most 65,536.
    #[schemars(extend("default" = 64))]
    pub(crate) max_effects: Field<u64>,
    /// Log lines a second, at most 100,000.
    #[schemars(extend("default" = 100))]
    pub(crate) log_rate: Field<u64>,
    /// Bytes of the key-value store, with 96 for each key; at most 64 GiB.
    #[schemars(extend("default" = "64MiB"))]
    pub(crate) kv_bytes: Field<Size>,
    /// Keys of the key-value store, at most 1,000,000,000.
    #[schemars(extend("default" = 1_000_000))]
    pub(crate) kv_keys: Field<u64>,
    /// Bytes of messages that it holds on one worker, at most 4 GiB. A message that it wants to hold beyond that meets `on_failure`.
    #[schemars(extend("default" = "16MiB"))]
    pub(crate) max_held: Field<Size>,
    /// Linear memory from which on an instance is renewed between two calls, from 64 KiB to 4 GiB. Left out: three quarters of
    /// `memory`.
    pub(crate) renew_memory: Field<Size>,
    /// Calls after which an instance is renewed, at least 1.
    #[schemars(extend("default" = 10_000_000))]
    pub(crate) renew_calls: Field<u64>,
    /// Failures in a row on one worker after which no worker tries again until there is another file or config; at most 1,000; 0: never.
    #[schemars(extend("default" = 8))]
    pub(crate) quarantine: Field<u64>,
    /// What becomes of a message that the plugin fails on: "closed" drops it, "open" forwards it as it was, "close" closes the session.
    #[schemars(extend("default" = "closed"))]
    pub(crate) on_failure: Field<FailureWord>,
    /// Capabilities beyond log, clock, attributes and metrics, which every plugin has.
    #[schemars(with = "Vec<Grant>", extend("default" = []))]
    pub(crate) grants: List<Grant>,
    /// Whom a new version meets at first: "all", or a share of the sessions for some time, such as `{ canary = "5%", for = "30s" }`.
    #[schemars(extend("default" = "all"))]
    pub(crate) rollout: Field<RolloutValue>,
    /// "session": a session stays with the version that it began with, for `pin_drain` after that was replaced. "off": its next message
    /// meets the new one.
    #[schemars(extend("default" = "off"))]
    pub(crate) pin: Field<PinWord>,
    /// For how long after it was replaced a version serves the sessions that began with it, from a second to a day.
    #[schemars(extend("default" = "10m"))]
    pub(crate) pin_drain: Field<Time>,
    /// When a new version is taken back.
    pub(crate) rollback: Rollback,
    /// Where the plugin is called: "inline", on the workers; "offload", on threads of its own behind a bounded queue, so that a slow
    /// one makes nobody wait but its own sessions.
    #[schemars(extend("default" = "inline"))]
    pub(crate) placement: Field<PlacementWord>,
    /// The threads of a plugin with `placement = "offload"`.
    pub(crate) offload: Offload,
}

/// A binding: one use of a plugin.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline, extend("required" = ["module"]))]
pub(crate) struct Plugin {
    /// By which chains, metrics and logs know it: 1 to 64 of `A-Z a-z 0-9 . _ -`. Left out: the module's file name without `.wasm`.
    pub(crate) name: Field<String>,
    /// The plugin's file, from `[plugins] dir`.
    pub(crate) module: Field<String>,
    /// SHA-256 of the only file that is taken, in hexadecimal, as `sha256sum` prints it. Left out: any.
    pub(crate) sha256: Field<Sha256>,
    /// Given to the plugin as JSON, after it has passed the plugin's own schema. Dates become strings.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>", extend("default" = {}))]
    pub(crate) config: Field<Json>,
    /// Capabilities. They replace those of `[plugins.defaults]`.
    #[schemars(with = "Vec<Grant>")]
    pub(crate) grants: List<Grant>,
    /// What becomes of a message that the plugin fails on.
    pub(crate) on_failure: Field<FailureWord>,
    /// Linear memory of an instance.
    pub(crate) memory: Field<Size>,
    /// Of each call.
    pub(crate) deadline: Field<Time>,
    /// Native stack of a call.
    pub(crate) stack: Field<Size>,
    /// Table elements of an instance.
    pub(crate) max_table: Field<u64>,
    /// Calls of the host by one call.
    pub(crate) max_host_calls: Field<u64>,
    /// Payloads and effects of one call together.
    pub(crate) max_output: Field<Size>,
    /// Effects of one call.
    pub(crate) max_effects: Field<u64>,
    /// Log lines a second.
    pub(crate) log_rate: Field<u64>,
    /// Whom a new version meets at first: "all", or a share of the sessions for some time, such as `{ canary = "5%", for = "30s" }`.
    pub(crate) rollout: Field<RolloutValue>,
    /// "session": a session stays with the version that it began with, for `pin_drain` after that was replaced. "off": its next message
    /// meets the new one.
    pub(crate) pin: Field<PinWord>,
    /// For how long after it was replaced a version serves the sessions that began with it, from a second to a day.
    pub(crate) pin_drain: Field<Time>,
    /// When a new version is taken back.
    pub(crate) rollback: Rollback,
    /// Bytes of the key-value store.
    pub(crate) kv_bytes: Field<Size>,
    /// Keys of the key-value store.
    pub(crate) kv_keys: Field<u64>,
    /// Bytes of messages that it holds on one worker.
    pub(crate) max_held: Field<Size>,
    /// Linear memory from which on an instance is renewed.
    pub(crate) renew_memory: Field<Size>,
    /// Calls after which an instance is renewed.
    pub(crate) renew_calls: Field<u64>,
    /// Failures in a row after which no worker tries again.
    pub(crate) quarantine: Field<u64>,
    /// Where the plugin is called: "inline", on the workers; "offload", on threads of its own behind a bounded queue.
    pub(crate) placement: Field<PlacementWord>,
    /// The threads of a plugin with `placement = "offload"`.
    pub(crate) offload: Offload,
    /// Which messages it is called for; all of this must hold. Left out: for all of the plugin's directions.
    #[schemars(with = "When")]
    pub(crate) when: Option<Spanned<When>>,
}

/// The file beside a plugin of an automatic chain (`10-auth.toml` beside `10-auth.wasm`): the keys of a `[[plugin]]` table, without
/// `name` and `module`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Settings {
    /// SHA-256 of the only file that is taken, in hexadecimal, as `sha256sum` prints it. Left out: any.
    pub(crate) sha256: Field<Sha256>,
    /// Given to the plugin as JSON, after it has passed the plugin's own schema.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(crate) config: Field<Json>,
    /// Capabilities.
    #[schemars(with = "Vec<Grant>")]
    pub(crate) grants: List<Grant>,
    /// What becomes of a message that the plugin fails on.
    pub(crate) on_failure: Field<FailureWord>,
    /// Linear memory of an instance.
    pub(crate) memory: Field<Size>,
    /// Of each call.
    pub(crate) deadline: Field<Time>,
    /// Native stack of a call.
    pub(crate) stack: Field<Size>,
    /// Table elements of an instance.
    pub(crate) max_table: Field<u64>,
    /// Calls of the host by one call.
    pub(crate) max_host_calls: Field<u64>,
    /// Payloads and effects of one call together.
    pub(crate) max_output: Field<Size>,
    /// Effects of one call.
    pub(crate) max_effects: Field<u64>,
    /// Log lines a second.
    pub(crate) log_rate: Field<u64>,
    /// Whom a new version meets at first: "all", or a share of the sessions for some time, such as `{ canary = "5%", for = "30s" }`.
    pub(crate) rollout: Field<RolloutValue>,
    /// "session": a session stays with the version that it began with, for `pin_drain` after that was replaced. "off": its next message
    /// meets the new one.
    pub(crate) pin: Field<PinWord>,
    /// For how long after it was replaced a version serves the sessions that began with it, from a second to a day.
    pub(crate) pin_drain: Field<Time>,
    /// When a new version is taken back.
    pub(crate) rollback: Rollback,
    /// Bytes of the key-value store.
    pub(crate) kv_bytes: Field<Size>,
    /// Keys of the key-value store.
    pub(crate) kv_keys: Field<u64>,
    /// Bytes of messages that it holds on one worker.
    pub(crate) max_held: Field<Size>,
    /// Linear memory from which on an instance is renewed.
    pub(crate) renew_memory: Field<Size>,
    /// Calls after which an instance is renewed.
    pub(crate) renew_calls: Field<u64>,
    /// Failures in a row after which no worker tries again.
    pub(crate) quarantine: Field<u64>,
    /// Where the plugin is called: "inline", on the workers; "offload", on threads of its own behind a bounded queue.
    pub(crate) placement: Field<PlacementWord>,
    /// The threads of a plugin with `placement = "offload"`.
    pub(crate) offload: Offload,
    /// Which messages it is called for; all of this must hold. Left out: for all of the plugin's directions.
    #[schemars(with = "When")]
    pub(crate) when: Option<Spanned<When>>,
}

/// A bound address and how its bytes become messages.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline, extend("required" = ["name", "bind", "protocol", "route"]))]
pub(crate) struct Listener {
    /// By which plugins, metrics and logs know it: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub(crate) name: Field<String>,
    /// An address with a port, such as "0.0.0.0:7000" or "[::]:7000".
    pub(crate) bind: Field<String>,
    /// What is spoken there.
    pub(crate) protocol: Field<ListenerWord>,
    /// tcp: how bytes become frames. Left out: `{ type = "length", prefix = "u32be", max = "1MiB" }`.
    #[schemars(with = "Framing")]
    pub(crate) framing: Option<Spanned<Framing>>,
    /// tcp, quic and webtransport: what messages are. WebSocket frames and checked framing say it themselves.
    #[schemars(extend("default" = "binary"))]
    pub(crate) kind: Field<KindWord>,
    /// PROXY protocol before the first byte.
    #[schemars(extend("default" = "off"))]
    pub(crate) proxy_protocol: Field<ProxyWord>,
    /// websocket and webtransport: the path of the request; begins with `/`.
    #[schemars(extend("default" = "/"))]
    pub(crate) path: Field<String>,
    /// websocket and webtransport: pages that may connect, as `scheme://host[:port]`. Required when cookies are read; left out: the same
    /// origin and clients that are no browsers.
    #[schemars(with = "Vec<String>", extend("default" = []))]
    pub(crate) origins: List<String>,
    /// websocket: those that may be agreed on. Of several, the first that the client asks for.
    #[schemars(with = "Vec<String>", extend("default" = []))]
    pub(crate) subprotocols: List<String>,
    /// tcp with length or checked framing, binary: "frame" asks clients whether they are there, and answers them, with heartbeat
    /// messages. "off": every message is the application's.
    #[schemars(extend("default" = "off"))]
    pub(crate) heartbeat: Field<HeartbeatWord>,
    /// websocket: compression of messages (RFC 7692) with clients that offer it. It costs some 10 µs and more a message.
    #[schemars(extend("default" = "off"))]
    pub(crate) compression: Field<Compression>,
    /// TLS. Left out: plain, and for quic and webtransport on loopback a self-signed certificate.
    #[schemars(with = "ListenerTls")]
    pub(crate) tls: Option<Spanned<ListenerTls>>,
    /// The bindings that its messages meet, in inbound order; or "auto": every plugin of the directory, ordered by file name.
    #[schemars(with = "Chain", extend("default" = "auto"))]
    pub(crate) chain: Option<Chain>,
    /// Where a message goes that no plugin sent elsewhere: a cluster's name, "group:NAME", "echo" or "drop".
    pub(crate) route: Field<String>,
    /// Groups that each session is in from the beginning. Left out: the group of `route = "group:NAME"`, otherwise none.
    #[schemars(with = "Vec<String>")]
    pub(crate) join: List<String>,
    /// What the listener and each session on it may use.
    pub(crate) limits: Limits,
    /// Given: a session waits for a client that lost its connection and said hello when it began. The page on sessions has the
    /// protocol.
    #[schemars(with = "Resume")]
    pub(crate) resume: Option<Spanned<Resume>>,
}

/// How sessions wait for clients that lost their connections.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Resume {
    /// For how long, from 1 s to an hour.
    #[schemars(extend("default" = "60s"))]
    pub(crate) window: Field<Time>,
    /// Bytes of messages that a session keeps until its client confirms them, from 1 KiB to 64 MiB; at most `queue` of the limits.
    #[schemars(extend("default" = "64KiB"))]
    pub(crate) buffer: Field<Size>,
    /// Sessions that wait at once, over all workers. When there are more, a session that loses its client ends.
    #[schemars(extend("default" = 10_000))]
    pub(crate) sessions: Field<u64>,
    /// A client may come back to any listener of the same scope. Left out: the listener's name.
    pub(crate) scope: Field<String>,
    /// For how long a token is good, from a minute to a year. Each time a client comes back it is given a new one.
    #[schemars(extend("default" = "24h"))]
    pub(crate) token_lifetime: Field<Time>,
}

/// How bytes become frames.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline, extend("required" = ["type", "max"]))]
pub(crate) struct Framing {
    /// "length": a prefix counts the bytes that follow; "line": ends with LF, a CR before it is removed; "delimiter": ends with
    /// `delimiter`; "checked": magic, version, kind, length and CRC-32; "raw": whatever one read gives.
    #[serde(rename = "type")]
    pub(crate) kind: Field<FramingWord>,
    /// length: the prefix. Mandatory there.
    pub(crate) prefix: Field<PrefixWord>,
    /// delimiter: what ends a frame, 1 to 64 bytes. Mandatory there.
    pub(crate) delimiter: Field<String>,
    /// The most bytes of a message, at most 256 MiB; more closes the session with 1009.
    pub(crate) max: Field<Size>,
}

/// The files of a TLS server, PEM.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline, extend("required" = ["cert", "key"]))]
pub(crate) struct ListenerTls {
    /// The certificate, then its chain.
    pub(crate) cert: Field<String>,
    /// The private key.
    pub(crate) key: Field<String>,
    /// Given: clients must show a certificate that one of these authorities signed.
    pub(crate) client_ca: Field<String>,
    /// Clients that come back may resume their TLS session: half the handshake, and no signature. 0-RTT is never on.
    #[schemars(extend("default" = true))]
    pub(crate) session_tickets: Field<bool>,
}

/// What the listener and each session on it may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct Limits {
    /// Connections at once, over all workers.
    #[schemars(extend("default" = 100_000))]
    pub(crate) connections: Field<u64>,
    /// Connections at once from one client network, over all workers, counted before any handshake; 0: no limit.
    #[schemars(extend("default" = 0))]
    pub(crate) connections_per_client: Field<u64>,
    /// What one client network is: addresses that begin with the same bits.
    pub(crate) client_network: ClientNetwork,
    /// Connections accepted a second, before TLS; at least 1.
    #[schemars(extend("default" = 5_000))]
    pub(crate) accept_rate: Field<u64>,
    /// From accept to the end of the TLS or QUIC handshake; from 100 ms to 10 minutes.
    #[schemars(extend("default" = "10s"))]
    pub(crate) handshake_timeout: Field<Time>,
    /// websocket and webtransport: from the end of the handshake, or from accept without TLS, to the end of the request for a session;
    /// from 100 ms to 10 minutes.
    #[schemars(extend("default" = "10s"))]
    pub(crate) upgrade_timeout: Field<Time>,
    /// Silence after which a session is closed; "0s": never. Longer than `ping_interval`.
    #[schemars(extend("default" = "75s"))]
    pub(crate) idle_timeout: Field<Time>,
    /// How often a client is asked whether it is there (WebSocket ping, heartbeat message, QUIC keep-alive), and the way to it measured;
    /// "0s": never.
    #[schemars(extend("default" = "30s"))]
    pub(crate) ping_interval: Field<Time>,
    /// The shortest time that an answer to that may take, at most 8 s. It is learnt from each client: one and a half times its round
    /// trips. Three answers missing in a row close the session.
    #[schemars(extend("default" = "2s"))]
    pub(crate) pong_floor: Field<Time>,
    /// A session that is reached badly: "keep" counts it and shows it to plugins as the attribute `weir.health`; "reconnect" closes it
    /// as well, with 1012.
    #[schemars(extend("default" = "keep"))]
    pub(crate) degraded: Field<DegradedWord>,
    /// From an open session to its first message, at most a day; "0s": as long as it likes.
    #[schemars(extend("default" = "0s"))]
    pub(crate) first_message_timeout: Field<Time>,
    /// From the first byte of a message to its last, at most a day; "0s": as long as it likes.
    #[schemars(extend("default" = "30s"))]
    pub(crate) frame_timeout: Field<Time>,
    /// For how long a client may take nothing at all of what waits for it, at most a day; "0s": as long as it likes.
    #[schemars(extend("default" = "30s"))]
    pub(crate) write_timeout: Field<Time>,
    /// websocket, quic and webtransport: bytes of a message, at most 256 MiB. Over tcp the framing's `max` says it.
    #[schemars(extend("default" = "1MiB"))]
    pub(crate) message: Field<Size>,
    /// websocket: fragments of a message.
    #[schemars(extend("default" = 128))]
    pub(crate) fragments: Field<u64>,
    /// Bytes that wait to be written to the client, from 4 KiB to 1 GiB.
    #[schemars(extend("default" = "256KiB"))]
    pub(crate) queue: Field<Size>,
    /// When the queue is full of what cannot be held back: "close" drops the message, and closes the session if the queue does not
    /// empty within the grace; "drop-newest" and "pause" drop the message; "drop-oldest" drops the oldest that wait; "conflate"
    /// replaces, at any time, a message that waits by a newer one about the same, and drops the message when the queue is full all
    /// the same. But for "close" the session stays. Each drop is counted. The client's own echoes and its upstreams can be held back,
    /// and are under every policy.
    #[schemars(extend("default" = "close"))]
    pub(crate) slow_consumer: Field<SlowWord>,
    /// What messages are about, for `slow_consumer = "conflate"`.
    #[schemars(with = "Conflate")]
    pub(crate) conflate: Option<Spanned<Conflate>>,
    /// For how long a queue may stay over half full. At most an hour.
    #[schemars(extend("default" = "10s"))]
    pub(crate) slow_grace: Field<Time>,
    /// Messages that a client may send in a second, and at once; 0: no limit.
    #[schemars(extend("default" = 0))]
    pub(crate) messages_per_second: Field<u64>,
    /// Bytes of payloads that a client may send in a second, and at once; 0: no limit. A longer message passes, and is paid for
    /// afterwards.
    #[schemars(extend("default" = 0))]
    pub(crate) bytes_per_second: Field<Size>,
    /// What happens to a client above a rate, its own or a shared one: "pause" does not read from it until it may send again, so that
    /// nothing is lost; "drop" drops the message; "close" closes the session with 1008.
    #[schemars(extend("default" = "pause"))]
    pub(crate) rate_policy: Field<RateWord>,
    /// Rates that sessions have in common, at most 8.
    #[schemars(with = "Vec<SharedRate>")]
    pub(crate) shared: Vec<Spanned<SharedRate>>,
}

/// What one client network is: addresses that begin with the same bits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct ClientNetwork {
    /// Bits of an IPv4 address, from 1 to 32. IPv4 in IPv6 is IPv4.
    #[schemars(extend("default" = 32))]
    pub(crate) ipv4: Field<u64>,
    /// Bits of an IPv6 address, from 1 to 128.
    #[schemars(extend("default" = 64))]
    pub(crate) ipv6: Field<u64>,
}

/// What messages are about. A message without the value, or one that is not JSON, replaces nothing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline, extend("required" = ["pointer"]))]
pub(crate) struct Conflate {
    /// Where the value stands in a payload of JSON (RFC 6901), such as "/symbol": a text, a number, true, false or null.
    pub(crate) pointer: Field<String>,
}

/// A rate that sessions with the same value of an attribute have in common, exact over all workers. A session without the attribute
/// is not limited by it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline, extend("required" = ["attribute"]))]
pub(crate) struct SharedRate {
    /// An attribute that a plugin sets, such as "tenant", or one of the gateway's, such as "weir.listener".
    pub(crate) attribute: Field<String>,
    /// Messages in a second, and at once; 0: no limit.
    #[schemars(extend("default" = 0))]
    pub(crate) messages_per_second: Field<u64>,
    /// Bytes of payloads in a second, and at once; 0: no limit.
    #[schemars(extend("default" = 0))]
    pub(crate) bytes_per_second: Field<Size>,
}

/// A named set of upstream addresses.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline, extend("required" = ["name", "protocol", "endpoints"]))]
pub(crate) struct Cluster {
    /// By which routes, plugins, metrics and logs know it: 1 to 64 of `A-Z a-z 0-9 . _ -`, not "echo" or "drop".
    pub(crate) name: Field<String>,
    /// What is spoken there.
    pub(crate) protocol: Field<ClusterWord>,
    /// tcp: as for a listener.
    #[schemars(with = "Framing")]
    pub(crate) framing: Option<Spanned<Framing>>,
    /// tcp: what messages from upstream are.
    #[schemars(extend("default" = "binary"))]
    pub(crate) kind: Field<KindWord>,
    /// websocket: the path of the upgrade request; begins with `/`.
    #[schemars(extend("default" = "/"))]
    pub(crate) path: Field<String>,
    /// websocket: the `Host` header. Left out: the endpoint as it is written.
    pub(crate) host: Field<String>,
    /// websocket: bytes of a message from upstream, at most 256 MiB. Over tcp the framing's `max` says it.
    #[schemars(extend("default" = "1MiB"))]
    pub(crate) message: Field<Size>,
    /// TLS. Left out: plain. Certificates are always verified.
    #[schemars(with = "ClusterTls")]
    pub(crate) tls: Option<Spanned<ClusterTls>>,
    /// "dedicated": each session has an upstream connection of its own.
    #[schemars(extend("default" = "dedicated"))]
    pub(crate) sessions: Field<SessionsWord>,
    /// At least one `HOST:PORT`; a host is an IP address or a DNS name.
    #[schemars(with = "Vec<String>")]
    pub(crate) endpoints: List<String>,
    /// How an endpoint is chosen: "p2c" is the one with fewer connections of two picked at random.
    #[schemars(extend("default" = "p2c"))]
    pub(crate) balance: Field<Balance>,
    /// TCP, TLS and upgrade together; from 1 ms to 10 minutes.
    #[schemars(extend("default" = "3s"))]
    pub(crate) connect_timeout: Field<Time>,
    /// Bytes that wait for one upstream connection before reading from its client stops, from 4 KiB to 1 GiB.
    #[schemars(extend("default" = "256KiB"))]
    pub(crate) queue: Field<Size>,
    /// For how long an upstream may take nothing at all of what waits for it, at most a day; then its connection and its session are
    /// ended. "0s": as long as it likes.
    #[schemars(extend("default" = "30s"))]
    pub(crate) write_timeout: Field<Time>,
}

/// TLS towards a cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, inline)]
pub(crate) struct ClusterTls {
    /// PEM: the authorities to trust. Left out: those of the system.
    pub(crate) ca: Field<String>,
    /// The name that is sent and verified. Left out: the endpoint's host.
    pub(crate) server_name: Field<String>,
}

impl Plugin {
    /// Its keys that the file beside a plugin has too.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            sha256: self.sha256.clone(),
            config: self.config.clone(),
            grants: self.grants.clone(),
            on_failure: self.on_failure.clone(),
            memory: self.memory.clone(),
            deadline: self.deadline.clone(),
            max_output: self.max_output.clone(),
            max_effects: self.max_effects.clone(),
            log_rate: self.log_rate.clone(),
            rollout: self.rollout.clone(),
            pin: self.pin.clone(),
            pin_drain: self.pin_drain.clone(),
            rollback: self.rollback.clone(),
            stack: self.stack.clone(),
            max_table: self.max_table.clone(),
            max_host_calls: self.max_host_calls.clone(),
            kv_bytes: self.kv_bytes.clone(),
            kv_keys: self.kv_keys.clone(),
            max_held: self.max_held.clone(),
            renew_memory: self.renew_memory.clone(),
            renew_calls: self.renew_calls.clone(),
            quarantine: self.quarantine.clone(),
            placement: self.placement.clone(),
            offload: self.offload.clone(),
            when: self.when.clone(),
        }
    }
}

impl Defaults {
    /// Its keys as a plugin has them.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            sha256: Field::default(),
            config: Field::default(),
            grants: self.grants.clone(),
            on_failure: self.on_failure.clone(),
            memory: self.memory.clone(),
            deadline: self.deadline.clone(),
            max_output: self.max_output.clone(),
            max_effects: self.max_effects.clone(),
            log_rate: self.log_rate.clone(),
            rollout: self.rollout.clone(),
            pin: self.pin.clone(),
            pin_drain: self.pin_drain.clone(),
            rollback: self.rollback.clone(),
            stack: self.stack.clone(),
            max_table: self.max_table.clone(),
            max_host_calls: self.max_host_calls.clone(),
            kv_bytes: self.kv_bytes.clone(),
            kv_keys: self.kv_keys.clone(),
            max_held: self.max_held.clone(),
            renew_memory: self.renew_memory.clone(),
            renew_calls: self.renew_calls.clone(),
            quarantine: self.quarantine.clone(),
            placement: self.placement.clone(),
            offload: self.offload.clone(),
            when: None,
        }
    }
}
