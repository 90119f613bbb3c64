//! What was measured, for programs and for people.

use crate::run::Measured;
use crate::settings::{Pace, Settings};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The points of a distribution that are told: key, heading, quantile.
const POINTS: [(&str, &str, f64); 4] =
    [("p50", "p50", 0.5), ("p90", "p90", 0.9), ("p99", "p99", 0.99), ("p999", "p99.9", 0.999)];
/// From this part of its cores on, the generator may be what was measured.
const BUSY: f64 = 0.95;

/// The result as it is compared and written: one JSON object.
pub(crate) fn json(settings: &Settings, measured: &Measured) -> Value {
    let tally = &measured.tally;
    let per_message = |time: std::time::Duration| time.as_secs_f64() * 1e6 / tally.received.max(1) as f64;
    let server = measured.server.as_ref().map(|server| {
        json!({
            "pid": server.pid,
            "processes": server.spent.processes,
            "cpu_us_per_message": (tally.received > 0).then(|| round(per_message(server.spent.total()))),
            "user_us": server.spent.user.as_micros() as u64,
            "system_us": server.spent.system.as_micros() as u64,
            "rss_bytes": server.resident,
            "rss_before_bytes": server.resident_before,
        })
    });
    let errors: serde_json::Map<String, Value> =
        tally.errors.iter().map(|(reason, trouble)| (reason.clone(), trouble.count.into())).collect();
    let mut result = json!({
        "weir": env!("CARGO_PKG_VERSION"),
        "url": settings.target.url,
        "settings": settings.described,
        "connections": {
            "asked": settings.connections,
            "open": tally.open,
            "failed": tally.failed,
            "closed": tally.closed,
        },
        "seconds": measured.seconds,
        "sent": tally.sent,
        "received": tally.received,
        "bytes_received": tally.bytes,
        "throughput": round(tally.received as f64 / measured.seconds),
        "latency_us": distribution(&tally.latency),
        "server": server,
        "generator": {
            "cpu_us_per_message": (tally.received > 0).then(|| round(per_message(measured.own.total()))),
            "busy": round(busy(settings, measured)),
        },
        "other_messages": tally.other,
        "errors": errors,
    });
    if let Pace::Rate(_) = settings.pace {
        result["lateness_us"] = distribution(&tally.lateness);
    }
    if measured.early {
        result["ended_early"] = true.into();
    }
    result
}

/// The part of the generator's threads' time in which they ran.
fn busy(settings: &Settings, measured: &Measured) -> f64 {
    measured.own.total().as_secs_f64() / measured.seconds / settings.threads as f64
}

/// In microseconds; `null` where there is nothing.
fn distribution(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let micros = |nanos: u64| round(nanos as f64 / 1e3);
    let mut points = json!({ "min": micros(histogram.min()), "mean": round(histogram.mean() / 1e3) });
    for (key, _, quantile) in POINTS {
        points[key] = micros(histogram.value_at_quantile(quantile)).into();
    }
    points["max"] = micros(histogram.max()).into();
    points
}

/// To three places: more is noise.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// Whether everything went as it should.
pub(crate) fn is_clean(measured: &Measured) -> bool {
    measured.tally.errors.is_empty() && measured.tally.failed == 0
}

/// For people.
pub(crate) fn human(settings: &Settings, measured: &Measured) -> String {
    let tally = &measured.tally;
    let mut out = String::new();
    // A String takes everything.
    let _ = writeln!(out, "{}\n{}\n", settings.target.url, heading(settings, measured));
    let mut row = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<12}{text}");
    };
    let lost = [("failed", tally.failed), ("closed by the server", tally.closed)];
    let lost = lost
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!(", {} {what}", thousands(*count)));
    row("connections", format!("{:>13} open{}", thousands(tally.open), lost.collect::<String>()));
    if settings.pace != Pace::Idle {
        let rate = |count: u64| thousands((count as f64 / measured.seconds).round() as u64);
        row("sent", format!("{:>13}    {:>11} a second", thousands(tally.sent), rate(tally.sent)));
        let megabytes = tally.bytes as f64 / measured.seconds / 1e6;
        row(
            if settings.groups.is_some() { "delivered" } else { "received" },
            format!(
                "{:>13}    {:>11} a second, {megabytes:.1} MB/s",
                thousands(tally.received),
                rate(tally.received)
            ),
        );
    }
    if tally.other > 0 {
        row("other", format!("{:>13} messages of the server's own", thousands(tally.other)));
    }
    if !tally.latency.is_empty() {
        let _ = write!(out, "\n{}", table(settings, measured));
    }
    out.push('\n');
    let mut row = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<12}{text}");
    };
    if let Some(server) = &measured.server {
        let spent = server.spent;
        let whole = spent.total().as_secs_f64();
        let kernel = spent.system.as_secs_f64() / whole.max(1e-9) * 100.0;
        let each = if tally.received > 0 {
            format!("{:.3} µs a message, ", whole * 1e6 / tally.received as f64)
        } else {
            String::new()
        };
        let processes =
            if spent.processes > 1 { format!(" of {} processes", spent.processes) } else { String::new() };
        row(
            "server",
            format!(
                "{each}{:.0} % of a core, {kernel:.0} % of it in the kernel; {} resident{processes} ({} before)",
                whole / measured.seconds * 100.0,
                megabytes(server.resident),
                megabytes(server.resident_before),
            ),
        );
    }
    let busy = busy(settings, measured);
    if tally.received > 0 {
        let each = measured.own.total().as_secs_f64() * 1e6 / tally.received as f64;
        row(
            "generator",
            format!("{each:.3} µs a message, {:.0} % of its {} busy", busy * 100.0, threads(settings)),
        );
    }
    row("errors", if tally.errors.is_empty() { "none".into() } else { String::new() });
    for (reason, trouble) in &tally.errors {
        let _ = writeln!(out, "    {:>11} {reason}: {}", thousands(trouble.count), trouble.about);
    }
    if busy > BUSY && settings.pace != Pace::Idle {
        let _ = writeln!(
            out,
            "\n  The generator was as busy as it can be: the server may do more. Give it --threads and cores of its own."
        );
    }
    if measured.early {
        let _ = writeln!(out, "\n  Ended early: {:.1} s were measured.", measured.seconds);
    }
    out
}

