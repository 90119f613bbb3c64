//! `POST /v1/plugins/NAME/ORDER` and `POST /v1/config/reload`: what changes something.

use super::Served;
use super::connections::{Leash, Peer};
use crate::run::{Operator, PluginOrder, What};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::sync::Arc;

/// The most bytes of a note.
const MAX_NOTE: usize = 512;

/// 200: what can change without a restart is in force; 409: everything is as it was, and why.
pub(super) async fn reload(
    State(admin): State<Arc<Served>>,
    Extension(leash): Extension<Arc<Leash>>,
) -> Response {
    let Some(orders) = admin.shared.orders.get() else { return not_now() };
    let Some(reloaded) = leash.wait_for(orders.reload()).await else { return not_now() };
    let status = if reloaded.is_refused() { StatusCode::CONFLICT } else { StatusCode::OK };
    (status, Json(reloaded.json())).into_response()
}

/// 200: it is done; 404: there is no such binding, or no such order; 409: everything is as it was, and why.
pub(super) async fn plugin(
    State(admin): State<Arc<Served>>,
    Extension(leash): Extension<Arc<Leash>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path((binding, order)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(what) = What::of(&order) else {
        let words = What::ALL.map(What::word).join(", ");
        let error = format!("there is no order {order:?}; there are {words}");
        return (StatusCode::NOT_FOUND, Json(json!({ "result": "unknown", "error": error }))).into_response();
    };
    let note = match note(query.as_deref().unwrap_or_default()) {
        Ok(note) => note,
        Err(error) => {
            let refused = json!({ "result": "refused", "order": order, "error": error });
            return (StatusCode::BAD_REQUEST, Json(refused)).into_response();
        }
    };
    let Some(orders) = admin.shared.orders.get() else { return not_now() };
    let order = PluginOrder { binding: binding.into(), what, by: Operator { peer, note } };
    let Some(done) = leash.wait_for(orders.plugin(order)).await else { return not_now() };
    let status = StatusCode::from_u16(done.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(done.json())).into_response()
}

fn not_now() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the gateway is starting or ending, or has too many orders to carry out\n",
    )
        .into_response()
}

/// `reason=TEXT`, percent-encoded, or nothing.
fn note(query: &str) -> Result<Option<Box<str>>, String> {
    let mut note = None;
    for (key, value) in query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        if key != "reason" {
            return Err(format!("there is no {key:?} to say; there is reason=TEXT"));
        }
        let spaced = value.replace('+', " ");
        let text =
            percent_decode_str(&spaced).decode_utf8().map_err(|_| "the reason is not UTF-8".to_owned())?;
        if text.len() > MAX_NOTE {
            return Err(format!("the reason has {} bytes; the most is {MAX_NOTE}", text.len()));
        }
        note = Some(text.trim()).filter(|text| !text.is_empty()).map(Into::into);
    }
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read() {
        for (query, expected) in [
            ("", None),
            ("reason=", None),
            ("reason=too+slow", Some("too slow")),
            ("reason=100%25%20%C3%BC", Some("100% ü")),
        ] {
            assert_eq!(note(query).unwrap().as_deref(), expected, "{query}");
        }
        for wrong in ["why=x", "reason=%ff", &format!("reason={}", "x".repeat(513))] {
            assert!(note(wrong).is_err(), "{wrong}");
        }
    }
}
