//! What the application sent and the gateway has not confirmed.

use crate::Message;
use std::collections::VecDeque;
use tokio::sync::OwnedSemaphorePermit;

/// Messages of a session in order, numbered from 1; the first here is number `confirmed` + 1. Whoever puts one in has taken
/// room for it, which is free again when the message is gone.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: VecDeque<Queued>,
    confirmed: u64,
    /// How many of the entries went out on this connection, and on any connection of this session.
    written: usize,
    ever_written: usize,
    /// Bytes of what went out on this connection.
    written_bytes: usize,
}

/// A message, and the room that it takes; none for messages that the client sends by itself.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) message: Message,
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

impl Outbox {
    pub(crate) fn push(&mut self, queued: Queued) {
        self.entries.push_back(queued);
    }

    /// The number of the message that went out last.
    pub(crate) fn last(&self) -> u64 {
        self.confirmed + self.written as u64
    }

    /// How much went out on this connection without being confirmed.
    pub(crate) fn unconfirmed(&self) -> (usize, usize) {
        (self.written, self.written_bytes)
    }

    pub(crate) fn has_next(&self) -> bool {
        self.written < self.entries.len()
    }

    /// The next message to write on this connection.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let message = self.entries.get(self.written)?.message.clone();
        self.written += 1;
        self.written_bytes += message.payload().len();
        self.ever_written = self.ever_written.max(self.written);
        Some(message)
    }

    /// The gateway has had the messages up to this number.
    pub(crate) fn confirm(&mut self, number: u64) {
        self.drop_first(number, self.written);
    }

    /// The session goes on, on another connection: the gateway has had `received` messages; the rest goes out again. Gives
    /// back how many it says it lost although it had confirmed them.
    pub(crate) fn resume(&mut self, received: u64) -> u64 {
        self.drop_first(received, self.ever_written);
        let lost = self.confirmed.saturating_sub(received);
        self.confirmed = received;
        (self.written, self.written_bytes) = (0, 0);
        lost
    }

    /// A new session. Gives back what went out in the former one without being confirmed; what never went out follows the
    /// greeting.
    pub(crate) fn begin(&mut self, greeting: &[Message]) -> Vec<Message> {
        let unconfirmed = self.entries.drain(..self.ever_written).map(|queued| queued.message).collect();
        for message in greeting.iter().rev() {
            self.entries.push_front(Queued { message: message.clone(), _room: None });
        }
        (self.confirmed, self.written, self.ever_written, self.written_bytes) = (0, 0, 0, 0);
        unconfirmed
    }

    /// Everything that is left, at the end: what went out without being confirmed, and what never went out.
    pub(crate) fn end(&mut self) -> (Vec<Message>, Vec<Message>) {
        let unconfirmed = self.begin(&[]);
        (unconfirmed, self.entries.drain(..).map(|queued| queued.message).collect())
    }

    fn drop_first(&mut self, up_to: u64, at_most: usize) {
        let count = up_to.saturating_sub(self.confirmed).min(at_most as u64) as usize;
        for queued in self.entries.drain(..count).take(self.written) {
            self.written_bytes -= queued.message.payload().len();
        }
        self.confirmed += count as u64;
        self.written = self.written.saturating_sub(count);
        self.ever_written -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(messages: &[&str]) -> Outbox {
        let mut outbox = Outbox::default();
        for &message in messages {
            outbox.push(Queued { message: message.into(), _room: None });
        }
        outbox
    }

    fn rest(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.next()).map(|message| message.as_text().unwrap().to_owned()).collect()
    }

    #[test]
    fn sends_again_what_was_not_confirmed_and_nothing_else() {
        let mut outbox = outbox(&["a", "b", "c", "d"]);
        (0..3).for_each(|_| drop(outbox.next()));
        assert_eq!((outbox.last(), outbox.unconfirmed()), (3, (3, 3)));
        outbox.confirm(1);
        assert_eq!(outbox.unconfirmed(), (2, 2));
        assert_eq!(outbox.resume(2), 0);
        assert_eq!(rest(&mut outbox), ["c", "d"]);
        assert_eq!(outbox.resume(2), 0);
        outbox.push(Queued { message: "e".into(), _room: None });
        assert_eq!(rest(&mut outbox), ["c", "d", "e"], "twice cut");
        outbox.confirm(99);
        assert_eq!((outbox.last(), outbox.has_next(), outbox.unconfirmed()), (5, false, (0, 0)));
        assert_eq!(outbox.resume(3), 2, "the gateway had confirmed two more");
    }

    #[test]
    fn resuming_before_all_went_out_again_drops_what_the_gateway_had() {
        let mut outbox = outbox(&["a", "b", "c"]);
        (0..3).for_each(|_| drop(outbox.next()));
        outbox.resume(0);
        drop(outbox.next());
        assert_eq!(outbox.resume(2), 0);
        assert_eq!(outbox.unconfirmed(), (0, 0));
        assert_eq!(rest(&mut outbox), ["c"]);
    }

    #[test]
    fn a_new_session_greets_first_and_says_what_may_be_lost() {
        let mut outbox = outbox(&["a", "b", "c"]);
        drop(outbox.next());
        outbox.resume(0);
        assert_eq!(outbox.begin(&["join".into()]), ["a".into()], "it went out on a connection before");
        assert_eq!(rest(&mut outbox), ["join", "b", "c"]);
        assert_eq!(outbox.last(), 3);
    }

    #[test]
    fn a_token_of_a_former_process_takes_the_gateways_count_over() {
        let mut outbox = outbox(&["a"]);
        assert_eq!(outbox.resume(41), 0);
        drop(outbox.next());
        assert_eq!(outbox.last(), 42);
    }
}
