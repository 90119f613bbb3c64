//! A scrape of `/metrics`, and the sums that must match to the message.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One scrape.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<Sample>);

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// What is not zero.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Sample { name, labels, value } in self.0.iter().filter(|sample| sample.value != 0.0) {
            writeln!(f, "{name}{labels:?} {value}")?;
        }
        Ok(())
    }
}

impl Metrics {
    /// Reads the `OpenMetrics` text format, as far as Weir writes it.
    pub fn parse(page: &str) -> Self {
        let samples = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| {
                let (name, value) = label.split_once("=\"")?;
                Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
            });
            Sample {
                name: name.to_owned(),
                labels: labels.collect(),
                value: value.parse().expect("a number"),
            }
        });
        Self(samples.collect())
    }

    /// The sum over all samples of a family that have these labels. The family's name is without `weir_` and `_total`.
    pub fn sum(&self, family: &str, labels: &[(&str, &str)]) -> u64 {
        let matches = |sample: &&Sample| {
            let name = sample.name.trim_start_matches("weir_").trim_end_matches("_total");
            name == family
                && labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|is| is == value))
        };
        let found: Vec<_> = self.0.iter().filter(matches).collect();
        found.iter().map(|sample| sample.value).sum::<f64>() as u64
    }

    /// Whether a family is on the page at all, so that a misspelt name is not taken for a zero.
    pub fn has(&self, family: &str) -> bool {
        self.0
            .iter()
            .any(|sample| sample.name.trim_start_matches("weir_").trim_end_matches("_total") == family)
    }

    /// What is of no listener, and of every listener but this one.
    #[must_use]
    pub fn without(mut self, listener: &str) -> Self {
        self.0.retain(|sample| sample.labels.get("listener").is_none_or(|name| name != listener));
        self
    }

    /// So long did this part of what a histogram has counted since an earlier scrape take at most: the upper bound of its bucket, over
    /// all samples that have these labels. `None`: nothing was counted, or it is beyond the last bound.
    pub fn quantile(
        &self,
        family: &str,
        labels: &[(&str, &str)],
        part: f64,
        earlier: &Self,
    ) -> Option<Duration> {
        let family = format!("{family}_seconds_bucket");
        let count = |bound: &str| {
            let labels = [labels, &[("le", bound)]].concat();
            self.sum(&family, &labels) - earlier.sum(&family, &labels)
        };
        let name = format!("weir_{family}");
        let bounds: Vec<&str> = self
            .0
            .iter()
            .filter(|sample| sample.name == name)
            .filter_map(|sample| Some(sample.labels.get("le")?.as_str()))
            .collect();
        let rank = ((count("+Inf") as f64) * part).ceil() as u64;
        let finite = bounds.into_iter().filter_map(|bound| Some((bound, bound.parse::<f64>().ok()?)));
        let reached = finite.filter(|(bound, value)| value.is_finite() && rank > 0 && count(bound) >= rank);
        reached.map(|(_, value)| Duration::from_secs_f64(value)).min()
    }

    /// Panics unless every message that was accepted has exactly one fate and none is under way.
    pub fn assert_ledger(&self) {
        if let Err(what) = self.ledger() {
            panic!("the ledger does not add up: {what}");
        }
    }

    /// Whether every message that was accepted has exactly one fate and none is under way; if not, which sums differ. While messages
    /// are under way they may: a message is written before it is counted, and a scrape reads one counter after the other.
    pub fn ledger(&self) -> Result<(), String> {
        let of = |family: &str, labels: &[(&str, &str)]| {
            assert!(self.has(family), "no family {family}");
            self.sum(family, labels)
        };
        let equal = |what: &str, all: u64, parts: &[u64]| {
            let same = all == parts.iter().sum::<u64>();
            if same { Ok(()) } else { Err(format!("{what}: {all}, but {parts:?}")) }
        };
        let dropped = |direction| of("messages_dropped", &[("direction", direction)]);
        let inbound = [of("messages_routed", &[]), dropped("inbound"), of("messages_held", &[])];
        equal("received = routed + dropped + held", of("messages_received", &[]), &inbound)?;
        let waiting = of("messages_waiting_behind_hold", &[]) + of("messages_waiting_away", &[]);
        let outbound = [of("messages_delivered", &[]), dropped("outbound"), waiting];
        equal("offered = delivered + dropped + waiting", of("messages_offered", &[]), &outbound)?;
        let sends = [of("plugin_messages_routed", &[]), of("plugin_messages_dropped", &[])];
        equal("plugins: sent = routed + dropped", of("plugin_messages_sent", &[]), &sends)?;
        if self.has("upstream_messages_offered") {
            let upstream = [of("upstream_messages_delivered", &[]), of("upstream_messages_dropped", &[])];
            equal(
                "upstream: offered = delivered + dropped",
                of("upstream_messages_offered", &[]),
                &upstream,
            )?;
        }
        Ok(())
    }
}
