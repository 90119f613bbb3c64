//! This result against another: an earlier one, or that of another server in turns.

use crate::Error;
use crate::report::thousands;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// What is compared.
struct Figure {
    /// For people.
    name: &'static str,
    /// For programs.
    key: &'static str,
    /// Where it stands in a result.
    pointer: &'static str,
    more_is_better: bool,
}

static FIGURES: [Figure; 5] = [
    figure("throughput", "throughput", "/throughput", true),
    figure("p50", "p50", "/latency_us/p50", false),
    figure("p99", "p99", "/latency_us/p99", false),
    figure("p99.9", "p999", "/latency_us/p999", false),
    figure("server CPU a message", "cpu", "/server/cpu_us_per_message", false),
];

const fn figure(
    name: &'static str,
    key: &'static str,
    pointer: &'static str,
    more_is_better: bool,
) -> Figure {
    Figure { name, key, pointer, more_is_better }
}

/// Reads an earlier result.
pub(crate) fn read(path: &Path) -> Result<Value, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
    let bad = |problem: String| Error::Compare { path: path.into(), problem };
    let result: Value = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if result["throughput"].is_number() && result["settings"].is_object() {
        Ok(result)
    } else {
        Err(bad("it has no throughput or no settings".into()))
    }
}

/// Settings in which two results differ.
pub(crate) fn differences(one: &Value, other: &Value) -> Vec<String> {
    let none = serde_json::Map::new();
    let [one, other] = [one, other].map(|result| result["settings"].as_object().unwrap_or(&none));
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    let text = |value: Option<&Value>| value.map_or_else(|| "nothing".into(), Value::to_string);
    let differs = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
    differs.map(|name| format!("{name}: {} against {}", text(one.get(name)), text(other.get(name)))).collect()
}

/// One figure over all pairs.
struct Ratios {
    of: &'static Figure,
    /// Medians of both sides.
    values: [f64; 2],
    /// This one divided by the other, of each pair.
    each: Vec<f64>,
}

/// The ratios of all figures that both results of every pair have.
fn ratios(pairs: &[(Value, Value)]) -> Vec<Ratios> {
    let ratios = |of: &'static Figure| {
        let value =
            |result: &Value| result.pointer(of.pointer).and_then(Value::as_f64).filter(|value| *value > 0.0);
        let values: Option<Vec<(f64, f64)>> =
            pairs.iter().map(|(one, other)| value(one).zip(value(other))).collect();
        let values = values.filter(|values| !values.is_empty())?;
        let sides = [values.iter().map(|pair| pair.0).collect(), values.iter().map(|pair| pair.1).collect()];
        let each = values.iter().map(|(one, other)| one / other).collect();
        Some(Ratios { of, values: sides.map(median), each })
    };
    FIGURES.iter().filter_map(ratios).collect()
}

/// For programs: `compare` of a result.
pub(crate) fn json(pairs: &[(Value, Value)], against: &str) -> Value {
    let mut all = serde_json::Map::new();
    for ratio in ratios(pairs) {
        let (low, high) = range(&ratio.each);
        let median = median(ratio.each.clone());
        let figures = json!({ "median": median, "low": low, "high": high, "pairs": ratio.each });
        all.insert(ratio.of.key.into(), figures);
    }
    json!({ "against": against, "ratios": all })
}

/// For people.
pub(crate) fn human(pairs: &[(Value, Value)], one: &str, other: &str) -> String {
    let mut out = String::new();
    let count = pairs.len();
    // A String takes everything.
    let _ = writeln!(out, "A  {one}\nB  {other}\n");
    let _ = writeln!(out, "{:>37}{:>13}{:>9}   of each pair", "A", "B", "A / B");
    for ratio in ratios(pairs) {
        let (low, high) = range(&ratio.each);
        let middle = median(ratio.each.clone());
        let better = if ratio.of.more_is_better { ["A", "B"] } else { ["B", "A"] };
        // One pair says nothing about the next.
        let verdict = match count {
            0 | 1 => String::new(),
            _ if low > 1.0 => format!("{} is better in every pair", better[0]),
            _ if high < 1.0 => format!("{} is better in every pair", better[1]),
            _ => "no difference that every pair shows".into(),
        };
        let each: Vec<String> = ratio.each.iter().map(|value| format!("{value:.2}")).collect();
        let [one, other] = ratio.values.map(number);
        let _ = writeln!(
            out,
            "  {:<22}{one:>13}{other:>13}{middle:>9.2}   {} ({low:.2}–{high:.2}) {verdict}",
            ratio.of.name,
            each.join(" ")
        );
    }
    for (pair, (one, other)) in pairs.iter().enumerate() {
        for (side, result) in [("A", one), ("B", other)] {
            if let Some(errors) = result["errors"].as_object().filter(|errors| !errors.is_empty()) {
                let _ = writeln!(out, "  pair {}, {side}: errors {}", pair + 1, Value::from(errors.clone()));
            }
        }
    }
    out
}

fn number(value: f64) -> String {
    if value >= 100.0 { thousands(value.round() as u64) } else { format!("{value:.2}") }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.get((values.len().max(1) - 1) / 2), values.get(values.len() / 2)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(throughput: f64, p50: f64) -> Value {
        json!({
            "throughput": throughput, "latency_us": { "p50": p50 }, "server": null, "errors": {},
            "settings": { "size": "64", "in_flight": 1 },
        })
    }

    #[test]
    fn each_pair_has_its_ratio() {
        let pairs = [
            (result(200.0, 1.0), result(100.0, 2.0)),
            (result(150.0, 1.0), result(100.0, 0.5)),
            (result(400.0, 1.0), result(100.0, 1.0)),
        ];
        let ratios = json(&pairs, "B")["ratios"].clone();
        assert_eq!(
            ratios["throughput"],
            json!({"median": 2.0, "low": 1.5, "high": 4.0, "pairs": [2.0, 1.5, 4.0]})
        );
        assert_eq!(ratios["p50"]["median"], 1.0);
        assert!(ratios.get("cpu").is_none());
        let text = human(&pairs, "one", "other");
        let line = |of: &str| text.lines().find(|line| line.trim().starts_with(of)).unwrap().to_owned();
        assert!(line("throughput").ends_with("A is better in every pair"), "{text}");
        assert!(line("p50").ends_with("no difference that every pair shows"), "{text}");
    }

    #[test]
    fn of_latency_less_is_better() {
        let pairs = [(result(1.0, 3.0), result(2.0, 1.0)), (result(1.0, 2.0), result(2.0, 1.0))];
        let text = human(&pairs, "one", "other");
        assert_eq!(text.matches("B is better in every pair").count(), 2, "{text}");
        let text = human(&pairs[..1], "one", "other");
        assert!(!text.contains("better"), "one pair is no proof: {text}");
    }

    #[test]
    fn settings_that_differ_are_named() {
        let (one, mut other) = (result(1.0, 1.0), result(1.0, 1.0));
        assert!(differences(&one, &other).is_empty());
        other["settings"] = json!({ "size": "128", "in_flight": 1, "ramp": 5 });
        assert_eq!(differences(&one, &other), ["ramp: nothing against 5", "size: \"64\" against \"128\""]);
    }
}
