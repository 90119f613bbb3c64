//! Decodes JSON with `serde_json` into a type that borrows from the message.

use message::{Config, Read, broken, by_all, by_device};
use serde::{Deserialize, Serialize};
use weir_sdk::{Message, Plugin, Verdict, plugin};

/// The plugin.
pub struct DecodeJson {
    read: Read,
}

#[derive(Deserialize, Serialize)]
struct Reading<'a> {
    device: &'a str,
    site: &'a str,
    at: u64,
    sequence: u64,
    level: f64,
    flow: f64,
    valid: bool,
    samples: Vec<Sample>,
    note: &'a str,
}

#[derive(Deserialize, Serialize)]
struct Sample {
    sensor: u32,
    value: f64,
}

/// Everything else is passed over.
#[derive(Deserialize)]
struct Device<'a> {
    device: &'a str,
}

#[plugin]
impl Plugin for DecodeJson {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { read: config.read })
    }

    fn on_message(&mut self, message: &Message) -> Verdict {
        match self.read {
            Read::Nothing => Verdict::forward(),
            Read::One => serde_json::from_slice::<Device<'_>>(message.payload())
                .map_or_else(|_| broken(), |reading| by_device(reading.device)),
            Read::All => serde_json::from_slice::<Reading<'_>>(message.payload()).map_or_else(
                |_| broken(),
                |Reading { device, site, at, sequence, level, flow, valid, samples, note }| {
                    let samples = samples.iter().map(|sample| (sample.sensor, sample.value));
                    by_all([device, site, note], [at, sequence], [level, flow], valid, samples)
                },
            ),
        }
    }
}

/// As a client sends it.
pub fn encode(reading: &message::Reading) -> Vec<u8> {
    let message::Reading { device, site, at, sequence, level, flow, valid, samples, note } = reading;
    let samples =
        samples.iter().map(|sample| Sample { sensor: sample.sensor, value: sample.value }).collect();
    let (at, sequence, level, flow, valid) = (*at, *sequence, *level, *flow, *valid);
    serde_json::to_vec(&Reading { device, site, at, sequence, level, flow, valid, samples, note })
        .unwrap_or_default()
}
