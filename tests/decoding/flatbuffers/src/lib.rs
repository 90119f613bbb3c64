//! Decodes `FlatBuffers` with `planus`: nothing is taken apart beforehand, each access is checked.

#[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, dead_code, clippy::allow_attributes_without_reason, reason = "generated: see reading.fbs")]
#[rustfmt::skip]
mod generated;

use generated::reading;
use message::{Config, Read, broken, by_all, by_device};
use planus::ReadAsRoot as _;
use weir_sdk::{Message, Plugin, Verdict, plugin};

/// The plugin.
pub struct DecodeFlatbuffers {
    read: Read,
}

#[plugin]
impl Plugin for DecodeFlatbuffers {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { read: config.read })
    }

    fn on_message(&mut self, message: &Message) -> Verdict {
        let decided = match self.read {
            Read::Nothing => return Verdict::forward(),
            Read::One => one(message.payload()),
            Read::All => all(message.payload()),
        };
        decided.unwrap_or_else(|_| broken())
    }
}

fn one(payload: &[u8]) -> planus::Result<Verdict> {
    Ok(by_device(reading::ReadingRef::read_as_root(payload)?.device()?))
}

fn all(payload: &[u8]) -> planus::Result<Verdict> {
    let reading = reading::ReadingRef::read_as_root(payload)?;
    let samples = reading.samples()?;
    let samples = samples.into_iter().flatten().map(|sample| (sample.sensor(), sample.value()));
    Ok(by_all(
        [reading.device()?, reading.site()?, reading.note()?],
        [reading.at()?, reading.sequence()?],
        [reading.level()?, reading.flow()?],
        reading.valid()?,
        samples,
    ))
}

/// As a client sends it.
pub fn encode(reading: &message::Reading) -> Vec<u8> {
    let message::Reading { device, site, at, sequence, level, flow, valid, samples, note } = reading.clone();
    let samples = samples.iter().map(|sample| reading::Sample { sensor: sample.sensor, value: sample.value });
    let samples = Some(samples.collect());
    let reading = reading::Reading { device, site, at, sequence, level, flow, valid, samples, note };
    planus::Builder::new().finish(reading, None).to_vec()
}
