//! The first line of a recording.

use crate::replay::convert;
use crate::run::Shared;
use std::time::{SystemTime, UNIX_EPOCH};
use weir_core::{Direction, Directions, ListenerId, OnFailure};
use weir_plugin::Generation;
use weir_recording::{Header, Limits, Plugin, Redaction, VERSION};

/// What is recorded from now on, and with which plugins. `began`: in microseconds since 1970.
pub(crate) fn header(shared: &Shared, listener: ListenerId, began: u64, redaction: Redaction) -> Header {
    let snapshot = shared.snapshot.load();
    let policy = &snapshot.listeners[listener.index()];
    let catalogue = shared.catalogue.load();
    let generation = |name: &str| catalogue.as_ref().and_then(|catalogue| catalogue.serving(name));
    let links = policy.chain.links().iter();
    let plugins = links.filter_map(|link| Some(plugin(&link.name, &*generation(&link.name)?))).collect();
    Header {
        version: VERSION,
        weir: env!("CARGO_PKG_VERSION").into(),
        began,
        monotonic: catalogue.as_ref().map_or(0, |catalogue| catalogue.monotonic()),
        listener: (*policy.name).into(),
        join: policy.join.iter().map(|group| (**group).into()).collect(),
        plugins,
        redaction,
    }
}

fn plugin(name: &str, generation: &Generation) -> Plugin {
    let spec = generation.spec();
    let limits = &spec.limits;
    Plugin {
        name: name.into(),
        generation: generation.number(),
        sha256: generation.digest().to_string(),
        directions: directions(generation.manifest().directions),
        on_failure: match spec.on_failure {
            OnFailure::Closed => "closed",
            OnFailure::Open => "open",
            OnFailure::Close => "close",
        }
        .into(),
        config: Some(spec.config.clone()).filter(|config| !config.is_null()),
        grants: spec.grants.iter().map(|capability| capability.name().into()).collect(),
        limits: Limits {
            deadline_us: limits.deadline.as_micros() as u64,
            setup_deadline_us: limits.setup_deadline.as_micros() as u64,
            memory: limits.memory as u64,
            table_elements: limits.table_elements as u64,
            max_output: limits.max_output as u64,
            max_effects: limits.max_effects as u64,
        },
    }
}

fn directions(wanted: Directions) -> Vec<weir_recording::Direction> {
    let both = [Direction::Inbound, Direction::Outbound];
    both.into_iter().filter(|way| wanted.contains(*way)).map(convert::direction).collect()
}

/// Microseconds since 1970; 0 before that.
pub(crate) fn micros(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
