//! How much one connection does before the others have their turn.

/// Reads of up to 64 KiB.
const READS: u8 = 8;
/// Messages, control frames among them: at a microsecond each, a plugin's among that, half a millisecond.
const MESSAGES: u16 = 512;
/// Vectored writes.
const WRITES: u8 = 16;

/// One poll of a driver: what is left of its budget, and what is known to be waiting already.
#[derive(Debug)]
pub(super) struct Pass {
    reads: u8,
    messages: u16,
    writes: u8,
    read: bool,
    finish: bool,
}

impl Pass {
    pub(super) const fn new() -> Self {
        Self { reads: READS, messages: MESSAGES, writes: WRITES, read: true, finish: true }
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

    /// Messages so far.
    pub(super) const fn decoded(&self) -> u16 {
        MESSAGES - self.messages
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
