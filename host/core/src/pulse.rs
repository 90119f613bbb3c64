//! Whether a peer is there, and how well it is reached: heartbeats, round trips, health.
//!
//! A session is asked every heartbeat interval. How long its answer may take is learnt from its answers before
//! ([`Pulse::patience`]). What is known of it becomes a score of 100, and the score a [`Health`].

use crate::time::Time;
use std::time::Duration;

/// The longest that the answer to a heartbeat may take; also while nothing is known of the peer.
pub const LONGEST_PATIENCE: Duration = Duration::from_secs(8);
/// So many heartbeats in a row that nothing answered: the peer is gone.
pub(crate) const FATAL: u8 = 3;
/// Answers that the score remembers.
const REMEMBERED: u32 = 8;
/// Points for heartbeats that were answered, for a round trip as short as ever, for a path that loses nothing.
const ANSWERS: u32 = 40;
const SHIFT: u32 = 35;
const LOSS: u32 = 25;
/// Below the first a session is degraded; from the second on it is healthy again.
const DEGRADED_BELOW: u8 = 70;
const HEALTHY_FROM: u8 = 80;
/// A shorter usual round trip counts as this: what a loaded machine adds is no change of the path.
const SHORTEST_USUAL: u32 = 10_000;
/// Of packets lost, in percent, from which on the path is worth no points.
const MOST_LOSS: u32 = 10;
/// Packets that must have been sent before their losses say something.
const FEW_PACKETS: u32 = 10;

/// How well a session's client is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Health {
    /// Nothing is known against it.
    #[default]
    Healthy,
    /// Its score fell below 70, and has not yet been 80 again.
    Degraded,
    /// It left three heartbeats in a row unanswered, and sent nothing else: it is closed.
    Dead,
}

impl Health {
    /// As an attribute, a metric label and in the log.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Dead => "dead",
        }
    }
}

/// What the transport knows of the way to its peer, since the connection began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Its own smoothed round trip in microseconds; 0: it knows none.
    pub round_trip: u32,
    /// Packets (segments) sent, repeated ones among them. May wrap.
    pub sent: u32,
    /// Packets that were lost, or sent again because nothing told that they had arrived. May wrap.
    pub lost: u32,
}

/// What a session remembers of its heartbeats.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// When the heartbeat that nothing has answered was sent; [`Time::NEVER`]: none is out.
    asked: Time,
    /// When the next is due.
    next: Time,
    /// Smoothed round trip and its deviation in microseconds (RFC 6298, section 2); 0: none was measured yet.
    smoothed: u32,
    deviation: u32,
    /// The round trip that is usual: the shortest, drifting to longer ones slowly.
    usual: u32,
    /// See [`Path`]: as they were when the score was last made.
    sent: u32,
    lost: u32,
    /// Lost packets in percent, smoothed.
    loss: u8,
    /// Outcomes of heartbeats, the last in the lowest bit, and how many are known.
    answered: u8,
    known: u8,
    /// Unanswered ones in a row.
    missed: u8,
    health: Health,
}

impl Pulse {
    /// Of a session that opens now; `interval` zero: it is never asked.
    pub(crate) fn new(now: Time, interval: Duration) -> Self {
        Self {
            asked: Time::NEVER,
            next: if interval.is_zero() { Time::NEVER } else { now + interval },
            smoothed: 0,
            deviation: 0,
            usual: 0,
            sent: 0,
            lost: 0,
            loss: 0,
            answered: 0,
            known: 0,
            missed: 0,
            health: Health::Healthy,
        }
    }

    /// When something is to be done: the next heartbeat, or the end of the patience for the last.
    pub(crate) fn due(&self, floor: Duration) -> Time {
        if self.asked == Time::NEVER { self.next } else { self.asked + self.patience(floor) }
    }

    /// Whether a heartbeat is out.
    pub(crate) fn is_out(&self) -> bool {
        self.asked != Time::NEVER
    }

