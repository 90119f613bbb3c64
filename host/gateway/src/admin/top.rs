//! `/v1/top`: what `weir top` needs, counters as they are; whoever asks twice has rates.

use super::Served;
use super::metrics::kinds;
use crate::run::Shared;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_core::{CallTotals, FailureCause, Histogram, ListenerStats};
use weir_plugin::BindingStatus;

/// The most sessions that are told.
const MOST_SESSIONS: usize = 100;

/// `?sessions=N` counts the messages of sessions from the first time on that it is asked, until some seconds after the last.
pub(super) async fn top(State(admin): State<Arc<Served>>, RawQuery(query): RawQuery) -> Response {
    let asked =
        query.as_deref().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("sessions="));
    let sessions = asked.and_then(|count| count.parse().ok()).unwrap_or(0_usize).min(MOST_SESSIONS);
    axum::Json(admin.shared.top(sessions)).into_response()
}

/// Lets the sessions be when nobody asks about them any more. Never ends.
pub(super) async fn tidy(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shared.loudest.tidy();
    }
}

impl Shared {
    fn top(&self, sessions: usize) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let listeners = self.listener_names.iter().enumerate();
        json!({
            "time_us": now.as_micros() as u64,
            "version": env!("CARGO_PKG_VERSION"),
            "workers": self.stats.len(),
            "ready": self.ready.load(Ordering::Acquire),
            "overload": self.overload.level(),
            "latency_bounds_ns": Histogram::BOUNDS,
            "listeners": listeners.map(|(at, name)| self.listener(at, name)).collect::<Value>(),
            "bindings": self.binding_counters(),
            "sessions": if sessions == 0 { Value::Null } else { self.loudest(sessions) },
        })
    }

    fn listener(&self, at: usize, name: &str) -> Value {
        let sum = |read: &dyn Fn(&ListenerStats) -> u64| -> u64 {
            self.stats.iter().map(|worker| read(&worker.listeners[at])).sum()
        };
        json!({
            "name": name,
            "sessions": sum(&|stats| stats.sessions.value()),
            "opened": sum(&|stats| stats.opened.value()),
            "received": sum(&|stats| stats.inbound.received.value()),
            "received_bytes": sum(&|stats| stats.inbound.received_bytes.value()),
            "delivered": sum(&|stats| stats.outbound.delivered.value()),
            "delivered_bytes": sum(&|stats| stats.outbound.delivered_bytes.value()),
            "dropped_inbound": sum(&|stats| stats.inbound.dropped.total()),
            "dropped_outbound": sum(&|stats| stats.outbound.dropped.total()),
        })
    }

    fn binding_counters(&self) -> Value {
        let Some(catalogue) = &*self.catalogue.load() else { return json!([]) };
        let counters = |status: BindingStatus| {
            let (live, past) = catalogue.store(&status.name)?.generations();
            let mut totals = past;
            for (_, generation) in &live {
                totals.add(generation);
            }
            let mut generations: Vec<Value> =
                live.iter().map(|(number, counted)| of_calls(&json!(number), counted)).collect();
            if past.calls > 0 {
                generations.push(of_calls(&json!("past"), &past));
            }
            let mut all =
                of_calls(&json!(status.serving.as_ref().map_or(0, |serving| serving.generation)), &totals);
            // State, and why, as `/v1/plugins` has them.
            let state = serde_json::to_value(&status.state).unwrap_or_default();
            all["name"] = json!(status.name);
            all["state"] = state["state"].clone();
            all["reason"] = state["reason"].clone();
            all["disabled"] = json!(status.disabled_ms.is_some());
            all["probation"] = json!(status.probation);
            all["generations"] = json!(generations);
            Some(all)
        };
        catalogue.status().into_iter().filter_map(counters).collect()
    }

    fn loudest(&self, most: usize) -> Value {
        let Some((loudest, time)) = self.loudest.ask(&self.views, self.stats.len(), most) else {
            return Value::Null;
        };
        let listener = |at: usize| self.listener_names.get(at).cloned().unwrap_or_default();
        let all = loudest.iter().map(|(session, count)| {
            json!({
                "session": session.to_string(),
                "listener": listener(count.listener.index()),
                "peer": &*count.peer,
                "inbound": count.messages[0],
                "inbound_bytes": count.bytes[0],
                "outbound": count.messages[1],
                "outbound_bytes": count.bytes[1],
            })
        });
        json!({ "seconds": time.as_secs_f64(), "loudest": all.collect::<Vec<_>>() })
    }
}

fn of_calls(generation: &Value, totals: &CallTotals) -> Value {
    let verdicts: Map<String, Value> =
        kinds(totals).into_iter().map(|(kind, count)| (kind.to_owned(), count.into())).collect();
    let failures: Map<String, Value> = FailureCause::ALL
        .into_iter()
        .map(|cause| (cause.label().to_owned(), totals.failure(cause).into()))
        .collect();
    json!({
        "generation": generation,
        "calls": totals.calls,
        "messages": totals.messages(),
        "skipped": totals.skipped,
        "batches": totals.batches,
        "batches_failed": totals.batches_failed,
        "cpu_ns": totals.cpu_ns,
        "waiting": totals.waiting(),
        "memory": totals.memory,
        "memory_peak": totals.memory_peak,
        "latency": totals.latency,
        "verdicts": verdicts,
        "failures": failures,
    })
}
