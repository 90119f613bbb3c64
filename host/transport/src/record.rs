//! The access record: one line when a session opens, one when it ends.

use weir_core::{ConnId, End, Farewell, ListenerId, TlsInfo, Worker};

/// Whether anybody reads them.
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: "weir::access", tracing::Level::INFO)
}

pub(crate) fn opened(worker: &Worker, id: ConnId, listener: ListenerId, peer: &str, tls: Option<&TlsInfo>) {
    let policy = worker.snapshot().listeners.get(listener.index());
    tracing::info!(
        target: "weir::access",
        session = %id,
        listener = name(worker, listener),
        transport = policy.map_or("", |policy| policy.transport.as_str()),
        peer,
        tls = tls.is_some(),
        sni = tls.and_then(|tls| tls.sni.as_deref()),
        "session opened"
    );
}

/// A session has lost its connection, and waits for its client.
pub(crate) fn parted(worker: &Worker, id: ConnId, end: &End) {
    tracing::info!(target: "weir::access", worker = worker.id().0, session = %id, reason = end.reason.label(), "session waits");
}

/// A client is back in its session.
pub(crate) fn resumed(worker: &Worker, id: ConnId, listener: ListenerId, peer: &str) {
    tracing::info!(
        target: "weir::access",
        session = %id,
        listener = name(worker, listener),
        peer,
        "session resumed"
    );
}

pub(crate) fn closed(worker: &Worker, id: ConnId, farewell: &Farewell) {
    let Farewell { listener, peer, end, messages: [inbound, outbound], bytes, health, opened_at, .. } =
        farewell;
    let Some(listener) = *listener else {
        tracing::debug!(target: "weir::upstream", connection = %id, reason = end.reason.label(), "upstream connection closed");
        return;
    };
    tracing::info!(
        target: "weir::access",
        session = %id,
        listener = name(worker, listener),
        peer = peer.as_deref().unwrap_or_default(),
        reason = end.reason.label(),
        by = end.reason.by().label(),
        code = end.said.code,
        said = &*end.said.reason,
        inbound,
        outbound,
        inbound_bytes = bytes[0],
        outbound_bytes = bytes[1],
        health = health.0.label(),
        score = health.1,
        seconds = worker.now().since(*opened_at).as_secs_f64(),
        "session closed"
    );
}

fn name(worker: &Worker, listener: ListenerId) -> &str {
    worker.snapshot().listeners.get(listener.index()).map_or("", |policy| &policy.name)
}
