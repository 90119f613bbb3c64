//! How much one connection does before the others have their turn.

/// Reads of up to 64 KiB.
const READS: u8 = 8;
/// Messages, control frames among them: at a microsecond each, a plugin's among that, half a millisecond.
const MESSAGES: u16 = 512;
/// So many bytes that were inflated are as much work as a message: some two nanoseconds each, and more if they are compressed again.
const INFLATED: usize = 256;
/// Vectored writes.
const WRITES: u8 = 16;

/// One poll of a driver: what is left of its budget, and what is known to be waiting already.
#[derive(Debug)]
pub(super) struct Pass {
    reads: u8,
    messages: u16,
    writes: u8,
    read: bool,
    write: bool,
    finish: bool,
}

impl Pass {
    pub(super) const fn new() -> Self {
        Self { reads: READS, messages: MESSAGES, writes: WRITES, read: true, write: true, finish: true }
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

    /// A message was decoded that came to so many bytes when it was inflated: it counts for more than one.
    pub(super) fn inflated(&mut self, bytes: usize) {
        let more = u16::try_from(bytes / INFLATED).unwrap_or(u16::MAX);
        self.messages = self.messages.saturating_sub(more);
    }

    /// Whether to write on; counts the write.
    pub(super) const fn may_write(&mut self) -> bool {
        if !self.write || self.writes == 0 {
            return false;
        }
        self.writes -= 1;
        true
    }

    pub(super) const fn may_finish(&self) -> bool {
        self.finish
    }

    /// The task is woken when there is something to read.
    pub(super) const fn nothing_to_read(&mut self) {
        self.read = false;
    }

    /// The task is woken when something can be written.
    pub(super) const fn nothing_to_write(&mut self) {
        self.write = false;
    }

    /// The task is woken when the writing side can be shut down.
    pub(super) const fn nothing_to_finish(&mut self) {
        self.finish = false;
    }

    /// Whether something was left undone that nobody will wake the task for.
    pub(super) const fn is_spent(&self) -> bool {
        self.messages == 0 || (self.read && self.reads == 0) || (self.write && self.writes == 0)
    }
}
