//! What is to be recorded: asked on the command line, sent as a query, understood by the gateway.

use std::fmt::Write as _;
use std::time::Duration;
use weir_recording::{Bounds, Pointer, Redaction};

/// The longest recording.
const MAX_TIME: Duration = Duration::from_hours(24);
/// The most that may wait in the gateway, in bytes.
const MAX_BUFFER: u64 = 1 << 30;
/// The least: a message or two.
const MIN_BUFFER: u64 = 64 << 10;
/// The shortest file: a head and an end.
const MIN_BYTES: u64 = 64 << 10;
/// Pointers and names of attributes.
const MAX_NAMES: usize = 64;

/// What somebody wants recorded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// The listener's name.
    pub(crate) listener: String,
    /// Of the file.
    pub(crate) bounds: Bounds,
    /// For how long.
    pub(crate) time: Duration,
    /// What may wait in the gateway while the reader is slow, in bytes.
    pub(crate) buffer: u64,
    /// What is left out.
    pub(crate) redaction: Redaction,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            listener: String::new(),
            bounds: Bounds { bytes: 64 << 20, messages: 1_000_000 },
            time: Duration::from_mins(1),
            buffer: 16 << 20,
            redaction: Redaction::default(),
        }
    }
}

impl Wanted {
    /// From a query. The error says what to write instead.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut wanted = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_encoding::percent_decode_str(value).decode_utf8();
            wanted.set(key, &value.map_err(|_| format!("{key}: not UTF-8"))?)?;
        }
        if wanted.listener.is_empty() {
            return Err("listener: which one is to be recorded".into());
        }
        Ok(wanted)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "listener" => value.clone_into(&mut self.listener),
            "bytes" => self.bounds.bytes = number(key, value, MIN_BYTES, 1 << 40)?,
            "messages" => self.bounds.messages = number(key, value, 1, 1 << 40)?,
            "milliseconds" => {
                self.time = Duration::from_millis(number(key, value, 1, MAX_TIME.as_millis() as u64)?);
            }
            "buffer" => self.buffer = number(key, value, MIN_BUFFER, MAX_BUFFER)?,
            "redact" => {
                let pointer: Pointer = value.parse().map_err(|error| format!("redact: {error}"))?;
                self.redaction.pointers.push(pointer);
            }
            "attribute" => self.redaction.attributes.push(value.to_owned()),
            "payloads" => self.redaction.payloads = flag(key, value)?,
            "credentials" => self.redaction.credentials = flag(key, value)?,
            "config" => self.redaction.config = flag(key, value)?,
            _ => {
                return Err(format!(
                    "{key}: there is no such option; there are listener, bytes, messages, milliseconds, buffer, redact, attribute, \
                     payloads, credentials and config"
                ));
            }
        }
        if self.redaction.pointers.len().max(self.redaction.attributes.len()) > MAX_NAMES {
            return Err(format!("{key}: at most {MAX_NAMES} of it"));
        }
        Ok(())
    }

    /// What [`Wanted::parse`] reads.
    pub(crate) fn query(&self) -> String {
        let mut text = format!("listener={}", encoded(&self.listener));
        let Redaction { payloads, pointers, credentials, attributes, config } = &self.redaction;
        for (key, value) in [
            ("bytes", self.bounds.bytes),
            ("messages", self.bounds.messages),
            ("milliseconds", self.time.as_millis() as u64),
            ("buffer", self.buffer),
        ] {
            let _ = write!(text, "&{key}={value}");
        }
        for (key, value) in [("payloads", payloads), ("credentials", credentials), ("config", config)] {
            let _ = write!(text, "&{key}={value}");
        }
        for pointer in pointers {
            let _ = write!(text, "&redact={}", encoded(&String::from(pointer.clone())));
        }
        for attribute in attributes {
            let _ = write!(text, "&attribute={}", encoded(attribute));
        }
        text
    }
}

fn encoded(text: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}

fn number(key: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{key}: a number from {least} to {most}, not {text}"))
}

fn flag(key: &str, text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{key}: true or false, not {text}"))
}

/// A size for the command line: `64MiB`, `500KiB`, `1GiB` or a number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = split(text);
    let unit: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("a size, such as 64MiB, 500KiB or 1GiB".into()),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "a size, such as 64MiB, 500KiB or 1GiB".into())
}

/// A time for the command line: `60s`, `500ms`, `5m`, `1h`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let (digits, unit) = split(text);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time, such as 60s, 500ms, 5m or 1h".into()),
    };
    let time = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds));
    let time = time.map(Duration::from_millis).filter(|time| !time.is_zero() && *time <= MAX_TIME);
    time.ok_or_else(|| "a time up to a day, such as 60s, 500ms, 5m or 1h".into())
}

fn split(text: &str) -> (&str, &str) {
    let at = text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let wanted = Wanted {
            listener: "a&b=ü c".into(),
            bounds: Bounds { bytes: 1 << 20, messages: 7 },
            time: Duration::from_millis(1500),
            buffer: 1 << 20,
            redaction: Redaction {
                payloads: false,
                pointers: vec!["/user/päss word".parse().unwrap()],
                credentials: true,
                attributes: vec!["user".into()],
                config: false,
            },
        };
        assert_eq!(Wanted::parse(&wanted.query()), Ok(wanted));
        let least = Wanted { listener: "x".into(), ..Wanted::default() };
        assert_eq!(Wanted::parse("listener=x"), Ok(least));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (query, complaint) in [
            ("", "listener:"),
            ("listener=x&colour=red", "there is no such option"),
            ("listener=x&bytes=1", "bytes: a number from 65536"),
            ("listener=x&messages=0", "messages:"),
            ("listener=x&milliseconds=86400001", "milliseconds:"),
            ("listener=x&redact=user", "begins with /"),
            ("listener=x&payloads=no", "true or false"),
            ("listener=%ff", "UTF-8"),
        ] {
            let error = Wanted::parse(query).unwrap_err();
            assert!(error.contains(complaint), "{query}: {error}");
        }
        assert!(
            Wanted::parse(&format!("listener=x{}", "&redact=/a".repeat(65))).unwrap_err().contains("at most")
        );
    }

    #[test]
    fn sizes_and_times_are_read() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1000"), Ok(1000));
        assert!(size("64MB").is_err() && size("MiB").is_err() && size("99999999999GiB").is_err());
        assert_eq!(time("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert!(time("60").is_err() && time("0s").is_err() && time("25h").is_err());
    }
}
