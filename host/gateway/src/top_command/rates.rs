//! From two readings of the counters to what happened in a second between them.

use serde::Serialize;
use serde_json::Value;

/// What happened between two readings, a second; and what is now.
#[derive(Debug, Default, Serialize)]
pub(super) struct Rates {
    pub(super) time_us: u64,
    /// Between the readings.
    pub(super) seconds: f64,
    pub(super) version: String,
    pub(super) workers: u64,
    pub(super) ready: bool,
    pub(super) overload: u64,
    pub(super) listeners: Vec<Listener>,
    pub(super) plugins: Vec<Plugin>,
    /// The loudest first.
    pub(super) sessions: Vec<Session>,
    /// Whether messages of sessions are counted: with the second reading at the earliest.
    pub(super) counts_sessions: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) sessions: u64,
    pub(super) opened: f64,
    pub(super) received: f64,
    pub(super) received_bytes: f64,
    pub(super) delivered: f64,
    pub(super) delivered_bytes: f64,
    pub(super) dropped: f64,
}

/// A binding, or one of its generations.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Plugin {
    pub(super) name: String,
    /// The number of the one that serves, or its own; `past`: of all that are gone.
    pub(super) generation: String,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    pub(super) calls: f64,
    /// Of one processor.
    pub(super) cpu_percent: f64,
    /// Nanoseconds; `None`: there were no messages.
    pub(super) p50_ns: Option<f64>,
    pub(super) p99_ns: Option<f64>,
    pub(super) memory: u64,
    pub(super) memory_peak: u64,
    pub(super) forwarded: f64,
    pub(super) changed: f64,
    pub(super) dropped: f64,
    pub(super) closed: f64,
    pub(super) held: f64,
    pub(super) failed: f64,
    /// Those that have any, by cause.
    pub(super) failures: Vec<(String, f64)>,
    /// Only of a binding with more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) generations: Vec<Plugin>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Session {
    #[serde(rename = "session")]
    pub(super) id: String,
    pub(super) listener: String,
    pub(super) peer: String,
    pub(super) inbound: f64,
    pub(super) inbound_bytes: f64,
    pub(super) outbound: f64,
    pub(super) outbound_bytes: f64,
}

impl Rates {
    pub(super) fn between(before: &Value, now: &Value) -> Self {
        let micros = number(now, "time_us").saturating_sub(number(before, "time_us"));
        let seconds = (micros as f64 / 1e6).max(1e-3);
        let bounds: Vec<f64> = items(now, "latency_bounds_ns").filter_map(Value::as_f64).collect();
        let since = |list: &str, name: &str| find(before, list, "name", name);
        let listeners = items(now, "listeners")
            .map(|now| Listener::new(since("listeners", text(now, "name")), now, seconds));
        let plugins = items(now, "bindings").map(|now| {
            let before = since("bindings", text(now, "name"));
            let mut plugin = Plugin::new(before, now, seconds, &bounds);
            text(now, "name").clone_into(&mut plugin.name);
            plugin.state = match (text(now, "state"), now["probation"] == true) {
                ("active", true) => "probation".to_owned(),
                (state, _) => state.to_owned(),
            };
            plugin.reason = now["reason"].as_str().map(str::to_owned);
            let generations = items(now, "generations").map(|now| {
                let same = |was: &&Value| was["generation"] == now["generation"];
                let before = before.and_then(|before| items(before, "generations").find(same));
                Plugin::new(before, now, seconds, &bounds)
            });
            plugin.generations = generations.filter(|generation| generation.generation != "past").collect();
            if plugin.generations.len() < 2 {
                plugin.generations.clear();
            }
            plugin
        });
        let counted = &now["sessions"];
        let over = counted["seconds"].as_f64().unwrap_or(0.0);
        let sessions = items(counted, "loudest").map(|session| Session::new(session, over.max(1e-3)));
        Self {
            time_us: number(now, "time_us"),
            seconds,
            version: text(now, "version").to_owned(),
            workers: number(now, "workers"),
            ready: now["ready"] == true,
            overload: number(now, "overload"),
            listeners: listeners.collect(),
            plugins: plugins.collect(),
            sessions: sessions.collect(),
            counts_sessions: over > 0.0,
        }
    }
}

impl Listener {
    fn new(before: Option<&Value>, now: &Value, seconds: f64) -> Self {
        let rate = |key: &str| rate(before, now, key, seconds);
        Self {
            name: text(now, "name").to_owned(),
            sessions: number(now, "sessions"),
            opened: rate("opened"),
            received: rate("received"),
            received_bytes: rate("received_bytes"),
            delivered: rate("delivered"),
            delivered_bytes: rate("delivered_bytes"),
            dropped: rate("dropped_inbound") + rate("dropped_outbound"),
        }
    }
}

