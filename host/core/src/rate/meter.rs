//! What a session of a listener with rates keeps, from its first message on.

use super::shared::Pool;
use super::{Cost, Pools, Rate, RatePolicy, SECOND, SharedRate, after, allows, nanoseconds, ready};
use crate::attribute::Attributes;
use crate::id::ListenerId;
use crate::snapshot::Limits;
use crate::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// A session that had its share and sends no more within this time is not one of those who wait for more.
const CONTENT: Duration = Duration::from_millis(20);

/// The buckets that a session's messages are taken from.
#[derive(Debug)]
pub(crate) struct Meter {
    /// When its own buckets are full.
    messages: u64,
    bytes: u64,
    /// Its reading stands still until then; [`Time::NEVER`]: it does not.
    pub(crate) until: Time,
    /// One for each shared rate whose attribute the session has.
    pools: Vec<(Rate, Arc<Pool>)>,
    /// What the pools were found by.
    found_by: Option<(Attributes, Arc<[SharedRate]>)>,
    /// It is counted among those that wait in its pools: since when it reads on, and what is left of its share of what was there
    /// then. Below zero, it is taken off the next one.
    share: Option<(Time, i64)>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It goes on.
    GoesOn,
    /// It goes on; the next one may come then.
    GoesOnUntil(Time),
    /// It was too fast.
    Refused,
}

impl Default for Meter {
    fn default() -> Self {
        Self { messages: 0, bytes: 0, until: Time::NEVER, pools: Vec::new(), found_by: None, share: None }
    }
}

impl Meter {
    /// Finds the pools that belong to the session's attributes, if those or the rules have changed.
    pub(crate) fn follow(
        &mut self,
        pools: &Pools,
        listener: ListenerId,
        rules: &Arc<[SharedRate]>,
        attributes: Attributes,
        now: Time,
    ) {
        if let Some((before, by)) = &self.found_by
            && Arc::ptr_eq(before, &attributes)
            && Arc::ptr_eq(by, rules)
        {
            return;
        }
        self.leave();
        self.pools.clear();
        for rule in rules.iter() {
            if let Some(value) = attributes.get(&rule.attribute) {
                self.pools.push((rule.rate, pools.of(listener, &rule.attribute, value, now)));
            }
        }
        self.found_by = Some((attributes, rules.clone()));
    }

    /// There is no shared rate (any more).
    pub(crate) fn forget(&mut self) {
        if self.found_by.take().is_some() {
            self.leave();
            self.pools.clear();
        }
    }

    /// A message of so many bytes has come.
    pub(crate) fn take(&mut self, limits: &Limits, length: usize, now: Time) -> Taken {
        let at = nanoseconds(now);
        let own = limits.rate.cost(length);
        if limits.rate_policy != RatePolicy::Pause {
            return self.take_if_there(own, length, at);
        }
        self.take_own(own, at);
        let mut next = self.ready(limits.rate);
        let mut price = 0;
        for (rate, pool) in &self.pools {
            let cost = rate.cost(length);
            pool.take(at, cost);
            price = price.max(cost.messages).max(cost.bytes);
            let (messages, bytes) = pool.full_at();
            next = next.max(next_of(*rate, messages, bytes));
        }
        let mut until = Time(next.div_ceil(1_000));
        if until > now && !self.pools.is_empty() {
            self.wait();
        }
        if let Some((since, share)) = &mut self.share {
            *share = share.saturating_sub_unsigned(price);
            if until <= now && now.since(*since) > CONTENT {
                self.leave();
            } else if *share <= 0 {
                // The others' turn. A microsecond is a tick of the wheel.
                until = until.max(Time(now.0 + 1));
            }
        }
        if until > now { Taken::GoesOnUntil(until) } else { Taken::GoesOn }
    }

    /// The session reads on. Of what its pools have, it gets as much as each of those that wait.
    pub(crate) fn resume(&mut self, now: Time) {
        self.until = Time::NEVER;
        let at = nanoseconds(now);
        let shares = self.pools.iter().flat_map(|(rate, pool)| {
            let (messages, bytes) = pool.full_at();
            let there = |full: u64| (at + SECOND).saturating_sub(full) / u64::from(pool.waiting().max(1));
            let limited = |rate: u64, full: u64| (rate > 0).then(|| there(full));
            [limited(rate.messages, messages), limited(rate.bytes, bytes)]
        });
        let least = shares.flatten().min().unwrap_or(0);
        if let Some((since, share)) = &mut self.share {
            // One message in any case: who waited has reserved it.
            (*since, *share) = (now, (*share).min(0).saturating_add_unsigned(least).max(1));
        }
    }

    fn take_if_there(&mut self, own: Cost, length: usize, at: u64) -> Taken {
        if !allows(self.messages, at, own.messages) || !allows(self.bytes, at, own.bytes) {
            return Taken::Refused;
        }
        for (place, (rate, pool)) in self.pools.iter().enumerate() {
            if !pool.try_take(at, rate.cost(length)) {
                self.pools[..place].iter().for_each(|(rate, pool)| pool.refund(rate.cost(length)));
                return Taken::Refused;
            }
        }
        self.take_own(own, at);
        Taken::GoesOn
    }

    fn take_own(&mut self, cost: Cost, at: u64) {
        self.messages = after(self.messages, at, cost.messages);
        self.bytes = after(self.bytes, at, cost.bytes);
    }

    fn ready(&self, rate: Rate) -> u64 {
        next_of(rate, self.messages, self.bytes)
    }

    /// Counts among those who wanted more than there was.
    fn wait(&mut self) {
        if self.share.is_none() {
            self.share = Some((Time::default(), 0));
            self.pools.iter().for_each(|(_, pool)| pool.join());
        }
    }

    fn leave(&mut self) {
        if self.share.take().is_some() {
            self.pools.iter().for_each(|(_, pool)| pool.leave());
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.leave();
    }
}

/// When a further message may come: when there is a whole one's worth, and any byte's.
fn next_of(rate: Rate, messages: u64, bytes: u64) -> u64 {
    let needed = rate.cost(1);
    let of = |limited: bool, full: u64, needed: u64| if limited { ready(full, needed) } else { 0 };
    of(rate.messages > 0, messages, needed.messages).max(of(rate.bytes > 0, bytes, 1))
}
