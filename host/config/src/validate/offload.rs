//! Where a plugin is called.

use super::Check;
use crate::words::PlacementWord;
use crate::{Placement, raw};
use std::time::Duration;

impl Check<'_> {
    pub(super) fn placement(&mut self, raw: &raw::Settings, default: &Placement) -> Placement {
        let offload = self.read(&raw.placement, "placement").map(|(word, _)| *word == PlacementWord::Offload);
        let raw::Offload { threads, queue, queue_bytes, queue_wait } = &raw.offload;
        Placement {
            offload: offload.unwrap_or(default.offload),
            threads: self.count(threads, "threads", 1..=64, default.threads as u64) as usize,
            queue: self.count(queue, "queue", 1..=1_000_000, default.queue as u64) as usize,
            queue_bytes: self.size(queue_bytes, "queue_bytes", 64 << 10..=4 << 30, default.queue_bytes),
            queue_wait: self.time(
                queue_wait,
                "queue_wait",
                Duration::from_millis(10)..=Duration::from_mins(10),
                default.queue_wait,
            ),
        }
    }
}
