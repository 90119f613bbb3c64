//! The message of the decoding experiment, and what its plugins are told.

use weir_sdk::Verdict;

/// A reading of a gauge, as an application would send it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Who sends it; the field that plugins decide by.
    pub device: String,
    /// Where that stands.
    pub site: String,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Counts up.
    pub sequence: u64,
    /// Metres.
    pub level: f64,
    /// Cubic metres a second.
    pub flow: f64,
    /// Whether the gauge trusts itself.
    pub valid: bool,
    /// Of its sensors.
    pub samples: Vec<Sample>,
    /// For people.
    pub note: String,
}

/// Of one sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Which.
    pub sensor: u32,
    /// What it says.
    pub value: f64,
}

/// The one that is measured, with so many samples.
pub fn sample(samples: u32) -> Reading {
    Reading {
        device: "gauge-0017".into(),
        site: "north".into(),
        at: 1_763_798_400_123,
        sequence: 48_211,
        level: 2.41,
        flow: 131.5,
        valid: true,
        samples: (1..=samples)
            .map(|sensor| Sample { sensor, value: 2.0 + f64::from(sensor) / 8.0 })
            .collect(),
        note: "second mark, lower weir open".into(),
    }
}

/// What a plugin reads of a message.
#[weir_sdk::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Read {
    /// Nothing: what the plugin costs without decoding.
    Nothing,
    /// The device alone.
    One,
    /// Every field.
    #[default]
    All,
}

/// The config of each plugin.
#[weir_sdk::config]
#[derive(Default)]
pub struct Config {
    /// What it reads of a message.
    #[serde(default)]
    pub read: Read,
}

/// The verdict on a message of which one field was read.
pub fn by_device(device: &str) -> Verdict {
    if device.starts_with("gauge-") { Verdict::forward() } else { Verdict::drop("not-a-gauge") }
}

/// The verdict on a message of which all fields were read: it depends on each of them.
pub fn by_all(
    texts: [&str; 3],
    numbers: [u64; 2],
    values: [f64; 2],
    valid: bool,
    samples: impl Iterator<Item = (u32, f64)>,
) -> Verdict {
    let letters: usize = texts.iter().map(|text| text.bytes().filter(|byte| *byte == b'e').count()).sum();
    let sum: f64 = samples.map(|(sensor, value)| f64::from(sensor) * value).sum();
    if valid && letters > 0 && numbers.iter().all(|number| *number > 0) && sum + values[0] + values[1] > 0.0 {
        by_device(texts[0])
    } else {
        Verdict::drop("not-valid")
    }
}

/// The verdict on what cannot be decoded.
pub fn broken() -> Verdict {
    Verdict::drop("cannot-decode")
}
