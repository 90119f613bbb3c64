//! The access record: one line when a session opens, one when it ends.

use weir_core::{ConnId, End, Farewell, ListenerId, Worker};

pub(crate) fn opened(worker: &Worker, id: ConnId, listener: ListenerId, peer: &str) {
    tracing::debug!(
        target: "weir::access",
        session = %id,
        listener = name(worker, listener),
        peer,
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
        tracing::debug!(target: "weir::access", connection = %id, reason = end.reason.label(), "upstream connection closed");
        return;
    };
    tracing::info!(
        target: "weir::access",
        session = %id,
        listener = name(worker, listener),
        peer = peer.as_deref().unwrap_or_default(),
        reason = end.reason.label(),
        by = end.reason.by(),
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
