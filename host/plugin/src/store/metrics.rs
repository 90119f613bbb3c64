//! What a plugin counts and measures itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The most names of a binding.
pub const MAX_NAMES: usize = 64;
/// The most bytes in a name.
const MAX_BYTES: usize = 64;

/// The metrics of one binding.
#[derive(Debug, Default)]
pub struct Metrics {
    series: RwLock<HashMap<Arc<str>, Arc<Series>>>,
    refused: AtomicU64,
}

/// Why a metric was not taken; it is counted, and the call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MetricError {
    #[error("a metric's name has 1 to {MAX_BYTES} of the characters a-z, 0-9 and _")]
    Name,
    #[error("a binding has at most {MAX_NAMES} metrics")]
    TooMany,
    #[error("a metric is either a count, a gauge or a histogram, and this one began as another")]
    Kind,
    #[error("a metric's value is a finite number")]
    NotFinite,
}

/// One metric.
#[derive(Debug)]
pub(crate) enum Series {
    Count(AtomicU64),
    /// The bits of an `f64`.
    Gauge(AtomicU64),
    Histogram(Box<Buckets>),
}

/// Counts of values by size.
#[derive(Debug)]
pub(crate) struct Buckets {
    counts: [AtomicU64; HistogramReading::BOUNDS.len() + 1],
    /// The bits of an `f64`.
    sum: AtomicU64,
}

/// One metric as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Shown as `weir_custom_<name>`.
    pub name: Arc<str>,
    /// Of which kind, and how much.
    pub value: Value,
}

/// A metric's value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Only grows.
    Count(u64),
    /// The last value set.
    Gauge(f64),
    /// A distribution.
    Histogram(HistogramReading),
}

/// A distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramReading {
    /// Values by bucket, not cumulative; the last has no upper bound.
    pub counts: [u64; Self::BOUNDS.len() + 1],
    /// Of all values.
    pub sum: f64,
}

impl HistogramReading {
    /// Upper bounds of the buckets, inclusive. A plugin gives no unit, so they span nine decades in steps of about three.
    pub const BOUNDS: [f64; 19] = [
        0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5,
        1e6,
    ];
}

/// The three kinds, for making one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeriesKind {
    Count,
    Gauge,
    Histogram,
}

impl Series {
    fn new(kind: SeriesKind) -> Self {
        match kind {
            SeriesKind::Count => Self::Count(AtomicU64::new(0)),
            SeriesKind::Gauge => Self::Gauge(AtomicU64::new(0)),
            SeriesKind::Histogram => Self::Histogram(Box::new(Buckets {
                counts: std::array::from_fn(|_| AtomicU64::new(0)),
                sum: AtomicU64::new(0),
            })),
        }
    }

    pub(crate) fn count(&self, by: u64) -> Result<(), MetricError> {
        let Self::Count(count) = self else { return Err(MetricError::Kind) };
        // Always stores: the closure never gives `None`. It stays at its most rather than begin again.
        let _ =
            count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count.saturating_add(by)));
        Ok(())
    }

    pub(crate) fn set(&self, value: f64) -> Result<(), MetricError> {
        let Self::Gauge(bits) = self else { return Err(MetricError::Kind) };
        finite(value)?;
        bits.store(value.to_bits(), Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn observe(&self, value: f64) -> Result<(), MetricError> {
        let Self::Histogram(buckets) = self else { return Err(MetricError::Kind) };
        finite(value)?;
        let bucket = HistogramReading::BOUNDS.partition_point(|bound| *bound < value);
        buckets.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // Always stores: the closure never gives `None`.
        let _ = buckets.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        Ok(())
    }

    fn read(&self) -> Value {
        match self {
            Self::Count(count) => Value::Count(count.load(Ordering::Relaxed)),
            Self::Gauge(bits) => Value::Gauge(f64::from_bits(bits.load(Ordering::Relaxed))),
            Self::Histogram(buckets) => Value::Histogram(HistogramReading {
                counts: std::array::from_fn(|bucket| buckets.counts[bucket].load(Ordering::Relaxed)),
                sum: f64::from_bits(buckets.sum.load(Ordering::Relaxed)),
            }),
        }
    }
}

fn finite(value: f64) -> Result<(), MetricError> {
    if value.is_finite() { Ok(()) } else { Err(MetricError::NotFinite) }
}

impl Metrics {
    /// The metric of this name, made if there is room.
    pub(crate) fn series(&self, name: &str, kind: SeriesKind) -> Result<Arc<Series>, MetricError> {
        if let Some(series) = self.series.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(series.clone());
        }
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > MAX_BYTES || !name.bytes().all(allowed) {
            return Err(MetricError::Name);
        }
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        if series.len() >= MAX_NAMES && !series.contains_key(name) {
            return Err(MetricError::TooMany);
        }
        Ok(series.entry(name.into()).or_insert_with(|| Arc::new(Series::new(kind))).clone())
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls that named no metric that can be: a bad name, one too many, another kind than before, a value that is not finite.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// All metrics, by name.
    pub fn read(&self) -> Vec<Reading> {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let mut readings: Vec<_> = series
            .iter()
            .map(|(name, series)| Reading { name: name.clone(), value: series.read() })
            .collect();
        readings.sort_by(|one, other| one.name.cmp(&other.name));
        readings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_back() {
        let metrics = Metrics::default();
        metrics.series("hits", SeriesKind::Count).unwrap().count(2).unwrap();
        let most = metrics.series("most", SeriesKind::Count).unwrap();
        (0..2).for_each(|_| most.count(u64::MAX).unwrap());
        metrics.series("depth", SeriesKind::Gauge).unwrap().set(-1.5).unwrap();
        let sizes = metrics.series("size", SeriesKind::Histogram).unwrap();
        sizes.observe(1.0).unwrap();
        sizes.observe(1e9).unwrap();
        let read = metrics.read();
        assert_eq!(read[0], Reading { name: "depth".into(), value: Value::Gauge(-1.5) });
        assert_eq!(read[1], Reading { name: "hits".into(), value: Value::Count(2) });
        assert_eq!(read[2].value, Value::Count(u64::MAX));
        let Value::Histogram(sizes) = &read[3].value else { panic!("{read:?}") };
        assert_eq!((sizes.counts[6], sizes.counts[19]), (1, 1));
        assert!((sizes.sum - 1_000_000_001.0).abs() < 0.1);
    }

    #[test]
    fn names_are_few_and_plain() {
        let metrics = Metrics::default();
        for bad in ["", "A", "a-b", "é", &"a".repeat(65)] {
            assert_eq!(metrics.series(bad, SeriesKind::Count).unwrap_err(), MetricError::Name);
        }
        for number in 0..MAX_NAMES {
            metrics.series(&format!("n{number}"), SeriesKind::Count).unwrap();
        }
        assert_eq!(metrics.series("more", SeriesKind::Count).unwrap_err(), MetricError::TooMany);
        let first = metrics.series("n0", SeriesKind::Gauge).unwrap();
        assert_eq!(first.set(1.0), Err(MetricError::Kind));
        assert_eq!(metrics.series("n1", SeriesKind::Count).unwrap().observe(1.0), Err(MetricError::Kind));
    }
}
