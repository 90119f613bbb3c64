//! One client without its socket: what it sends and when, what it makes of what it receives.

mod receiving;
mod sending;
#[cfg(test)]
mod tests;

use crate::marker::Scanner;
use crate::schedule::Schedule;
use crate::settings::{LONGEST, Part, Settings};
use crate::shard::Shard;
use crate::shared::Nanos;
use crate::target::Target;
use crate::template::Filling;
use crate::tracker::Tracker;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use weir_codec::websocket::{self, Limits, Role};
use weir_codec::{Decoder, Event, Wire, WireError};

/// What waits to be written on a connection before no more messages are made for it, in bytes.
pub(crate) const MOST_WAITING: usize = 256 << 10;
/// What answers to pings and the like may wait on top of that and of the message that is on its way, in bytes.
pub(crate) const MOST_ANSWERS: usize = 1 << 20;

/// Why a connection cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A close frame, with its code if it had one.
    Closed(Option<u16>),
    /// The server broke the protocol.
    Broken(WireError),
}

#[derive(Debug)]
pub(crate) struct Conn {
    decoder: Decoder,
    client: Client,
}

#[derive(Debug)]
struct Client {
    number: u32,
    group: u32,
    part: Part,
    wire: Wire,
    /// It has said hello, and was answered if it is to be.
    open: bool,
    /// Messages sent.
    sequence: u64,
    schedule: Option<Schedule>,
    /// Of an echo: its own. Of a subscriber: of each publisher of its group. Of a publisher: none.
    trackers: Box<[Tracker]>,
    scanner: Scanner,
    /// Without markers: when what is under way was sent.
    unmarked: VecDeque<Nanos>,
    /// Without markers: how many were given up, and have not come since.
    given_up: u64,
    /// When it last came forward, or had nothing to wait for.
    progress: Nanos,
}

impl Conn {
    pub(crate) fn new(number: u32, target: &Target, settings: &Settings) -> Self {
        let part = settings.part(number);
        let wire = settings.wire(target);
        let decoder = match &wire {
            Wire::Framed(framing) => Decoder::framed(framing, settings.kind),
            _ => Decoder::websocket(Role::Client, Limits { message: LONGEST, fragments: 1 << 20 }),
        };
        let trackers = match (part, settings.groups) {
            (Part::Echo, _) => 1,
            (Part::Subscriber, Some(groups)) => groups.publishers,
            _ => 0,
        };
        let client = Client {
            number,
            group: settings.group(number),
            part,
            wire,
            open: false,
            sequence: 0,
            schedule: None,
            trackers: (0..trackers).map(|_| Tracker::default()).collect(),
            scanner: Scanner::default(),
            unmarked: VecDeque::new(),
            given_up: 0,
            progress: 0,
        };
        Self { decoder, client }
    }

    pub(crate) const fn number(&self) -> u32 {
        self.client.number
    }

    /// Messages sent so far.
    pub(crate) const fn sequence(&self) -> u64 {
        self.client.sequence
    }

    pub(crate) fn sends(&self) -> bool {
        self.client.part != Part::Subscriber
    }

    pub(crate) fn publishes(&self) -> bool {
        self.client.part == Part::Publisher
    }

    pub(crate) const fn is_websocket(&self) -> bool {
        self.client.wire.websocket().is_some()
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.client.open
    }

    /// The connection is there: what it says first. It is open at once where nothing is waited for.
    pub(crate) fn hello(&mut self, shard: &mut Shard, out: &mut BytesMut) {
        let settings = Arc::clone(&shard.settings);
        let client = &mut self.client;
        if let Some(hello) = settings.hello_of(client.number) {
            shard.body.clear();
            hello.fill(Filling { payload: &[], group: client.group, number: client.number }, &mut shard.body);
            let body = std::mem::take(&mut shard.body);
            client.encode(&body, shard, out);
            shard.body = body;
        }
        if settings.ready.is_none() {
            client.open(shard);
        }
    }

    /// Takes what arrived. Answers that cannot wait are appended to `out`.
    pub(crate) fn received(
        &mut self,
        mut bytes: &mut [u8],
        now: Nanos,
        shard: &mut Shard,
        out: &mut BytesMut,
    ) -> Result<(), End> {
        let settings = Arc::clone(&shard.settings);
        while !bytes.is_empty() {
            let decoded = self.decoder.decode(bytes).map_err(End::Broken)?;
            let consumed = decoded.consumed;
            match decoded.event {
                None => break,
                Some(Event::Message { payload, .. }) => {
                    self.client.message(&payload, now, &settings, shard, out);
                }
                Some(Event::Ping(payload)) => {
                    websocket::encode_pong(&payload, Some(shard.random.u32(..).to_le_bytes()), out);
                }
                Some(Event::Close(close)) => {
                    let code = close.map(|(code, _)| code);
                    let answer = code.map(|code| (code, ""));
                    websocket::encode_close(answer, Some(shard.random.u32(..).to_le_bytes()), out);
                    return Err(End::Closed(code));
                }
                Some(_) => {}
            }
            bytes = &mut bytes[consumed..];
        }
        Ok(())
    }