fn threads(settings: &Settings) -> String {
    if settings.threads == 1 { "thread".into() } else { format!("{} threads", settings.threads) }
}

fn heading(settings: &Settings, measured: &Measured) -> String {
    let described = &settings.described;
    let text = |key: &str| described[key].as_str().unwrap_or_default().to_owned();
    let payload = if described["payload"].is_string() {
        text("payload")
    } else {
        format!("{} bytes", text("size").replace(',', ", "))
    };
    let pace = match settings.pace {
        Pace::Closed(depth) => format!("{depth} in flight each"),
        Pace::Rate(rate) => format!("{rate} messages a second"),
        Pace::Idle => "idle".into(),
    };
    let groups = settings.groups.map_or_else(String::new, |groups| {
        format!(" in {} with {} each", count(groups.count, "group"), count(groups.publishers, "publisher"))
    });
    let order = if settings.marked { "" } else { "; without markers: answers are taken to come in order" };
    let what =
        if settings.pace == Pace::Idle { String::new() } else { format!(", {payload}, {}", text("kind")) };
    format!(
        "{}{groups}, {pace}{what}; {:.1} s after {:.1} s of warm-up{order}",
        count(settings.connections, "connection"),
        measured.seconds,
        settings.warm_up.as_secs_f64(),
    )
}

/// So many of something.
fn count(number: u32, what: &str) -> String {
    format!("{} {what}{}", thousands(number.into()), if number == 1 { "" } else { "s" })
}

fn table(settings: &Settings, measured: &Measured) -> String {
    let mut out = format!("  {:<12}", "µs");
    for name in ["min", "mean"].into_iter().chain(POINTS.iter().map(|(_, name, _)| *name)).chain(["max"]) {
        let _ = write!(out, "{name:>10}");
    }
    out.push('\n');
    let mut row = |name: &str, histogram: &Histogram<u64>| {
        let _ =
            write!(out, "  {name:<12}{:>10}{:>10}", micros(histogram.min() as f64), micros(histogram.mean()));
        for (_, _, quantile) in POINTS {
            let _ = write!(out, "{:>10}", micros(histogram.value_at_quantile(quantile) as f64));
        }
        let _ = writeln!(out, "{:>10}", micros(histogram.max() as f64));
    };
    row("latency", &measured.tally.latency);
    if matches!(settings.pace, Pace::Rate(_)) && !measured.tally.lateness.is_empty() {
        row("sent late", &measured.tally.lateness);
    }
    out
}

/// Nanoseconds as microseconds, with as many places as tell something.
fn micros(nanos: f64) -> String {
    let micros = nanos / 1e3;
    match micros {
        _ if micros < 100.0 => format!("{micros:.1}"),
        _ => thousands(micros.round() as u64),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// With a comma between each three digits.
pub(crate) fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let written: Vec<_> = [0, 999, 1_000, 1_234_567].into_iter().map(thousands).collect();
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((micros(1_234.0), micros(12_345_678.0)), ("1.2".into(), "12,346".into()));
    }

    #[test]
    fn a_distribution_has_its_points_in_microseconds() {
        let mut histogram = crate::tally::histogram();
        for value in 1..=1_000_u64 {
            histogram.record(value * 1_000).unwrap();
        }
        let points = distribution(&histogram);
        let near = |key: &str, value: f64| (points[key].as_f64().unwrap() - value).abs() <= value / 500.0;
        assert!(
            near("min", 1.0) && near("p50", 500.0) && near("p999", 999.0) && near("max", 1_000.0),
            "{points}"
        );
        assert_eq!(distribution(&crate::tally::histogram()), Value::Null);
    }
}
