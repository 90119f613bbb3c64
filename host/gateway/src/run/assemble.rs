//! From a configuration to everything that a start needs, short of sockets: certificates, clusters, the plugin engine.

use super::conflate::AtPointer;
use crate::cli::COMPILE;
use anyhow::Context;
use etcetera::BaseStrategy;
use std::path::PathBuf;
use std::sync::Arc;
use weir_config::{Cache, ClusterProtocol, Config, Plugins, RouteSpec, Workers};
use weir_core::{ClusterId, ClusterPolicy, KeyOf, ListenerId, ListenerPolicy, Resumption, Route, Transport};
use weir_plugin::{CompileIn, Runtime, RuntimeOptions};
use weir_transport::tls::{self, Files, SelfSigned};
use weir_transport::{ListenerSpec, Tokens};
use weir_upstream::{Cluster, ClusterSpec};

/// Fragments of a message from an upstream.
const UPSTREAM_FRAGMENTS: usize = 128;

/// What a start, and a check, make of a configuration.
pub(crate) struct Assembly {
    pub(crate) workers: usize,
    pub(crate) listeners: Vec<ListenerSpec>,
    pub(crate) clusters: Vec<Arc<Cluster>>,
    pub(crate) runtime: Runtime,
    /// Made where a listener over QUIC has no certificate.
    pub(crate) self_signed: Option<SelfSigned>,
    /// For sessions that wait for their clients.
    pub(crate) tokens: Arc<Tokens>,
}

/// Loads certificates, prepares clusters, starts the plugin engine.
pub(crate) fn assemble(config: &Config) -> anyhow::Result<Assembly> {
    let workers = match config.runtime.workers {
        Workers::Auto => std::thread::available_parallelism().map_or(1, usize::from).min(256),
        Workers::Count(count) => count,
    };
    let mut self_signed = None;
    let tokens = Arc::new(Tokens::new().context("cannot make a key for tokens of sessions")?);
    let mut listeners = Vec::new();
    for (at, listener) in config.listeners.iter().enumerate() {
        let tls = match &listener.tls {
            Some(files) => {
                let (cert, key) = (files.cert.clone(), files.key.clone());
                let (client_ca, tickets) = (files.client_ca.clone(), files.session_tickets);
                let files = Files { cert, key, client_ca, tickets };
                Some(tls::load(&files).with_context(|| format!("listener \"{}\"", listener.name))?)
            }
            None if listener.protocol.is_quic() => {
                let made = match self_signed.take() {
                    Some(made) => made,
                    None => tls::self_signed().context("cannot make a self-signed certificate")?,
                };
                let config = made.config.clone();
                self_signed = Some(made);
                Some(config)
            }
            None => None,
        };
        listeners.push(ListenerSpec {
            id: ListenerId(at as u16),
            name: listener.name.as_str().into(),
            bind: listener.bind,
            protocol: protocol(&listener.protocol),
            tls,
            limits: listener.limits.clone(),
            accept_rate: listener.accept_rate,
            resume: listener.resume.is_some().then(|| Arc::clone(&tokens)),
            records_opens: config.log.access == weir_config::LogAccess::Both,
        });
    }
    let clusters = config.clusters.iter().map(|cluster| Ok(Arc::new(Cluster::new(cluster_spec(cluster)?)?)));
    let clusters = clusters.collect::<anyhow::Result<Vec<_>>>()?;
    let runtime = plugin_runtime(&config.plugins, workers)?;
    Ok(Assembly { workers, listeners, clusters, runtime, self_signed, tokens })
}

/// The engine alone, for commands that only look at plugins.
pub(crate) fn plugin_runtime(plugins: &Plugins, workers: usize) -> anyhow::Result<Runtime> {
    let cache = match &plugins.cache {
        Cache::Auto => default_cache(),
        Cache::Off => None,
        Cache::Path(path) => Some(path.clone()),
    };
    // This very program, though its file may have been replaced since it was started.
    let itself = CompileIn::Process("/proc/self/exe".into(), vec![COMPILE.into()]);
    let options = RuntimeOptions {
        cache,
        compile_in: itself,
        max_module: plugins.max_module,
        compile_time: plugins.compile_time,
        compile_memory: plugins.compile_memory,
        workers,
        ..RuntimeOptions::default()
    };
    Ok(Runtime::new(options)?)
}

/// The user's cache directory; `None` where the system has no such place.
pub(crate) fn default_cache() -> Option<PathBuf> {
    etcetera::base_strategy::choose_base_strategy().ok().map(|base| base.cache_dir().join("weir/modules"))
}

