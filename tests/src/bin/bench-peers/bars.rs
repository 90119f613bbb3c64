//! The bars of speed, each as a ratio, green or red.

use crate::results::{Case, Results};
use crate::spread::Spread;
use crate::{WEIR, WEIR_PLUGIN, echo, fanout, idle, latency, proxy, scripting};

/// One bar.
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) limit: String,
    /// What was measured, for people.
    pub(crate) measured: String,
    /// Whether it is reached; nothing where it was not measured.
    pub(crate) green: Option<bool>,
}

impl Bar {
    fn of(what: &str, limit: &str, measured: Option<(String, bool)>) -> Self {
        let (measured, green) =
            measured.map_or_else(|| ("not measured".into(), None), |(text, green)| (text, Some(green)));
        Self { what: what.into(), limit: limit.into(), measured, green }
    }
}

/// All of them, in the order in which they were set.
pub(crate) fn all(results: &Results) -> Vec<Bar> {
    let mut bars = vec![
        plugin(
            results,
            "a plugin that forwards everything against none, echo, one message in flight",
            &["100 × 1", "1,000 × 1"],
            0.95,
        ),
        plugin(results, "the same, 64 deep", &["100 × 64"], 0.80),
    ];
    for peer in ["bun", "nats-server"] {
        for own in [WEIR, WEIR_PLUGIN] {
            for (work, cases) in
                [(echo::NAME, &["100 × 1", "100 × 16", "100 × 64"][..]), (fanout::NAME, &[][..])]
            {
                bars.push(ahead(results, work, cases, own, peer));
            }
        }
    }
    for peer in ["nginx + njs", "HAProxy + Lua", "bun handler", "Node handler"] {
        bars.push(ahead(results, scripting::NAME, &[], WEIR_PLUGIN, peer));
    }
    bars.push(proxying(results));
    bars.extend(memory(results));
    bars.extend(among_many(results));
    bars.push(calm(results));
    bars
}

/// Of throughput and of CPU time the worse: where the load is the limit, throughput alone says too little.
fn plugin(results: &Results, what: &str, cases: &[&str], bar: f64) -> Bar {
    let measured = results.workload(echo::NAME).and_then(|work| {
        let mut worst: Option<(f64, String)> = None;
        for name in cases {
            let case = work.case(name)?;
            let (with, without) = (case.series(WEIR_PLUGIN)?, case.series(WEIR)?);
            let rate = Spread::ratio(with, without, "rate")?;
            let cost = Spread::ratio(without, with, "cost")?;
            let value = rate.middle.min(cost.middle);
            if worst.as_ref().is_none_or(|(worst, _)| value < *worst) {
                worst = Some((
                    value,
                    format!(
                        "{name}: {} of the throughput, {} of the messages for the same CPU time",
                        shown(rate),
                        shown(cost)
                    ),
                ));
            }
        }
        worst.map(|(value, text)| (text, value >= bar))
    });
    Bar::of(what, &format!("at least {bar:.2}"), measured)
}

/// CPU time of a peer against ours; of several cases each has to be ahead.
fn ahead(results: &Results, work: &str, cases: &[&str], own: &str, peer: &str) -> Bar {
    let measured = results.workload(work).and_then(|workload| {
        let found: Vec<(&str, Spread)> = workload
            .cases
            .iter()
            .filter(|case| cases.is_empty() || cases.contains(&case.name.as_str()))
            .filter_map(|case| Some((case.name.as_str(), cost(case, peer, own)?)))
            .collect();
        let worst = found.iter().map(|(_, ratio)| ratio.middle).reduce(f64::min)?;
        let text: Vec<String> =
            found.iter().map(|(name, ratio)| format!("{name}: {}", shown(*ratio))).collect();
        Some((text.join("; "), worst >= 1.0))
    });
    Bar::of(&format!("{work}: CPU time a message, {peer}’s against that of {own}"), "at least 1", measured)
}

