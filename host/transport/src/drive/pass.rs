//! How much one connection does before the others have their turn.

/// Reads of up to 64 KiB.
const READS: u8 = 8;
/// Messages, control frames among them: at a microsecond each, a plugin's among that, half a millisecond.
const MESSAGES: u16 = 512;
/// Deliveries that cost as much as a message. One to its sender or its upstream is in the message's price; a message to a large group
/// is as dear as its receivers are many. It is what queueing costs: the write is the receiver's own, and the more is queued before
/// it, the fewer writes there are.
const DELIVERIES: u64 = 32;
/// So many bytes that were inflated are as much work as a message: some two nanoseconds each, and more if they are compressed again.
const INFLATED: usize = 256;
/// Vectored writes.
const WRITES: u8 = 16;

/// By what the budget of a first pass is smaller. That of deliveries is not: what one read brought to a group would be written to each
/// of its members twice, and the second time costs everybody more than the others have waited for.
const FIRST: u8 = 4;

/// One poll of a driver: what is left of its budget, and what is known to be waiting already.
#[derive(Debug)]
pub(super) struct Pass {
    reads: u8,
    messages: u16,
    /// That cost as much as a message.
    deliveries: u64,
    writes: u8,
    read: bool,
    finish: bool,
}

impl Pass {
    /// Of a session that has waited for it, because the one before was spent.
    pub(super) const fn whole() -> Self {
        Self {
            reads: READS,
            messages: MESSAGES,
            deliveries: DELIVERIES,
            writes: WRITES,
            read: true,
            finish: true,
        }
    }

    /// Of a session that is ready: many may be at once, and each stands before the others.
    pub(super) const fn first() -> Self {
        Self {
            reads: READS / FIRST,
            messages: MESSAGES / FIRST as u16,
            deliveries: DELIVERIES * FIRST as u64,
            writes: WRITES / FIRST,
            read: true,
            finish: true,
        }
    }

    /// Whether to ask for more bytes; counts the read.
    pub(super) const fn may_read(&mut self) -> bool {
        if !self.read || self.reads == 0 || self.messages == 0 {
            return false;
        }
        self.reads -= 1;
        true
    }

    /// Whether to decode another message; counts it.
    pub(super) const fn may_decode(&mut self) -> bool {
        if self.messages == 0 {
            return false;
        }
        self.messages -= 1;
        true
    }

    /// Counts what a message led to. False: it cost more than was left.
    pub(super) const fn pay(&mut self, deliveries: u64) -> bool {
        let price = deliveries / self.deliveries;
        let paid = price == 0 || price < self.messages as u64;
        if price > 0 {
            self.messages = if paid { self.messages - price as u16 } else { 0 };
        }
        paid
    }

    /// A message was decoded that came to so many bytes when it was inflated: it counts for more than one.
    pub(super) fn inflated(&mut self, bytes: usize) {
        let more = u16::try_from(bytes / INFLATED).unwrap_or(u16::MAX);
        self.messages = self.messages.saturating_sub(more);
    }

    pub(super) const fn may_write(&self) -> bool {
        self.writes > 0
    }

    /// Counts a write that took something. One that takes nothing wakes the task when it would, and costs no system call before.
    pub(super) const fn wrote(&mut self) {
        self.writes = self.writes.saturating_sub(1);
    }

    pub(super) const fn may_finish(&self) -> bool {
        self.finish
    }

    /// The task is woken when there is something to read.
    pub(super) const fn nothing_to_read(&mut self) {
        self.read = false;
    }

    /// The task is woken when the writing side can be shut down.
    pub(super) const fn nothing_to_finish(&mut self) {
        self.finish = false;
    }

    /// Whether something was left undone that nobody will wake the task for.
    pub(super) const fn is_spent(&self) -> bool {
        self.messages == 0 || (self.read && self.reads == 0) || self.writes == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_to_many_is_as_dear_as_they_are() {
        let count = |deliveries: u64, mut pass: Pass| {
            let mut messages = 0;
            while pass.may_decode() {
                pass.pay(deliveries);
                messages += 1;
            }
            assert!(pass.is_spent());
            messages
        };
        let each = [0, 1, 31, 32, 100, 1_000, 16_352, 1 << 40];
        assert_eq!(each.map(|each| count(each, Pass::whole())), [512, 512, 512, 256, 128, 16, 1, 1]);
        assert_eq!(each.map(|each| count(each, Pass::first())), [128, 128, 128, 128, 128, 16, 1, 1]);
    }
}