fn protocol(protocol: &weir_config::Protocol) -> weir_transport::Protocol {
    match protocol {
        weir_config::Protocol::Tcp { framing, kind } => {
            weir_transport::Protocol::Tcp { framing: Arc::new(framing.clone()), kind: *kind }
        }
        weir_config::Protocol::WebSocket { path, origins, subprotocols, compression } => {
            weir_transport::Protocol::WebSocket {
                path: path.clone(),
                origins: (!origins.is_empty()).then(|| origins.clone()),
                subprotocols: subprotocols.clone(),
                deflate: *compression == weir_config::Compression::PermessageDeflate,
            }
        }
        weir_config::Protocol::Quic { kind } => weir_transport::Protocol::Quic { kind: *kind },
        weir_config::Protocol::WebTransport { path, origins, kind } => {
            weir_transport::Protocol::WebTransport {
                path: path.clone(),
                origins: (!origins.is_empty()).then(|| origins.clone()),
                kind: *kind,
            }
        }
    }
}

fn cluster_spec(cluster: &weir_config::Cluster) -> anyhow::Result<ClusterSpec> {
    let protocol = match &cluster.protocol {
        ClusterProtocol::Tcp { framing, kind } => {
            weir_upstream::Protocol::Tcp { framing: Arc::new(framing.clone()), kind: *kind }
        }
        ClusterProtocol::WebSocket { path, host, message } => weir_upstream::Protocol::WebSocket {
            path: path.clone(),
            host: host.clone(),
            subprotocols: Vec::new(),
            limits: weir_codec::websocket::Limits { message: *message, fragments: UPSTREAM_FRAGMENTS },
        },
    };
    let endpoints = cluster.endpoints.iter().map(|endpoint| Ok(endpoint.to_string().parse()?));
    Ok(ClusterSpec {
        name: cluster.name.as_str().into(),
        protocol,
        tls: cluster
            .tls
            .as_ref()
            .map(|tls| weir_upstream::ClientTls { ca: tls.ca.clone(), server_name: tls.server_name.clone() }),
        endpoints: endpoints.collect::<anyhow::Result<Vec<_>>>()?,
        balance: match cluster.balance {
            weir_config::Balance::RoundRobin => weir_upstream::Balance::RoundRobin,
            weir_config::Balance::LeastConnections => weir_upstream::Balance::LeastConnections,
            _ => weir_upstream::Balance::P2c,
        },
        connect_timeout: cluster.connect_timeout,
    })
}

/// What the core knows of each listener; the chains come later, from the plugins.
pub(crate) fn listener_policies(
    config: &Config,
    tokens: &Arc<Tokens>,
    workers: usize,
) -> Vec<ListenerPolicy> {
    let cluster = |name: &str| config.clusters.iter().position(|cluster| cluster.name == name);
    let policy = |listener: &weir_config::Listener| ListenerPolicy {
        name: listener.name.as_str().into(),
        transport: match listener.protocol {
            weir_config::Protocol::Tcp { .. } => Transport::Tcp,
            weir_config::Protocol::WebSocket { .. } => Transport::WebSocket,
            weir_config::Protocol::Quic { .. } => Transport::Quic,
            weir_config::Protocol::WebTransport { .. } => Transport::WebTransport,
        },
        chain: weir_core::Chain::default(),
        route: match &listener.route {
            // The configuration has checked that the cluster exists.
            RouteSpec::Cluster(name) => {
                cluster(name).map_or(Route::Drop, |at| Route::Cluster(ClusterId(at as u16)))
            }
            RouteSpec::Group(name) => Route::Group(name.as_str().into()),
            RouteSpec::Echo => Route::Echo,
            RouteSpec::Drop => Route::Drop,
        },
        join: listener.join.iter().map(|group| group.as_str().into()).collect(),
        limits: listener.limits.clone(),
        conflate: listener
            .conflate
            .as_ref()
            .map(|pointer| Arc::new(AtPointer::new(pointer)) as Arc<dyn KeyOf>),
        resume: listener.resume.as_ref().map(|resume| {
            Arc::new(Resumption {
                window: resume.window,
                buffer: resume.buffer,
                away: resume.sessions.div_ceil(workers),
                scope: resume.scope.as_str().into(),
                lifetime: resume.token_lifetime,
                tokens: Arc::clone(tokens) as Arc<dyn weir_core::Tokens>,
            })
        }),
    };
    config.listeners.iter().map(policy).collect()
}

/// What the core knows of each cluster.
pub(crate) fn cluster_policies(config: &Config, clusters: &[Arc<Cluster>]) -> Vec<ClusterPolicy> {
    let both = config.clusters.iter().zip(clusters);
    both.map(|(policy, cluster)| ClusterPolicy {
        name: cluster.name().clone(),
        queue: policy.queue,
        write_timeout: policy.write_timeout,
        wire: cluster.wire(),
    })
    .collect()
}
