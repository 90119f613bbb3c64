//! The watch over memory, descriptors and lateness, and what follows: idle sessions go, some sessions go, nobody new comes in. The
//! workers and the listeners do it; here it is decided.

mod ladder;
mod measure;

pub(crate) use ladder::Level;
pub(crate) use measure::Beat;

use super::shared::Shared;
use ladder::{Ladder, Orders};
use measure::{Meter, Pressure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use weir_core::{Shed, Shedding};

/// How often it is measured.
const INTERVAL: Duration = Duration::from_millis(200);

/// How things stand, for health and metrics.
#[derive(Debug, Default)]
pub(crate) struct View {
    level: AtomicU8,
    /// The bits of an `f64` each, as in [`Pressure::each`].
    pressure: [AtomicU64; 3],
    /// How often each step was taken.
    entries: [AtomicU64; 3],
}

impl View {
    /// 0 to 3.
    pub(crate) fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.level() == Level::Refuse as u8
    }

    /// By resource.
    pub(crate) fn pressure(&self) -> [(&'static str, f64); 3] {
        let names = Pressure::default().each().map(|(name, _)| name);
        std::array::from_fn(|at| (names[at], f64::from_bits(self.pressure[at].load(Ordering::Relaxed))))
    }

    /// By step.
    pub(crate) fn entries(&self) -> [(&'static str, u64); 3] {
        std::array::from_fn(|at| (Level::STEPS[at].label(), self.entries[at].load(Ordering::Relaxed)))
    }

    fn show(&self, before: Level, level: Level, pressure: &Pressure) {
        for (place, (_, value)) in self.pressure.iter().zip(pressure.each()) {
            place.store(value.to_bits(), Ordering::Relaxed);
        }
        for (count, _) in
            self.entries.iter().zip(Level::STEPS).filter(|(_, step)| before < *step && *step <= level)
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.level.store(level as u8, Ordering::Relaxed);
    }
}

/// Watches until the process ends.
pub(crate) async fn watch(
    config: weir_config::Overload,
    shared: Arc<Shared>,
    door: Arc<weir_transport::Overload>,
    workers: watch::Sender<Option<Shedding>>,
    began: Instant,
) {
    if !config.enabled {
        return;
    }
    let mut meter = Meter::new(&config, shared.beats.clone(), began);
    let mut ladder = Ladder::new(&config);
    let mut level = Level::Calm;
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (pressure, descriptors) = meter.measure();
        if let Some(limit) = descriptors {
            door.set_descriptors((limit as f64 * config.steps.refuse) as usize, limit);
        }
        let orders = ladder.observe(began.elapsed(), pressure.highest());
        shared.overload.show(level, orders.level, &pressure);
        door.set_refusing(orders.level == Level::Refuse);
        let plan = plan(&config, orders);
        workers.send_if_modified(|before| {
            let differs = *before != plan;
            *before = plan;
            differs
        });
        tell(level, orders.level, &pressure);
        level = orders.level;
    }
}

/// What the workers are to do.
fn plan(config: &weir_config::Overload, orders: Orders) -> Option<Shedding> {
    let whom = match orders.level {
        Level::Calm => return None,
        Level::Idle => Shed::Idle(config.silent),
        Level::Drain | Level::Refuse => Shed::Any,
    };
    orders.shedding.then_some(Shedding { whom, share: config.share, retry: config.retry })
}

fn tell(before: Level, now: Level, pressure: &Pressure) {
    let [memory, descriptors, delay] = pressure.each().map(|(_, value)| (value * 100.0).round() / 100.0);
    if now > before {
        tracing::warn!(step = now.label(), memory, descriptors, delay, "overloaded: {}", does(now));
    } else if now < before {
        tracing::info!(step = now.label(), memory, descriptors, delay, "less overloaded: {}", does(now));
    }
}

fn does(level: Level) -> &'static str {
    match level {
        Level::Calm => "nothing is done about it any more",
        Level::Idle => "idle sessions are closed",
        Level::Drain => "some sessions are closed",
        Level::Refuse => "some sessions are closed, and new connections are refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_that_is_taken_is_counted_and_none_that_ends() {
        let view = View::default();
        let pressure = Pressure { memory: 0.5, descriptors: 0.97, delay: 0.0 };
        view.show(Level::Calm, Level::Refuse, &pressure);
        assert!(view.is_refusing());
        view.show(Level::Refuse, Level::Idle, &pressure);
        view.show(Level::Idle, Level::Drain, &pressure);
        assert_eq!(view.entries(), [("idle", 1), ("drain", 2), ("refuse", 1)]);
        assert_eq!((view.level(), view.pressure()[1]), (2, ("descriptors", 0.97)));
    }
}
