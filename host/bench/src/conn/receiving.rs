//! What a client makes of what comes.

use super::Client;
use crate::marker::{Found, Marker};
use crate::settings::{Part, Settings};
use crate::shard::Shard;
use crate::shared::Nanos;
use crate::tracker::Arrival;
use bytes::BytesMut;
use std::sync::atomic::Ordering::Relaxed;

impl Client {
    #[inline]
    pub(super) fn message(
        &mut self,
        payload: &[u8],
        now: Nanos,
        settings: &Settings,
        shard: &mut Shard,
        out: &mut BytesMut,
    ) {
        if let Some(ready) = settings.ready.as_ref().filter(|_| !self.open)
            && memchr::memmem::find(payload, ready).is_some()
        {
            self.open(shard);
        }
        for (when, what) in &settings.answers {
            if memchr::memmem::find(payload, when).is_some() {
                self.encode(what, shard, out);
            }
        }
        if shard.window.is_some_and(|window| window.has(now)) {
            shard.tally.bytes += payload.len() as u64;
        }
        if !settings.marked {
            return self.next_unmarked(now, shard);
        }
        let mut any = false;
        // Lent out, because what it finds changes the rest.
        let mut scanner = std::mem::take(&mut self.scanner);
        scanner.scan(payload, |found| {
            any = true;
            match found {
                Found::Marker(marker) if marker.run == shard.shared.run => self.marked(marker, now, shard),
                Found::Marker(_) => shard.tally.error("foreign", || "messages of another run".into()),
                Found::Damaged => Self::damaged(shard),
            }
        });
        self.scanner = scanner;
        if !any {
            shard.tally.other += 1;
        }
    }

    #[cold]
    fn damaged(shard: &mut Shard) {
        shard.tally.error("damaged", || "messages whose marker is not as it was sent".into());
    }

    #[inline]
    fn marked(&mut self, marker: Marker, now: Nanos, shard: &mut Shard) {
        let tracker = match self.part {
            // Servers that send a publisher its own messages are not asked to.
            Part::Publisher => return,
            Part::Echo if marker.connection == self.number => {
                // Its check is one character, and one of 64 changes passes it.
                if marker.sequence >= self.sequence {
                    return Self::damaged(shard);
                }
                0
            }
            Part::Echo => {
                return shard.tally.error("misdirected", || "messages that another connection sent".into());
            }
            Part::Subscriber => {
                let groups = shard.settings.groups.map_or(1, |groups| groups.count);
                let publisher = (marker.connection / groups) as usize;
                if marker.connection % groups != self.group || publisher >= self.trackers.len() {
                    return shard.tally.error("misdirected", || "messages of another group".into());
                }
                if marker.sequence >= shard.shared.publishers[marker.connection as usize].sent.load(Relaxed) {
                    return Self::damaged(shard);
                }
                publisher
            }
        };
        let tracker = &mut self.trackers[tracker];
        let before = tracker.next();
        let arrival = tracker.arrived(marker.sequence);
        let ahead = tracker.next() - before;
        match arrival {
            Arrival::InOrder => {}
            Arrival::OutOfOrder => {
                shard.tally.error("out_of_order", || "messages that later ones overtook".into());
            }
            Arrival::Late => {
                shard.tally.error("late", || "messages that came after they were given up".into());
            }
            Arrival::Doubled => {
                return shard.tally.error("doubled", || "messages that came more than once".into());
            }
        }
        self.progress = now;
        if self.part == Part::Subscriber {
            shard.shared.publishers[marker.connection as usize].delivered.fetch_add(ahead, Relaxed);
            if shard.window.is_some_and(|window| window.has(marker.time)) {
                shard.shared.delivered.fetch_add(1, Relaxed);
            }
        }
        Self::came(marker.time, now, shard);
    }

    /// The oldest of those under way has come back, whichever it was.
    fn next_unmarked(&mut self, now: Nanos, shard: &mut Shard) {
        match self.unmarked.pop_front() {
            Some(sent) => {
                self.progress = now;
                Self::came(sent, now, shard);
            }
            None if self.sequence == 0 => shard.tally.other += 1,
            None if self.given_up > 0 => {
                self.given_up -= 1;
                shard.tally.error("late", || "messages that came after they were given up".into());
            }
            None => shard.tally.error("doubled", || "more messages came than were sent".into()),
        }
    }

    #[inline]
    fn came(sent: Nanos, now: Nanos, shard: &mut Shard) {
        let Some(window) = shard.window else { return };
        if window.has(now) {
            shard.tally.received += 1;
        }
        if window.has(sent) {
            shard.tally.latency(now.saturating_sub(sent));
        }
    }
}
