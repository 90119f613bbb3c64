//! The admin server: health, metrics, plugins.

mod connections;
mod metrics;
mod operate;
mod record;
mod tap;
mod top;

use crate::run::Shared;
use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics::Metrics;
use prometheus_client::registry::Registry;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::{TcpListener, UnixListener};
use weir_config::{Admin, AdminBind};

/// The bound address of the admin server, with what it will ask of its clients.
pub(crate) struct Bound {
    socket: Socket,
    token: Option<Arc<str>>,
    /// For people.
    pub(crate) address: String,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Binds the address. Call within a runtime.
pub(crate) async fn bind(admin: &Admin) -> anyhow::Result<Bound> {
    let token = token(admin)?;
    Ok(match &admin.bind {
        AdminBind::Tcp(address) => {
            let socket = TcpListener::bind(address).await;
            let socket = socket.with_context(|| {
                format!(
                    "cannot bind the admin address {address}; stop what listens there, or change admin.bind"
                )
            })?;
            let address = format!("http://{}", socket.local_addr()?);
            Bound { socket: Socket::Tcp(socket), token, address }
        }
        AdminBind::Unix(path) => {
            // A socket that a former run left behind answers nobody.
            let stale = std::fs::symlink_metadata(path)
                .is_ok_and(|metadata| metadata.file_type().is_socket())
                && std::os::unix::net::UnixStream::connect(path).is_err();
            if stale {
                std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
            let socket = UnixListener::bind(path);
            let socket = socket.with_context(|| {
                let path = path.display();
                format!("cannot bind the admin socket {path}; stop what listens there, or change admin.bind")
            })?;
            let address = format!("unix:{}", path.display());
            Bound { socket: Socket::Unix(socket), token, address }
        }
    })
}

/// What requests must carry, if they must.
pub(crate) fn token(admin: &Admin) -> anyhow::Result<Option<Arc<str>>> {
    admin.token_file.as_deref().map(read_token).transpose()
}

/// The token in a file.
pub(crate) fn read_token(path: &Path) -> anyhow::Result<Arc<str>> {
    let token = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read admin.token_file {}", path.display()))?;
    let token = token.trim();
    anyhow::ensure!(
        token.len() >= 16,
        "the token in {} is shorter than 16 characters; make one with: openssl rand -hex 32",
        path.display()
    );
    Ok(token.into())
}

/// What `/metrics` shows.
pub(crate) fn registry(shared: &Arc<Shared>) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics(shared.clone())));
    registry
}

/// Serves until the process ends.
pub(crate) async fn serve(bound: Bound, shared: Arc<Shared>) {
    let registry = registry(&shared);
    tokio::spawn(top::tidy(shared.clone()));
    let admin = Arc::new(Served { shared, registry });
    // Whether the gateway lives and is ready is asked by those who have no token.
    let open = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz));
    // What clients say, and what changes something, is nothing for the browser of whoever runs this.
    let mut private = Router::new()
        .route("/v1/tap", get(tap::tap))
        .route("/v1/record", get(record::record))
        .route("/v1/config/reload", post(operate::reload))
        .route("/v1/plugins/{binding}/{order}", post(operate::plugin))
        .route_layer(middleware::from_fn(refuse_origins));
    if bound.token.is_none() && matches!(bound.socket, Socket::Tcp(_)) {
        private = private.route_layer(middleware::from_fn(refuse_names));
    }
    let mut guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/v1/plugins", get(plugins))
        .route("/v1/top", get(top::top))
        .merge(private);
    if let Some(token) = bound.token {
        guarded = guarded.route_layer(middleware::from_fn_with_state(token, require_token));
    }
    let router = open.merge(guarded).with_state(admin);
    connections::serve(bound.socket, router).await;
}

struct Served {
    shared: Arc<Shared>,
    registry: Registry,
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(admin): State<Arc<Served>>) -> (StatusCode, &'static str) {
    if !admin.shared.ready.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: starting or draining\n")
    } else if admin.shared.overload.is_refusing() {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: overloaded\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn metrics(State(admin): State<Arc<Served>>) -> Response {
    let mut page = String::new();
    match prometheus_client::encoding::text::encode(&mut page, &admin.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn plugins(State(admin): State<Arc<Served>>) -> Response {
    axum::Json(admin.shared.plugin_status()).into_response()
}

/// Requests that a web page makes say so.
async fn refuse_origins(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "not from a web page\n").into_response();
    }
    next.run(request).await
}

/// A page can have its own name lead here, and then its requests do not say that they are a page's: what they name is no address.
async fn refuse_names(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_of_here(host) {
        return next.run(request).await;
    }
    let said = "ask for this by address or as localhost, or set admin.token_file: another name may be a web page's\n";
    (StatusCode::FORBIDDEN, said).into_response()
}

/// Whether a `Host` is an address or this machine's own name, with or without a port.
fn is_of_here(host: &str) -> bool {
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

async fn require_token(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if same(given.as_bytes(), token.as_bytes()) {
        next.run(request).await
    } else {
        let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
        (StatusCode::UNAUTHORIZED, ask, "send the token of admin.token_file: Authorization: Bearer TOKEN\n")
            .into_response()
    }
}

/// Compares in a time that does not tell where the difference is.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |all, (left, right)| all | (left ^ right)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_of_here() {
        for host in ["127.0.0.1:7900", "127.0.0.1", "localhost", "LocalHost:7900", "[::1]:7900", "[::1]"] {
            assert!(is_of_here(host), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:7900", "127.0.0.1.evil.example:7900", "localhost.evil.example"]
        {
            assert!(!is_of_here(host), "{host}");
        }
    }
}
