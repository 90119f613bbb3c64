//! Decodes Protocol Buffers with `prost`.

use message::{Config, Read, broken, by_all, by_device};
use prost::Message as _;
use weir_sdk::{Message, Plugin, Verdict, plugin};

/// The plugin.
pub struct DecodeProtobuf {
    read: Read,
}

/// `reading.proto`, as `prost-build` would write it.
#[derive(Clone, PartialEq, prost::Message)]
struct Reading {
    #[prost(string, tag = "1")]
    device: String,
    #[prost(string, tag = "2")]
    site: String,
    #[prost(uint64, tag = "3")]
    at: u64,
    #[prost(uint64, tag = "4")]
    sequence: u64,
    #[prost(double, tag = "5")]
    level: f64,
    #[prost(double, tag = "6")]
    flow: f64,
    #[prost(bool, tag = "7")]
    valid: bool,
    #[prost(message, repeated, tag = "8")]
    samples: Vec<Sample>,
    #[prost(string, tag = "9")]
    note: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(uint32, tag = "1")]
    sensor: u32,
    #[prost(double, tag = "2")]
    value: f64,
}

/// Everything else is passed over.
#[derive(Clone, PartialEq, prost::Message)]
struct Device {
    #[prost(string, tag = "1")]
    device: String,
}

#[plugin]
impl Plugin for DecodeProtobuf {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { read: config.read })
    }

    fn on_message(&mut self, message: &Message) -> Verdict {
        match self.read {
            Read::Nothing => Verdict::forward(),
            Read::One => Device::decode(message.payload())
                .map_or_else(|_| broken(), |reading| by_device(&reading.device)),
            Read::All => Reading::decode(message.payload()).map_or_else(
                |_| broken(),
                |Reading { device, site, at, sequence, level, flow, valid, samples, note }| {
                    let samples = samples.iter().map(|sample| (sample.sensor, sample.value));
                    by_all([&device, &site, &note], [at, sequence], [level, flow], valid, samples)
                },
            ),
        }
    }
}

/// As a client sends it.
pub fn encode(reading: &message::Reading) -> Vec<u8> {
    let message::Reading { device, site, at, sequence, level, flow, valid, samples, note } = reading.clone();
    let samples =
        samples.iter().map(|sample| Sample { sensor: sample.sensor, value: sample.value }).collect();
    Reading { device, site, at, sequence, level, flow, valid, samples, note }.encode_to_vec()
}
