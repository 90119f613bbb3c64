//! What is asked of `/v1/tap`, as it is written in its address.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt::Write as _;

/// The most of a payload that is shown, in bytes.
pub(crate) const MAX_PAYLOAD: usize = 64 << 10;
/// The most bytes that wait for one who reads slowly.
pub(crate) const MAX_BUFFER: usize = 16 << 20;
/// The most messages a second.
pub(crate) const MAX_RATE: u32 = 100_000;

/// Filters and bounds. Of each filter, one of its values must fit; of the filters, all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) listener: Vec<String>,
    /// Ids as logs show them.
    pub(crate) session: Vec<String>,
    /// Sessions that are in one of them, and messages that go to one.
    pub(crate) group: Vec<String>,
    pub(crate) plugin: Vec<String>,
    /// With `plugin`: of that one.
    pub(crate) verdict: Vec<String>,
    pub(crate) direction: Vec<String>,
    pub(crate) kind: Vec<String>,
    /// `routed`, `queued`, `dropped`, or the reason of a drop.
    pub(crate) fate: Vec<String>,
    /// Which part of what fits, above 0 and at most 1.
    pub(crate) sample: f64,
    /// What is sampled: whole sessions, not messages.
    pub(crate) by_session: bool,
    /// Messages a second.
    pub(crate) rate: u32,
    /// Bytes of each payload that are shown.
    pub(crate) payload: usize,
    /// Bytes that may wait to be read.
    pub(crate) buffer: usize,
    /// Places in JSON payloads (RFC 6901) whose values are not shown.
    pub(crate) redact: Vec<String>,
}

impl Default for Query {
    fn default() -> Self {
        let none = Vec::new;
        Self {
            listener: none(),
            session: none(),
            group: none(),
            plugin: none(),
            verdict: none(),
            direction: none(),
            kind: none(),
            fate: none(),
            sample: 1.0,
            by_session: true,
            rate: 1000,
            payload: 256,
            buffer: 1 << 20,
            redact: none(),
        }
    }
}

impl Query {
    /// Reads what stands behind the `?`. The error says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| format!("{key}: it is not UTF-8"))?.into_owned();
            query.set(key, value)?;
        }
        Ok(query)
    }

    /// Takes one filter or bound.
    pub(crate) fn set(&mut self, key: &str, value: String) -> Result<(), String> {
        const FILTERS: usize = 64;
        let list = match key {
            "listener" => &mut self.listener,
            "session" => &mut self.session,
            "group" => &mut self.group,
            "plugin" => &mut self.plugin,
            "verdict" => &mut self.verdict,
            "direction" => &mut self.direction,
            "kind" => &mut self.kind,
            "fate" => &mut self.fate,
            "redact" => &mut self.redact,
            "sample" => {
                self.sample = share(&value)?;
                return Ok(());
            }
            "by" => {
                self.by_session = match value.as_str() {
                    "session" => true,
                    "message" => false,
                    other => return Err(format!("by: session or message, not {other}")),
                };
                return Ok(());
            }
            "rate" => {
                self.rate = number(key, &value, 1, MAX_RATE as usize)? as u32;
                return Ok(());
            }
            "payload" => {
                self.payload = number(key, &value, 0, MAX_PAYLOAD)?;
                return Ok(());
            }
            "buffer" => {
                self.buffer = number(key, &value, 4096, MAX_BUFFER)?;
                return Ok(());
            }
            other => {
                return Err(format!(
                    "{other}: there is no such filter; there are listener, session, group, plugin, verdict, direction, kind, fate, \
                     sample, by, rate, payload, buffer and redact"
                ));
            }
        };
        if list.len() >= FILTERS {
            return Err(format!("{key}: at most {FILTERS} of it"));
        }
        list.push(value);
        Ok(())
    }

    /// What [`Query::parse`] reads.
    pub(crate) fn write(&self) -> String {
        let mut text = String::new();
        let mut add = |key: &str, value: &str| {
            let separator = if text.is_empty() { "" } else { "&" };
            let _ = write!(text, "{separator}{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        };
        let lists = [
            ("listener", &self.listener),
            ("session", &self.session),
            ("group", &self.group),
            ("plugin", &self.plugin),
            ("verdict", &self.verdict),
            ("direction", &self.direction),
            ("kind", &self.kind),
            ("fate", &self.fate),
            ("redact", &self.redact),
        ];
        for (key, values) in lists {
            for value in values {
                add(key, value);
            }
        }
        add("sample", &self.sample.to_string());
        add("by", if self.by_session { "session" } else { "message" });
        add("rate", &self.rate.to_string());
        add("payload", &self.payload.to_string());
        add("buffer", &self.buffer.to_string());
        text
    }
}

/// A part: `0.01` or `1%`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (digits, unit) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    let share = digits.trim().parse::<f64>().ok().map(|number| number / unit);
    share
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or_else(|| format!("sample: a part above 0 and at most 1, such as 1% or 0.01, not {text}"))
}

fn number(key: &str, text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{key}: a number from {least} to {most}, not {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let query = Query {
            listener: vec!["a".into(), "b&c=d".into()],
            session: vec!["1000000".into()],
            redact: vec!["/user/päss word".into()],
            sample: 0.01,
            by_session: false,
            rate: 7,
            payload: 0,
            buffer: 8192,
            ..Query::default()
        };
        assert_eq!(Query::parse(&query.write()), Ok(query));
        assert_eq!(Query::parse(""), Ok(Query::default()));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, complaint) in [
            ("colour=red", "there is no such filter"),
            ("sample=0", "above 0"),
            ("sample=101%25", "above 0"),
            ("sample=NaN", "above 0"),
            ("by=day", "session or message"),
            ("rate=0", "from 1"),
            ("payload=65537", "to 65536"),
            ("buffer=1", "from 4096"),
            ("listener=%ff", "UTF-8"),
        ] {
            let error = Query::parse(text).unwrap_err();
            assert!(error.contains(complaint), "{text}: {error}");
        }
        assert!((Query::parse("sample=5%25").unwrap().sample - 0.05).abs() < 1e-9);
        assert!(Query::parse(&"kind=text&".repeat(65)).unwrap_err().contains("at most"));
    }
}