/// The peer's cost divided by ours: above 1 we are ahead.
pub(crate) fn cost(case: &Case, peer: &str, own: &str) -> Option<Spread> {
    Spread::ratio(case.series(peer)?, case.series(own)?, "cost")
}

fn proxying(results: &Results) -> Bar {
    let measured = results.workload(proxy::BYTES_NAME).and_then(|work| {
        let found: Vec<(&str, &str, Spread)> = work
            .cases
            .iter()
            .filter_map(|case| {
                let ratios =
                    ["HAProxy", "nginx"].into_iter().filter_map(|peer| Some((peer, cost(case, peer, WEIR)?)));
                // The better peer is the one with the lower ratio.
                let (peer, ratio) = ratios.min_by(|one, two| one.1.middle.total_cmp(&two.1.middle))?;
                Some((case.name.as_str(), peer, ratio))
            })
            .collect();
        let worst = found.iter().map(|(.., ratio)| ratio.middle).reduce(f64::min)?;
        let text: Vec<String> =
            found.iter().map(|(name, peer, ratio)| format!("{name}: {} ({peer})", shown(*ratio))).collect();
        Some((text.join("; "), worst >= 0.95))
    });
    Bar::of(
        "proxying bytes: CPU time a message, that of the better of HAProxy and nginx against Weir’s",
        "at least 0.95",
        measured,
    )
}

fn memory(results: &Results) -> Vec<Bar> {
    let of = |system: &str| {
        let case = results.workload(idle::NAME)?.cases.first()?;
        Spread::figure(case.series(system)?, "bytes")
    };
    let bytes = |spread: Spread| format!("{:.0} bytes ({:.0}–{:.0})", spread.middle, spread.low, spread.high);
    let weir = of(WEIR);
    vec![
        Bar::of(
            "memory of an idle WebSocket session",
            "1,280 bytes at most",
            weir.map(|spread| (bytes(spread), spread.middle <= 1_280.0)),
        ),
        Bar::of(
            "the same: the aim",
            "below bun’s in the same run",
            weir.zip(of("bun")).map(|(weir, bun)| {
                (format!("{} against {}", bytes(weir), bytes(bun)), weir.middle < bun.middle)
            }),
        ),
        Bar::of(
            "memory of an idle WebSocket session over TLS",
            "12,288 bytes at most",
            results
                .alone
                .get("idle/WebSocket over TLS/bytes")
                .map(|bytes| (format!("{bytes:.0} bytes"), *bytes <= 12_288.0)),
        ),
    ]
}

/// The bar can be read in two ways, so both are there: whoever talks beside many that are idle, and everybody talking.
fn among_many(results: &Results) -> Vec<Bar> {
    let bar = |what: &str, figure: &str| {
        let of = |name: &str| results.alone.get(&format!("cost/18000/{figure}{name}")).copied();
        let spread = of("").map(|middle| Spread {
            middle,
            low: of("-low").unwrap_or(middle),
            high: of("-high").unwrap_or(middle),
        });
        let measured = spread.map(|spread| (shown(spread), spread.middle <= 1.15));
        Bar::of(what, "at most 1.15", measured)
    };
    vec![
        bar("cost of a message at 18,000 sessions against 100: those 100 talk, the others are idle", "ratio"),
        bar("the same: all 18,000 talk in turn", "all"),
    ]
}

/// Ours, and those of the others beside it: what the machine and the load add, they add to all.
fn calm(results: &Results) -> Bar {
    let measured = results.workload(latency::NAME).and_then(|work| {
        let case = work.cases.first()?;
        let text: Vec<String> = case
            .series
            .iter()
            .filter_map(|series| {
                Some(format!("{}: {}", series.system, shown(Spread::figure(series, "ratio")?)))
            })
            .collect();
        let ours = Spread::figure(case.series(WEIR)?, "ratio")?;
        Some((text.join("; "), ours.middle <= 3.0))
    });
    Bar::of("p99 against the median, at 70 % of the highest throughput", "at most 3", measured)
}

/// The middle, and the range.
pub(crate) fn shown(spread: Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", spread.middle, spread.low, spread.high)
}