    /// Makes the messages that are due, until `out` holds `room` bytes.
    pub(crate) fn pump(&mut self, now: Nanos, shard: &mut Shard, out: &mut BytesMut, room: usize) {
        let client = &mut self.client;
        let Some(window) = shard.window.filter(|_| client.open && client.part != Part::Subscriber) else {
            return;
        };
        let up_to = client.allowed(now, window, shard);
        while client.sequence < up_to && out.len() < room {
            client.send(now, window, shard, out);
        }
    }

    /// When its next message is due, by its schedule.
    pub(crate) fn next_due(&self) -> Option<Nanos> {
        self.client.schedule.map(|schedule| schedule.at(self.client.sequence))
    }

    /// Whether everything has come that it waits for, and everything was sent that should be.
    pub(crate) fn is_settled(&self, now: Nanos, shard: &Shard) -> bool {
        let client = &self.client;
        if !client.open {
            return true;
        }
        let owes = shard.window.is_some_and(|window| client.scheduled(now, window) > client.sequence);
        let waits = client.part == Part::Echo
            && (!client.unmarked.is_empty()
                || (shard.settings.marked
                    && client
                        .trackers
                        .iter()
                        .any(|tracker| tracker.next() < client.sequence || tracker.missing() > 0)));
        !owes && !waits
    }

    /// Gives up what nobody answers, so that a closed loop goes on. Gives whether it did.
    pub(crate) fn look_for_losses(&mut self, now: Nanos, shard: &mut Shard) -> bool {
        let patience = shard.settings.timeout.as_nanos() as u64;
        let client = &mut self.client;
        let given_up = client.open && client.sequence > 0 && now.saturating_sub(client.progress) > patience;
        if given_up {
            client.give_up(shard);
            client.progress = now;
        }
        given_up
    }

    /// The connection has ended, or the run: what has not come is lost.
    pub(crate) fn finish(&mut self, shard: &mut Shard) {
        let client = &mut self.client;
        if !client.open {
            return;
        }
        client.open = false;
        match client.part {
            Part::Echo => {
                client.give_up(shard);
                let missing = client.trackers.iter().map(Tracker::missing).sum();
                shard.tally.errors("lost", missing, || "messages that never came back".into());
            }
            Part::Subscriber => {
                shard.shared.receivers[client.group as usize].fetch_sub(1, Relaxed);
            }
            Part::Publisher => {}
        }
        if let Some(window) = shard.window {
            let owed = client.scheduled(u64::MAX, window).saturating_sub(client.sequence);
            shard.tally.errors("not_sent", owed, || {
                "messages of the schedule that the server did not take in time, or whose connection had ended".into()
            });
        }
    }

    /// A close frame, where the transport has one.
    pub(crate) fn goodbye(&self, shard: &mut Shard, out: &mut BytesMut) {
        if self.client.wire.websocket().is_some() {
            websocket::encode_close(Some((1000, "")), Some(shard.random.u32(..).to_le_bytes()), out);
        }
    }
}

impl Client {
    fn open(&mut self, shard: &mut Shard) {
        self.open = true;
        shard.tally.open += 1;
        shard.shared.live.open.fetch_add(1, Relaxed);
        if self.part == Part::Subscriber {
            shard.shared.receivers[self.group as usize].fetch_add(1, Relaxed);
        }
    }

    fn encode(&self, body: &[u8], shard: &mut Shard, out: &mut BytesMut) {
        let mask = shard.random.u32(..).to_le_bytes();
        if let Err(error) = self.wire.encode(shard.settings.kind, body, mask, out) {
            shard.tally.error("unframeable", || format!("a message cannot be framed: {error}"));
        }
    }

    /// What is under way does not come any more.
    fn give_up(&mut self, shard: &mut Shard) {
        match self.part {
            Part::Echo if shard.settings.marked => self.trackers[0].give_up(self.sequence),
            Part::Echo => {
                let lost = std::mem::take(&mut self.unmarked).len() as u64;
                self.given_up += lost;
                shard.tally.errors("lost", lost, || "messages that never came back".into());
            }
            Part::Publisher => {
                let publisher = &shard.shared.publishers[self.number as usize];
                publisher.delivered.store(publisher.expected.load(Relaxed), Relaxed);
            }
            Part::Subscriber => {}
        }
    }
}
