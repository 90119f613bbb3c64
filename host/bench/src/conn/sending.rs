//! What a client sends, and when.

use super::Client;
use crate::marker::Marker;
use crate::schedule::Schedule;
use crate::settings::{Pace, Part};
use crate::shard::Shard;
use crate::shared::{Nanos, Window};
use crate::template::Filling;
use bytes::BytesMut;
use std::sync::atomic::Ordering::Relaxed;

impl Client {
    /// How many messages its schedule has by then.
    pub(super) fn scheduled(&self, now: Nanos, window: Window) -> u64 {
        self.schedule.map_or(0, |schedule| schedule.due(now.min(window.to.saturating_sub(1))))
    }

    /// How many messages it may have sent.
    pub(super) fn allowed(&mut self, now: Nanos, window: Window, shard: &Shard) -> u64 {
        if now < window.start {
            return 0;
        }
        match shard.settings.pace {
            Pace::Idle => 0,
            Pace::Rate(rate) => {
                let (number, senders) = (u64::from(self.number), u64::from(shard.settings.senders()));
                self.schedule.get_or_insert(Schedule {
                    start: window.start,
                    between: 1e9 / rate,
                    senders,
                    number,
                });
                self.scheduled(now, window)
            }
            Pace::Closed(_) if now >= window.to => self.sequence,
            Pace::Closed(depth) => {
                let depth = u64::from(depth);
                match self.part {
                    Part::Echo if shard.settings.marked => self.trackers[0].next() + depth,
                    Part::Echo => self.sequence + depth.saturating_sub(self.unmarked.len() as u64),
                    Part::Publisher => {
                        let each = shard.shared.receivers[self.group as usize].load(Relaxed);
                        let publisher = &shard.shared.publishers[self.number as usize];
                        let (expected, delivered) =
                            (publisher.expected.load(Relaxed), publisher.delivered.load(Relaxed));
                        if each == 0 {
                            return self.sequence;
                        }
                        let under_way = expected.saturating_sub(delivered).div_ceil(each);
                        self.sequence + depth.saturating_sub(under_way)
                    }
                    Part::Subscriber => 0,
                }
            }
        }
    }

    #[inline]
    pub(super) fn send(&mut self, now: Nanos, window: Window, shard: &mut Shard, out: &mut BytesMut) {
        let intended = match self.schedule {
            Some(schedule) => {
                let at = schedule.at(self.sequence);
                if window.has(at) {
                    shard.tally.lateness.saturating_record(now.saturating_sub(at).max(1));
                }
                at
            }
            None => now,
        };
        let marker = Marker {
            run: shard.shared.run,
            connection: self.number,
            sequence: self.sequence,
            time: intended,
        };
        let payload = shard.payloads.next(marker);
        let mask = shard.random.u32(..).to_le_bytes();
        let settings = &shard.settings;
        let framed = if settings.publish.is_payload() {
            self.wire.encode(settings.kind, payload, mask, out)
        } else {
            shard.body.clear();
            settings
                .publish
                .fill(Filling { payload, group: self.group, number: self.number }, &mut shard.body);
            self.wire.encode(settings.kind, &shard.body, mask, out)
        };
        if let Err(error) = framed {
            shard.tally.error("unframeable", || format!("a message cannot be framed: {error}"));
        }
        // From here on there is something to wait for.
        let waiting = if settings.marked {
            self.trackers.first().is_some_and(|tracker| tracker.next() < self.sequence)
        } else {
            !self.unmarked.is_empty()
        };
        if !waiting {
            self.progress = now;
        }
        self.sequence += 1;
        if window.has(intended) {
            shard.tally.sent += 1;
        }
        if self.part == Part::Publisher {
            let each = shard.shared.receivers[self.group as usize].load(Relaxed);
            let publisher = &shard.shared.publishers[self.number as usize];
            publisher.sent.store(self.sequence, Relaxed);
            publisher.expected.fetch_add(each, Relaxed);
            if window.has(intended) {
                shard.shared.due.fetch_add(each, Relaxed);
            }
        } else if !settings.marked {
            self.unmarked.push_back(intended);
        }
    }
}
