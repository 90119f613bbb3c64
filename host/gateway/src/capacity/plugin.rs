//! What a plugin's own work on a message takes, on this machine, in the production runtime.

use crate::cli::Capacity;
use crate::run::{plugin_runtime, spec_of};
use anyhow::Context;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_capacity::{Coefficients, model::TOGETHER};
use weir_config::{Config, PluginSettings};
use weir_core::{
    BindingId, Call, Direction, Directory, Instance, Kind, Message, Payload, Program as _, Seat, SessionId,
    WorkerId,
};
use weir_plugin::BindingStore;

/// So many slices of this are taken, and the shortest counts: a loop that waits for nobody is only ever held up.
const SLICES: usize = 9;
const SLICE: Duration = Duration::from_millis(50);
/// The clock is read after so many calls.
const CALLS: u32 = 50;

/// What was found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Work {
    pub(super) name: String,
    pub(super) inbound: bool,
    pub(super) outbound: bool,
    /// Whether it is given the messages that come together in one call.
    pub(super) together: bool,
    /// Bytes of the message that it was given.
    pub(super) size: usize,
    /// In a loop alone, with the way into it and back; µs a message.
    pub(super) loop_us: f64,
    /// Without that way, as it was when the coefficients were measured; µs.
    pub(super) own_us: f64,
}

/// Compiles it and calls it for half a second.
pub(super) fn measure(file: &Path, options: &Capacity, coefficients: &Coefficients) -> anyhow::Result<Work> {
    let named = || file.display().to_string();
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", named()))?;
    let settings = match &options.plugin_config {
        None => PluginSettings::default(),
        Some(file) => weir_config::sidecar(file, &PluginSettings::default())
            .map_err(|errors| anyhow::anyhow!("{}", errors.to_string().trim_end()))?,
    };
    let payload = match &options.payload {
        None => sample(usize::try_from(options.size)?),
        Some(file) => std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
    };
    let runtime = plugin_runtime(&Config::zero().plugins, 1)?;
    let mut spec = spec_of(BindingId(0), &"capacity".into(), &settings);
    // What is measured is named on the command line; and where it is placed makes no difference to its work.
    (spec.sha256, spec.limits.offload) = (None, None);
    let generation = runtime
        .prepare(&bytes, &spec, &Arc::new(BindingStore::new(runtime.options())))
        .with_context(|| format!("{} (--plugin-config FILE gives it a config and grants)", named()))?;
    let seat = Seat { worker: WorkerId(0), directory: Arc::new(Directory::new(1)) };
    let mut instance = generation
        .instantiate(&seat, &mut Vec::new())
        .map_err(|failure| anyhow::anyhow!("{}: no instance: {}", named(), failure.detail))?;
    let together = generation.takes_several();
    let at_once = if together { options.burst.clamp(1.0, TOGETHER) as usize } else { 1 };
    let directions = generation.manifest().directions;
    let direction = if directions.inbound { Direction::Inbound } else { Direction::Outbound };
    let mut loop_us = f64::INFINITY;
    for _ in 0..SLICES {
        let took = run(&mut *instance, &payload, direction, at_once).map_err(|detail| {
            anyhow::anyhow!(
                "{}: it failed on the message: {detail} (--payload FILE gives it another)",
                named()
            )
        })?;
        loop_us = loop_us.min(took);
    }
    Ok(Work {
        name: generation.manifest().name.clone(),
        inbound: directions.inbound,
        outbound: directions.outbound,
        together,
        size: payload.len(),
        loop_us,
        own_us: (loop_us - coefficients.call.of(at_once as f64)).max(0.0),
    })
}

/// µs a message.
fn run(
    instance: &mut dyn Instance,
    payload: &[u8],
    direction: Direction,
    at_once: usize,
) -> Result<f64, String> {
    let session = SessionId::from_raw(0x1_0000_0001);
    let kind = if std::str::from_utf8(payload).is_ok() { Kind::Text } else { Kind::Binary };
    let message = |sequence: usize| Message {
        session,
        sequence: sequence as u64,
        direction,
        kind,
        payload: Payload::Borrowed(payload),
        lane: None,
        hops: 0,
        pressed: false,
    };
    let messages: Vec<_> = (1..=at_once).map(message).collect();
    let (mut call, mut verdicts, attributes) = (Call::default(), Vec::new(), Arc::default());
    let (begun, mut done) = (Instant::now(), 0_u32);
    while begun.elapsed() < SLICE {
        for _ in 0..CALLS {
            call.session = Some((session, Arc::clone(&attributes)));
            call.effects.clear();
            let said = if at_once > 1 {
                verdicts.clear();
                instance.messages(&messages, &mut call, &mut verdicts)
            } else {
                instance.message(&messages[0], &mut call).map(drop)
            };
            said.map_err(|failure| failure.detail.to_string())?;
        }
        done += CALLS;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(done) / at_once as f64)
}

/// A JSON object of that size, as far as there is room for one.
fn sample(size: usize) -> Vec<u8> {
    const HEAD: &str = r#"{"type":"message","from":"somebody","text":""#;
    const TAIL: &str = "\"}";
    match size.checked_sub(HEAD.len() + TAIL.len()) {
        Some(room) => [HEAD, &"the river is up ".repeat(room / 16 + 1)[..room], TAIL].concat().into_bytes(),
        None => vec![b'm'; size],
    }
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn a_sample_has_the_size_and_is_json_where_there_is_room() {
        for size in [0, 1, 45, 46, 64, 256, 1000, 65536] {
            let sample = sample(size);
            assert_eq!(sample.len(), size);
            assert_eq!(
                serde_json::from_slice::<serde_json::Value>(&sample).is_ok_and(|it| it.is_object()),
                size >= 46
            );
        }
    }
}