impl Plugin {
    fn new(before: Option<&Value>, now: &Value, seconds: f64, bounds: &[f64]) -> Self {
        let counted = |key: &str| rate(before, now, key, seconds);
        let part =
            |group: &str, key: &str| rate(before.map(|before| &before[group]), &now[group], key, seconds);
        let latency = |value: &Value| items(value, "latency").filter_map(Value::as_u64).collect::<Vec<_>>();
        let mut buckets = latency(now);
        if let Some(before) = before {
            buckets
                .iter_mut()
                .zip(latency(before))
                .for_each(|(now, before)| *now = now.saturating_sub(before));
        }
        let causes = now["failures"].as_object().into_iter().flat_map(|causes| causes.keys());
        let failures: Vec<_> = causes
            .map(|cause| (cause.clone(), part("failures", cause)))
            .filter(|(_, rate)| *rate > 0.0)
            .collect();
        let generation = &now["generation"];
        Self {
            generation: generation.as_str().map_or_else(|| generation.to_string(), str::to_owned),
            calls: counted("calls"),
            cpu_percent: counted("cpu_ns") / 1e7,
            p50_ns: quantile(&buckets, bounds, 0.5),
            p99_ns: quantile(&buckets, bounds, 0.99),
            memory: number(now, "memory"),
            memory_peak: number(now, "memory_peak"),
            forwarded: part("verdicts", "forward"),
            changed: part("verdicts", "change"),
            dropped: part("verdicts", "drop"),
            closed: part("verdicts", "close") + part("verdicts", "refuse"),
            held: part("verdicts", "hold"),
            // Nothing at all adds up to a negative zero, and is shown as one.
            failed: failures.iter().fold(0.0, |sum, (_, rate)| sum + rate),
            failures,
            ..Self::default()
        }
    }
}

impl Session {
    fn new(now: &Value, seconds: f64) -> Self {
        let rate = |key: &str| number(now, key) as f64 / seconds;
        Self {
            id: text(now, "session").to_owned(),
            listener: text(now, "listener").to_owned(),
            peer: text(now, "peer").to_owned(),
            inbound: rate("inbound"),
            inbound_bytes: rate("inbound_bytes"),
            outbound: rate("outbound"),
            outbound_bytes: rate("outbound_bytes"),
        }
    }
}

/// The value that this part of the calls did not exceed, as exactly as the buckets tell: evenly spread within each.
fn quantile(buckets: &[u64], bounds: &[f64], part: f64) -> Option<f64> {
    let total: u64 = buckets.iter().sum();
    let mut left = total as f64 * part;
    let mut low = 0.0;
    for (at, count) in buckets.iter().enumerate() {
        // The last has no bound; what is in it took at least as long as its lower one.
        let high = bounds.get(at).copied().unwrap_or(low);
        let count = *count as f64;
        if count > 0.0 && left <= count {
            return Some(low + (high - low) * left / count);
        }
        left -= count;
        low = high;
    }
    (total > 0).then_some(low)
}

fn rate(before: Option<&Value>, now: &Value, key: &str, seconds: f64) -> f64 {
    let before = before.map_or(0, |before| number(before, key));
    number(now, key).saturating_sub(before) as f64 / seconds
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or(0)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn find<'a>(value: &'a Value, list: &str, key: &str, is: &str) -> Option<&'a Value> {
    items(value, list).find(|item| text(item, key) == is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantiles_lie_within_their_buckets() {
        let bounds = [1_000.0, 2_000.0, 4_000.0];
        assert_eq!(quantile(&[0, 0, 0, 0], &bounds, 0.5), None);
        assert_eq!(quantile(&[10, 0, 0, 0], &bounds, 0.5), Some(500.0));
        assert_eq!(quantile(&[50, 50, 0, 0], &bounds, 0.5), Some(1_000.0));
        assert_eq!(quantile(&[98, 0, 2, 0], &bounds, 0.99), Some(3_000.0));
        assert_eq!(quantile(&[1, 0, 0, 99], &bounds, 0.99), Some(4_000.0), "at least");
    }

    #[test]
    fn rates_are_what_came_between() {
        let reading = |time: u64, calls: u64| {
            json!({
                "time_us": time, "version": "1", "workers": 2, "ready": true, "overload": 0, "latency_bounds_ns": [1_000],
                "listeners": [{ "name": "l", "sessions": 3, "received": calls * 2, "dropped_inbound": calls, "dropped_outbound": calls }],
                "bindings": [{
                    "name": "p", "state": "active", "probation": true, "generation": 2, "calls": calls, "cpu_ns": calls * 1_000_000,
                    "memory": 5, "latency": [calls, 0], "verdicts": { "drop": calls }, "failures": { "trap": calls, "deadline": 0 },
                    "generations": [{ "generation": 1, "calls": 7 }, { "generation": 2, "calls": calls }, { "generation": "past", "calls": 1 }],
                }],
                "sessions": { "seconds": 2.0, "loudest": [{ "session": "a", "inbound": 10 }] },
            })
        };
        let rates = Rates::between(&reading(1_000_000, 10), &reading(3_000_000, 30));
        let (listener, plugin) = (&rates.listeners[0], &rates.plugins[0]);
        assert_eq!((listener.sessions, listener.received, listener.dropped), (3, 20.0, 20.0));
        assert_eq!((plugin.calls, plugin.cpu_percent, plugin.dropped), (10.0, 1.0, 10.0));
        assert_eq!((plugin.state.as_str(), plugin.p50_ns, plugin.failed), ("probation", Some(500.0), 10.0));
        assert_eq!(plugin.failures, [("trap".to_owned(), 10.0)]);
        let generations: Vec<_> =
            plugin.generations.iter().map(|one| (one.generation.as_str(), one.calls)).collect();
        assert_eq!(generations, [("1", 0.0), ("2", 10.0)]);
        assert!((rates.sessions[0].inbound - 5.0).abs() < 1e-9);
        let quiet = Rates::between(&reading(3_000_000, 30), &reading(4_000_000, 30));
        assert!(quiet.plugins[0].failed.is_sign_positive());
        // A gateway that was started anew counts from zero.
        assert!(
            Rates::between(&reading(3_000_000, 30), &reading(4_000_000, 2)).plugins[0].calls.abs() < 1e-9
        );
    }
}
