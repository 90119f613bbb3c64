//! Whether the gateway is there.

use crate::round_trip::RoundTrip;
use std::time::Duration;
use tokio::time::Instant;

/// Pings that confirm messages are no closer than this: a gateway takes 20 a second.
const SHORTEST: Duration = Duration::from_millis(100);

/// Asks now and then, and says when no answer came. Any message counts as a sign of life, so that a pong behind a long
/// message is not missed; so do bytes that the other side takes, so that a ping behind one is not.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    round_trip: RoundTrip,
    next: Instant,
    count: u64,
    asked: Option<Asked>,
    heard: Instant,
    taken: u64,
    last: Option<Instant>,
    hurry: bool,
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    /// The number of the message that went out last before the ping, once the ping has gone out.
    behind: Option<u64>,
}

/// What to do when it is time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a ping with this number, and say so with `sent`.
    Ping(u64),
    /// Nothing yet.
    Later,
    /// The connection is dead.
    Dead,
}

impl Heartbeat {
    pub(crate) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            round_trip: RoundTrip::default(),
            next: now + interval,
            count: 0,
            asked: None,
            heard: now,
            taken: 0,
            last: None,
            hurry: false,
        }
    }

    /// When `due` has something to say.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Something arrived.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The ping goes out behind the message of this number.
    pub(crate) fn sent(&mut self, last: u64) {
        if let Some(asked) = &mut self.asked {
            asked.behind = Some(last);
        }
    }

    /// A pong arrived. Gives back the number of the last message before its ping: the gateway reads in order, so it has had
    /// that one. One that nobody waits for is passed over.
    pub(crate) fn pong(&mut self, echo: &str, now: Instant) -> Option<u64> {
        if echo != self.count.to_string() {
            return None;
        }
        let asked = self.asked.take()?;
        self.round_trip.sample(now - asked.at);
        self.next = if self.hurry { self.earliest(now) } else { now + self.interval };
        asked.behind
    }

    /// Asks as soon as it may: an answer is wanted for what was sent.
    pub(crate) fn soon(&mut self, now: Instant) {
        if !self.hurry {
            self.hurry = true;
            if self.asked.is_none() {
                self.next = self.earliest(now);
            }
        }
    }

    /// It is time. `taken`: bytes that the other side took so far. `listening`: whether anybody reads what it says; while
    /// nobody does, its silence says nothing, but pings go on so that it hears of this side.
    pub(crate) fn due(&mut self, now: Instant, taken: u64, listening: bool) -> Due {
        if now < self.next {
            return Due::Later;
        }
        if self.asked.is_some() && listening {
            if taken != self.taken {
                (self.taken, self.heard) = (taken, now);
            }
            self.next = self.heard + self.round_trip.deadline();
            return if now < self.next { Due::Later } else { Due::Dead };
        }
        (self.hurry, self.last, self.heard, self.taken) = (false, Some(now), now, taken);
        self.count += 1;
        self.asked = Some(Asked { at: now, behind: None });
        self.next = now + if listening { self.round_trip.deadline() } else { self.interval };
        Due::Ping(self.count)
    }

    fn earliest(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + SHORTEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(20);
    const CEILING: Duration = Duration::from_secs(8);

    fn beating() -> (Heartbeat, Instant) {
        let now = Instant::now();
        (Heartbeat::new(INTERVAL, now), now)
    }

    #[test]
    fn answered_it_goes_on() {
        let (mut heartbeat, mut now) = beating();
        for count in 1..=5_u64 {
            now = heartbeat.next();
            assert_eq!(heartbeat.due(now, 0, true), Due::Ping(count));
            heartbeat.sent(count * 10);
            assert_eq!(heartbeat.pong("not asked", now), None);
            assert_eq!(heartbeat.pong(&count.to_string(), now), Some(count * 10));
            assert_eq!(heartbeat.next(), now + INTERVAL);
        }
        assert_eq!(heartbeat.pong("5", now), None, "once");
    }

    #[test]
    fn silence_is_the_end_and_other_messages_and_progress_are_not_silence() {
        let (mut heartbeat, mut now) = beating();
        now += INTERVAL;
        heartbeat.due(now, 0, true);
        for _ in 0..5 {
            heartbeat.heard(now + CEILING / 2);
            now = heartbeat.next();
            assert_eq!(heartbeat.due(now, 0, true), Due::Later);
        }
        for taken in 1..=5 {
            now = heartbeat.next();
            assert_eq!(heartbeat.due(now, taken, true), Due::Later);
            assert_eq!(heartbeat.next(), now + CEILING);
        }
        now = heartbeat.next();
        assert_eq!(heartbeat.due(now - Duration::from_millis(1), 5, true), Due::Later);
        assert_eq!(heartbeat.due(now, 5, true), Due::Dead);
    }

    #[test]
    fn while_nobody_listens_pings_go_on_and_nothing_is_dead() {
        let (mut heartbeat, _) = beating();
        for count in 1..10 {
            assert_eq!(heartbeat.due(heartbeat.next(), 0, false), Due::Ping(count));
        }
    }

    #[test]
    fn pings_for_confirmation_are_ten_a_second_at_most() {
        let (mut heartbeat, start) = beating();
        let mut pings = 0;
        for millisecond in 0..1000 {
            let now = start + Duration::from_millis(millisecond);
            heartbeat.soon(now);
            if let Due::Ping(count) = heartbeat.due(now, 0, true) {
                pings += 1;
                heartbeat.pong(&count.to_string(), now);
            }
        }
        assert_eq!(pings, 10);
    }
}
