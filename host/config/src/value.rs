//! Values as they are written: sizes, durations, words; and what is said of those that are none.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::time::Duration;

/// A value that a key can have.
pub(crate) trait Read: Sized {
    /// From whatever stands in the file.
    fn read(value: &toml::Value) -> Result<Self, Fault>;
}

/// Why a value is not what its key needs; the sentence is made when the key is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not of the kind, or out of bounds.
    Wrong { needs: String, found: String },
    /// Not one of the words.
    Word { found: String, meant: Option<&'static str>, words: &'static [&'static str] },
    /// Part of the reference, but not of this version.
    NotYet { found: String, instead: &'static str },
}

impl Fault {
    pub(crate) fn wrong(needs: impl Into<String>, value: &toml::Value) -> Self {
        Self::Wrong { needs: needs.into(), found: describe(value) }
    }

    pub(crate) fn word(value: &toml::Value, words: &'static [&'static str]) -> Self {
        let meant = value.as_str().and_then(|text| similar(text, words.iter().copied()));
        Self::Word { found: describe(value), meant, words }
    }

    pub(crate) fn not_yet(value: &toml::Value, instead: &'static str) -> Self {
        Self::NotYet { found: describe(value), instead }
    }

    /// The sentence and the advice.
    pub(crate) fn explain(&self, key: &str) -> (String, Option<String>) {
        match self {
            Self::Wrong { needs, found } => (format!("`{key}` must be {needs}, not {found}"), None),
            Self::Word { found, meant: Some(meant), .. } => {
                (format!("`{key}` cannot be {found}: did you mean \"{meant}\"?"), None)
            }
            Self::Word { found, meant: None, words } => {
                (format!("`{key}` cannot be {found}"), Some(format!("it is {}", alternatives(words))))
            }
            Self::NotYet { found, instead } => {
                (format!("`{key} = {found}` is not available in this version of Weir; {instead}"), None)
            }
        }
    }
}

/// `"a", "b" or "c"`.
pub(crate) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The candidate that was probably meant: near in spelling, or begun alike.
pub(crate) fn similar<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    candidates
        .map(|candidate| {
            let other = candidate.to_lowercase();
            // In a short word one wrong letter is much of it.
            let slip = written.len() > 1 && strsim::osa_distance(&lower, &other) == 1;
            (if slip { 1.0 } else { strsim::jaro_winkler(&lower, &other) }, candidate)
        })
        .filter(|(nearness, _)| *nearness > 0.8)
        // The first of those that are equally near.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, candidate)| candidate)
}

/// A value as it is named in a sentence, short.
fn describe(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) if text.chars().count() > 60 => {
            format!("\"{}…\"", text.chars().take(60).collect::<String>().escape_debug())
        }
        toml::Value::String(text) => format!("\"{}\"", text.escape_debug()),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(truth) => truth.to_string(),
        toml::Value::Datetime(when) => when.to_string(),
        toml::Value::Array(_) => "a list".to_owned(),
        toml::Value::Table(_) => "a table".to_owned(),
    }
}

impl Read for String {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        value.as_str().map(str::to_owned).ok_or_else(|| Fault::wrong("a string", value))
    }
}

/// A count, from 0.
impl Read for u64 {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        let number = value.as_integer().ok_or_else(|| Fault::wrong("a whole number", value))?;
        Self::try_from(number).map_err(|_| Fault::wrong("0 or more", value))
    }
}

impl Read for bool {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        value.as_bool().ok_or_else(|| Fault::wrong("true or false", value))
    }
}

/// A part of a whole, above 0 and at most 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Fraction(pub(crate) f64);

impl Read for Fraction {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        let within = number.filter(|number| *number > 0.0 && *number <= 1.0);
        within.map(Self).ok_or_else(|| Fault::wrong("a number above 0 and at most 1, such as 0.85", value))
    }
}

impl JsonSchema for Fraction {
    fn schema_name() -> Cow<'static, str> {
        "Fraction".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 })
    }
}

/// Bytes: a plain number, or a number with kB, MB, KiB, MiB or GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) usize);

const SIZE: &str = "a size such as \"256KiB\", \"16 MiB\" or a number of bytes";
const UNITS: [(&str, usize); 8] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl Read for Size {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        let wrong = || Fault::wrong(SIZE, value);
        match value {
            toml::Value::Integer(number) => usize::try_from(*number).map(Self).map_err(|_| wrong()),
            toml::Value::String(text) => {
                let text = text.trim();
                let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
                let (number, unit) = text.split_at(digits);
                let number: usize = number.replace('_', "").parse().map_err(|_| wrong())?;
                let unit = unit.trim_start();
                let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
                number.checked_mul(*factor).map(Self).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        let unit = if self.0 == 1 { "byte" } else { "bytes" };
        write!(f, "{} {unit}", self.0)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": "size",
            "pattern": r"^\s*[0-9_]+\s*(B|kB|KB|MB|KiB|MiB|GiB)?\s*$",
            "minimum": 0,
        })
    }
}

/// A digest in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sha256(pub(crate) [u8; 32]);

impl Read for Sha256 {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        let wrong = || Fault::wrong("64 hexadecimal digits, as `sha256sum` prints them", value);
        let text = value.as_str().filter(|text| text.len() == 64 && text.is_ascii()).ok_or_else(wrong)?;
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            // A sign would be taken for part of a number.
            let digits = &text[at * 2..at * 2 + 2];
            let digits = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            *byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(wrong)?;
        }
        Ok(Self(digest))
    }
}

impl JsonSchema for Sha256 {
    fn schema_name() -> Cow<'static, str> {
        "Sha256".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$" })
    }
}

/// A duration: numbers with units, as in "10ms", "2s" or "1m30s".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Duration);

const TIME: &str = "a duration such as \"250ms\", \"10s\" or \"1m30s\"";

impl Read for Time {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        let wrong = || Fault::wrong(TIME, value);
        let text = value.as_str().ok_or_else(wrong)?;
        humantime::parse_duration(text).map(Self).map_err(|_| wrong())
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration-with-unit" })
    }
}

/// One worker per core, or so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerCount {
    Auto,
    Count(u64),
}

impl Read for WorkerCount {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        match value {
            toml::Value::String(word) if word == "auto" => Ok(Self::Auto),
            toml::Value::Integer(count @ 1..=256) => Ok(Self::Count(count.unsigned_abs())),
            _ => Err(Fault::wrong("\"auto\" or a number from 1 to 256", value)),
        }
    }
}

impl JsonSchema for WorkerCount {
    fn schema_name() -> Cow<'static, str> {
        "WorkerCount".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 256 }] })
    }
}

/// As much as there is, or so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryBound {
    Auto,
    Size(Size),
}

impl Read for MemoryBound {
    fn read(value: &toml::Value) -> Result<Self, Fault> {
        if value.as_str() == Some("auto") {
            return Ok(Self::Auto);
        }
        Size::read(value)
            .map(Self::Size)
            .map_err(|_| Fault::wrong("\"auto\" or a size such as \"2GiB\"", value))
    }
}

impl JsonSchema for MemoryBound {
    fn schema_name() -> Cow<'static, str> {
        "MemoryBound".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let size = Size::json_schema(generator);
        json_schema!({ "oneOf": [{ "const": "auto" }, size] })
    }
}