    /// One and a half times what a round trip has been at most, as a sender would wait for an acknowledgement (RFC 6298, section
    /// 2.3); from `floor` to [`LONGEST_PATIENCE`].
    pub(crate) fn patience(&self, floor: Duration) -> Duration {
        if self.smoothed == 0 {
            return LONGEST_PATIENCE;
        }
        let most = u64::from(self.smoothed) + 4 * u64::from(self.deviation);
        Duration::from_micros(most * 3 / 2).clamp(floor.min(LONGEST_PATIENCE), LONGEST_PATIENCE)
    }

    /// What a heartbeat of that time carries: the gateway's clock in milliseconds.
    fn carried(asked: Time) -> [u8; 8] {
        (asked.0 / 1_000).to_be_bytes()
    }

    /// A heartbeat is sent. What it carries is to be in the answer.
    pub(crate) fn ask(&mut self, now: Time, interval: Duration) -> [u8; 8] {
        self.asked = now;
        self.next = now + interval;
        Self::carried(now)
    }

    /// There is no way to ask this peer: only its path is looked at.
    pub(crate) fn skip(&mut self, now: Time, interval: Duration) {
        self.next = now + interval;
    }

    /// Nothing that was asked before counts: it was the gateway that did not listen.
    pub(crate) fn restart(&mut self, now: Time, interval: Duration) {
        self.asked = Time::NEVER;
        self.missed = 0;
        // One that is still to come comes, or a session that stands still often would never be asked.
        if !interval.is_zero() && self.next <= now {
            self.next = now + interval;
        }
    }

    /// An answer came. False: it is not the answer to what is out, and is nothing to go by.
    pub(crate) fn answer(&mut self, now: Time, carried: &[u8]) -> bool {
        if !self.is_out() || carried != Self::carried(self.asked) {
            return false;
        }
        self.measure(now.since(self.asked));
        self.end_of_one(true);
        true
    }

    /// The patience for the answer is at its end. `heard`: something else has come from the peer meanwhile, so that it is there.
    /// Gives how many are now missed in a row.
    pub(crate) fn miss(&mut self, heard: bool) -> u8 {
        self.end_of_one(heard);
        self.missed
    }

    /// When the heartbeat that is out was sent.
    pub(crate) const fn asked(&self) -> Time {
        self.asked
    }

    fn end_of_one(&mut self, answered: bool) {
        self.asked = Time::NEVER;
        self.answered = self.answered << 1 | u8::from(answered);
        self.known = (self.known + 1).min(REMEMBERED as u8);
        self.missed = if answered { 0 } else { self.missed + 1 };
    }

