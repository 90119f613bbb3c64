//! Looks on all messages, and compares what it saw with what was counted.

use crate::scene::STAGES;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use weir_core::{
    Depth, Direction, DropReason, Fate, Glimpse, ListenerStats, Record, SessionId, Tap, TargetKind,
    WorkerStats,
};

/// What all workers' taps saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By stage, the one for sessions that are not there last.
    stages: Vec<Stage>,
    /// No message has two fates.
    ended: HashSet<(SessionId, Direction, u64)>,
}

#[derive(Clone, Debug, Default)]
struct Stage {
    routed: u64,
    queued: u64,
    dropped: [Vec<u64>; 2],
}

#[derive(Debug)]
struct Onlooker(Arc<Mutex<Seen>>);

impl Seen {
    pub(crate) fn new() -> Arc<Mutex<Self>> {
        let dropped = [vec![0; DropReason::ALL.len()], vec![0; DropReason::ALL.len()]];
        let stages = vec![Stage { dropped, ..Stage::default() }; STAGES.len()];
        Arc::new(Mutex::new(Self { stages, ended: HashSet::new() }))
    }

    pub(crate) fn tap(seen: &Arc<Mutex<Self>>) -> Box<dyn Tap> {
        Box::new(Onlooker(seen.clone()))
    }

    /// When everything is over.
    pub(crate) fn compare(&self, stats: &[Arc<WorkerStats>]) {
        for (at, stage) in self.stages.iter().enumerate() {
            let sum = |read: &dyn Fn(&ListenerStats) -> u64| -> u64 {
                stats.iter().map(|worker| read(&worker.listeners[at])).sum()
            };
            let name = STAGES[at].name;
            let routed = sum(&|stats| {
                TargetKind::ALL.iter().map(|kind| stats.inbound.routed[*kind as usize].value()).sum()
            });
            assert_eq!(stage.routed, routed, "{name}: routed");
            for (reason, seen) in DropReason::ALL.iter().zip(&stage.dropped[0]) {
                if *reason == DropReason::Moved {
                    // Its fate is the new listener's.
                    assert_eq!(*seen, 0);
                    continue;
                }
                let counted = sum(&|stats| stats.inbound.dropped.of(*reason).value());
                assert_eq!(*seen, counted, "{name}: inbound, {}", reason.label());
            }
            // What is dropped from a queue, or offered when its session had ended, had no record, or another fate before.
            let offered = sum(&|stats| stats.outbound.offered.value());
            let delivered = sum(&|stats| stats.outbound.delivered.value());
            let dropped: u64 = stage.dropped[1].iter().sum();
            assert!(stage.queued >= delivered, "{name}: {} queued, {delivered} delivered", stage.queued);
            let late = sum(&|stats| stats.outbound.dropped.of(DropReason::SessionEnded).value());
            assert!(stage.queued + dropped <= offered, "{name}: more than were offered");
            assert!(stage.queued + dropped + late >= offered, "{name}: fewer than were offered");
            for reason in [DropReason::Plugin, DropReason::PluginFailed, DropReason::HoldExpired] {
                let counted = sum(&|stats| stats.outbound.dropped.of(reason).value());
                assert_eq!(
                    stage.dropped[1][reason as usize],
                    counted,
                    "{name}: outbound, {}",
                    reason.label()
                );
            }
        }
    }
}

impl Tap for Onlooker {
    fn wants(&mut self, _: &Glimpse<'_>) -> Option<Depth> {
        Some(Depth { payload: 16, effects: true, mark: 0 })
    }

    fn take(&mut self, record: Record) {
        let mut seen = self.0.lock().unwrap();
        assert!(
            seen.ended.insert((record.session, record.direction, record.sequence)),
            "{record:?} has a second fate"
        );
        let stage = &mut seen.stages[record.listener.index()];
        match record.fate {
            Fate::Routed(_) => stage.routed += 1,
            Fate::Queued => stage.queued += 1,
            Fate::Dropped(reason) => {
                stage.dropped[usize::from(record.direction == Direction::Outbound)][reason as usize] += 1;
            }
        }
    }

    fn missed(&mut self) {
        panic!("so many messages are not under way");
    }
}
