//! What can be set from outside, for a quick look: `PAIRS`, `SLICE_MS`, `ONLY`, `PEERS`, `LOAD`.

use crate::works;
use anyhow::{Result, ensure};
use std::time::Duration;

/// Of each turn, before it is measured.
pub(crate) const WARM_UP: Duration = Duration::from_millis(300);

/// How long a run is, and of what.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Rounds in which every system has its turn; the bar asks for five.
    pub(crate) pairs: usize,
    /// What is measured of a turn.
    pub(crate) slice: Duration,
    /// Before it.
    pub(crate) warm_up: Duration,
    /// Whether `weir bench` is the load where messages come back, and not the one built in, which does less with what comes.
    pub(crate) weir_bench: bool,
    /// Kinds of work; all where this is empty.
    only: Vec<String>,
    /// Systems; all where this is empty. Weir is always there.
    peers: Vec<String>,
}

impl Settings {
    /// `PAIRS` (5), `SLICE_MS` (1000), `ONLY` (`echo,idle`), `PEERS` (`bun,nginx`), `LOAD` (`weir`, or `built-in`). It fails where
    /// `ONLY` names what there is not: nothing would be measured.
    pub(crate) fn read() -> Result<Self> {
        let list = |name: &str| -> Vec<String> {
            let text = std::env::var(name).unwrap_or_default();
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let only = list("ONLY");
        for name in &only {
            let known = works::names();
            ensure!(known.contains(&name.as_str()), "ONLY={name}: there are {}", known.join(", "));
        }
        Ok(Self {
            pairs: number("PAIRS", 5) as usize,
            slice: Duration::from_millis(number("SLICE_MS", 1_000)),
            warm_up: WARM_UP,
            weir_bench: std::env::var("LOAD").map_or(true, |load| load != "built-in"),
            only,
            peers: list("PEERS"),
        })
    }

    pub(crate) fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == workload)
    }

    pub(crate) fn invites(&self, system: &str) -> bool {
        self.peers.is_empty()
            || system.starts_with(crate::WEIR)
            || self.peers.iter().any(|name| system.contains(name.as_str()))
    }
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).filter(|value| *value > 0).unwrap_or(default)
}