    /// A round trip was measured (RFC 6298, sections 2.2 and 2.3).
    fn measure(&mut self, round_trip: Duration) {
        let sample = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX).max(1);
        if self.smoothed == 0 {
            (self.smoothed, self.deviation, self.usual) = (sample, sample / 2, sample);
            return;
        }
        let apart = self.smoothed.abs_diff(sample);
        self.deviation = self.deviation - self.deviation / 4 + apart / 4;
        self.smoothed = self.smoothed - self.smoothed / 8 + sample / 8;
        self.usual = if sample < self.usual {
            sample
        } else {
            self.usual + (self.smoothed.saturating_sub(self.usual)) / 64
        };
    }

    /// The transport says how its path has been.
    pub(crate) fn look(&mut self, path: Path, asks: bool) {
        if !asks && path.round_trip > 0 {
            self.measure(Duration::from_micros(path.round_trip.into()));
        }
        let (sent, lost) = (path.sent.wrapping_sub(self.sent), path.lost.wrapping_sub(self.lost));
        if sent < FEW_PACKETS {
            // Too few to say anything; they count next time.
            return;
        }
        (self.sent, self.lost) = (path.sent, path.lost);
        let percent = (u64::from(lost) * 100 / u64::from(sent)).min(100) as u8;
        self.loss = self.loss / 2 + percent.div_ceil(2);
    }

    /// Of 100: [`ANSWERS`] for heartbeats, [`SHIFT`] for the round trip against the usual one, [`LOSS`] for the path.
    pub(crate) fn score(&self) -> u8 {
        let known = u32::from(self.known);
        let remembered = self.answered & (u8::MAX >> (REMEMBERED - known.min(REMEMBERED)).min(7));
        let answers = match known {
            0 => ANSWERS,
            _ => ANSWERS * remembered.count_ones() / known,
        };
        // All points up to one and a half times the usual, none from four times on.
        let usual = self.usual.max(SHORTEST_USUAL);
        let tenths = u64::from(self.smoothed) * 10 / u64::from(usual);
        let shift = SHIFT * (40 - tenths.clamp(15, 40) as u32) / 25;
        let loss = LOSS * (MOST_LOSS - u32::from(self.loss).min(MOST_LOSS)) / MOST_LOSS;
        (answers + shift + loss) as u8
    }

    /// What the score makes of the session: the state before and now, if it changed.
    pub(crate) fn judge(&mut self) -> Option<(Health, Health)> {
        let before = self.health;
        let score = self.score();
        self.health = match before {
            _ if self.missed >= FATAL => Health::Dead,
            Health::Healthy if score < DEGRADED_BELOW => Health::Degraded,
            Health::Degraded if score >= HEALTHY_FROM => Health::Healthy,
            same => same,
        };
        (before != self.health).then_some((before, self.health))
    }

    pub(crate) const fn health(&self) -> Health {
        self.health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);
    const FLOOR: Duration = Duration::from_secs(2);

    /// A session whose heartbeats are answered after so many milliseconds each.
    struct Peer {
        pulse: Pulse,
        now: Time,
    }

    impl Peer {
        fn new() -> Self {
            Self { pulse: Pulse::new(Time::default(), INTERVAL), now: Time::default() }
        }

        fn answer_after(&mut self, milliseconds: u64) {
            self.now = self.pulse.due(FLOOR);
            let carried = self.pulse.ask(self.now, INTERVAL);
            self.now = self.now + Duration::from_millis(milliseconds);
            assert!(self.pulse.answer(self.now, &carried));
        }

        fn miss(&mut self) -> u8 {
            self.pulse.ask(self.now, INTERVAL);
            self.now = self.pulse.due(FLOOR);
            self.pulse.miss(false)
        }
    }

    #[test]
    fn patience_is_learnt_from_the_peer_within_bounds() {
        let mut peer = Peer::new();
        assert_eq!(peer.pulse.patience(FLOOR), LONGEST_PATIENCE, "nothing is known yet");
        peer.answer_after(1_000);
        // 1.5 × (1 s + 4 × 0.5 s)
        assert_eq!(peer.pulse.patience(FLOOR), Duration::from_millis(4_500));
        for _ in 0..50 {
            peer.answer_after(1_000);
        }
        let patience = peer.pulse.patience(FLOOR);
        assert!((1_500..2_100).contains(&patience.as_millis()), "{patience:?}");
        for _ in 0..50 {
            peer.answer_after(20);
        }
        assert_eq!(peer.pulse.patience(FLOOR), FLOOR);
        for _ in 0..50 {
            peer.answer_after(7_900);
        }
        assert_eq!(peer.pulse.patience(FLOOR), LONGEST_PATIENCE);
    }

    #[test]
    fn only_the_answer_to_what_was_asked_is_one() {
        let mut peer = Peer::new();
        assert!(!peer.pulse.answer(Time(5), &[0; 8]), "nothing was asked");
        let carried = peer.pulse.ask(Time(5_000_000), INTERVAL);
        assert!(!peer.pulse.answer(Time(6_000_000), b""));
        assert!(!peer.pulse.answer(Time(6_000_000), &[1; 8]));
        assert!(peer.pulse.is_out());
        assert!(peer.pulse.answer(Time(6_000_000), &carried));
        assert!(!peer.pulse.answer(Time(6_000_000), &carried), "once");
    }

    #[test]
    fn missed_heartbeats_degrade_and_three_in_a_row_are_the_end() {
        let mut peer = Peer::new();
        (0..8).for_each(|_| peer.answer_after(50));
        assert_eq!((peer.pulse.score(), peer.pulse.judge()), (100, None));
        assert_eq!(peer.miss(), 1);
        assert_eq!((peer.pulse.score(), peer.pulse.judge()), (95, None));
        assert_eq!(peer.miss(), 2);
        peer.answer_after(50);
        assert_eq!(peer.miss(), 1, "an answer between them begins a new row");
        (0..2).for_each(|_| assert!(peer.miss() > 0));
        assert_eq!(peer.pulse.judge(), Some((Health::Healthy, Health::Dead)));
    }

    #[test]
    fn who_says_something_else_is_there() {
        let mut peer = Peer::new();
        for _ in 0..10 {
            peer.pulse.ask(peer.now, INTERVAL);
            assert_eq!(peer.pulse.miss(true), 0);
        }
        assert_eq!((peer.pulse.score(), peer.pulse.judge()), (100, None));
    }

    #[test]
    fn a_longer_way_costs_points_and_a_lossy_one_too() {
        let mut peer = Peer::new();
        (0..8).for_each(|_| peer.answer_after(40));
        for _ in 0..10 {
            peer.answer_after(400);
        }
        let score = peer.pulse.score();
        assert!((65..85).contains(&score), "{score}");
        peer.pulse.look(Path { round_trip: 0, sent: 100, lost: 20 }, true);
        peer.pulse.look(Path { round_trip: 0, sent: 200, lost: 40 }, true);
        assert!(peer.pulse.score() < score);
        assert_eq!(peer.pulse.judge(), Some((Health::Healthy, Health::Degraded)));
        // It is healthy again only when it is clearly better.
        let mut sent = 200;
        while peer.pulse.score() < HEALTHY_FROM {
            assert_eq!(peer.pulse.judge(), None);
            sent += 100;
            peer.pulse.look(Path { round_trip: 0, sent, lost: 40 }, true);
            peer.answer_after(40);
        }
        assert_eq!(peer.pulse.judge(), Some((Health::Degraded, Health::Healthy)));
    }

    #[test]
    fn a_short_round_trip_that_doubles_is_no_change_of_the_path() {
        let mut peer = Peer::new();
        (0..8).for_each(|_| peer.answer_after(1));
        (0..40).for_each(|_| peer.answer_after(9));
        assert_eq!(peer.pulse.score(), 100);
    }

    #[test]
    fn few_packets_say_nothing_until_there_are_more() {
        let mut peer = Peer::new();
        peer.pulse.look(Path { round_trip: 0, sent: 5, lost: 5 }, true);
        assert_eq!(peer.pulse.score(), 100);
        peer.pulse.look(Path { round_trip: 0, sent: 1_000, lost: 5 }, true);
        assert_eq!(peer.pulse.score(), 100);
        // Counters that wrapped are differences all the same.
        let mut wrapping = Peer::new();
        wrapping.pulse.look(Path { round_trip: 0, sent: u32::MAX, lost: u32::MAX }, true);
        wrapping.pulse.look(Path { round_trip: 0, sent: 99, lost: u32::MAX }, true);
        wrapping.pulse.look(Path { round_trip: 0, sent: 199, lost: u32::MAX }, true);
        wrapping.pulse.look(Path { round_trip: 0, sent: 299, lost: u32::MAX }, true);
        assert!(wrapping.pulse.score() > 75, "{}", wrapping.pulse.score());
    }

    #[test]
    fn a_transport_that_asks_by_itself_says_how_long_it_took() {
        let mut peer = Peer::new();
        peer.pulse.look(Path { round_trip: 30_000, sent: 0, lost: 0 }, false);
        assert_eq!(peer.pulse.patience(Duration::ZERO), Duration::from_millis(135));
    }
}
