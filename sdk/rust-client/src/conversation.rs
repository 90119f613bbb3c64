//! One connection, from its welcome to its end.

use crate::client::{OVERHEAD, ResumePoint};
use crate::control::{self, Control, Welcome};
use crate::driver::{Driver, GOODBYE, by_user};
use crate::event::{Event, Opened};
use crate::heartbeat::{Due, Heartbeat};
use crate::transport::{Incoming, Link, Outgoing};
use crate::{Error, Message};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// Between the loop and what writes: little, so that control messages do not wait long.
const WRITING: usize = 16;
/// When nothing else is due.
const LONG: Duration = Duration::from_hours(1);

pub(crate) struct Conversation<'a> {
    driver: &'a mut Driver,
    /// Told first.
    opened: Option<Opened>,
    /// None on a plain connection: the transport's own ways to notice an end have to do.
    heartbeat: Option<Heartbeat>,
    ping: Option<u64>,
    ack: Option<u64>,
    leaving: Leaving,
}

/// How far the end is that the user asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// It was not asked for.
    Not,
    /// What waits goes out, then the goodbye.
    Saying { until: Instant, bye: bool },
    /// The other side has until then to end too.
    Said { until: Instant },
}

impl<'a> Conversation<'a> {
    /// Takes over what the welcome says; without one the connection is plain.
    pub(crate) fn begin(driver: &'a mut Driver, link: &Link, welcome: Option<&Welcome>) -> Self {
        let mut opened = Opened { subprotocol: link.subprotocol.clone(), ..Opened::default() };
        match welcome.filter(|welcome| welcome.kept()) {
            Some(welcome) => opened.lost = driver.outbox.resume(welcome.received),
            None => opened.unconfirmed = driver.outbox.begin(&driver.options.settings.greeting),
        }
        driver.token = welcome.map(|welcome| welcome.token.clone());
        driver
            .receipts
            .start(welcome.map_or(0, |welcome| welcome.sent), welcome.map_or(0, |welcome| welcome.buffer));
        let heartbeat = welcome.map(|welcome| {
            opened.resumable = true;
            opened.resumed = welcome.resumed;
            opened.reason.clone_from(&welcome.reason);
            opened.missed = welcome.missed;
            opened.session.clone_from(&welcome.session);
            opened.window = welcome.window;
            opened.point = Some(ResumePoint { token: welcome.token.clone(), received: welcome.sent });
            let longest = driver.options.settings.heartbeat;
            let interval = if welcome.idle.is_zero() { longest } else { longest.min(welcome.idle / 3) };
            Heartbeat::new(interval, Instant::now())
        });
        Self { driver, opened: Some(opened), heartbeat, ping: None, ack: None, leaving: Leaving::Not }
    }

    /// Talks until the connection ends. Nothing: nobody holds the handle.
    pub(crate) async fn run(mut self, link: Link) -> Option<Error> {
        let Link { mut reader, writer, taken, .. } = link;
        let (out, queue) = mpsc::channel(WRITING);
        let writing = writer.run(queue);
        tokio::pin!(writing);
        let mut writes = true;
        let events = self.driver.events.clone();
        // Nothing is read that could not be handed on.
        let mut permit = None;
        loop {
            let reads = permit.is_some() || self.leaving != Leaving::Not;
            let due = self.due();
            tokio::select! {
                free = events.reserve(), if permit.is_none() => match (free, self.opened.take()) {
                    (Ok(free), Some(opened)) => free.send(Event::Open(opened)),
                    (Ok(free), None) => permit = Some(free),
                    (Err(_), _) => return None,
                },
                () = events.closed() => return None,
                incoming = reader.next(), if reads => match incoming {
                    Ok(Incoming::Message(message)) => match self.took(message) {
                        Ok(Some(message)) => if let Some(free) = permit.take() { free.send(Event::Message(message)) },
                        Ok(None) => {}
                        Err(cause) => return Some(cause),
                    },
                    Ok(Incoming::Closed(cause)) => {
                        // The answer to a close frame goes out with the next read.
                        let _ = timeout(GOODBYE, reader.next()).await;
                        return Some(cause);
                    }
                    Err(cause) => return Some(cause),
                },
                slot = out.reserve(), if writes && self.has_output() => match (slot, self.output()) {
                    (Ok(slot), Some(outgoing)) => slot.send(outgoing),
                    (Ok(_), None) => {}
                    (Err(_), _) => writes = false,
                },
                // After an error the reader finds out more, or the next ping finds nobody.
                written = &mut writing, if writes => {
                    writes = false;
                    if let (Err(_), Some(heartbeat)) = (written, &mut self.heartbeat) {
                        heartbeat.soon(Instant::now());
                    } else if self.leaving == Leaving::Not {
                        return Some(Error::broken("it takes nothing more"));
                    }
                },
                Some(queued) = self.driver.queue.recv() => {
                    self.driver.outbox.push(queued);
                }
                Ok(()) = self.driver.closing.changed(), if self.leaving == Leaving::Not => self.leave(),
                () = sleep_until(due) => {
                    if let Some(cause) = self.on_time(taken.bytes(), reads) {
                        return Some(cause);
                    }
                }
            }
        }
    }

    /// A message arrived. Gives it back if it is for the application.
    fn took(&mut self, message: Message) -> Result<Option<Message>, Error> {
        let now = Instant::now();
        let Some(heartbeat) = &mut self.heartbeat else { return Ok(Some(message)) };
        heartbeat.heard(now);
        if !control::is_control(message.payload()) {
            self.driver.receipts.took(message.payload().len(), now);
            return Ok(Some(message));
        }
        if let Control::Pong(echo) = control::parse(message.payload()).map_err(Error::Protocol)? {
            if let Some(last) = heartbeat.pong(&echo, now) {
                self.driver.outbox.confirm(last);
            }
            self.ask_for_confirmation();
        }
        Ok(None)
    }

    fn has_output(&self) -> bool {
        self.ping.is_some()
            || self.ack.is_some()
            || self.driver.outbox.has_next()
            || matches!(self.leaving, Leaving::Saying { .. })
    }

    fn output(&mut self) -> Option<Outgoing> {
        if let Some(number) = self.ack.take() {
            return Some(Outgoing::Control(control::ack(number)));
        }
        if let Some(echo) = self.ping.take() {
            self.heartbeat.as_mut()?.sent(self.driver.outbox.last());
            return Some(Outgoing::Control(control::ping(echo)));
        }
        if let Some(message) = self.driver.outbox.next() {
            if self.heartbeat.is_none() {
                // Nobody will say whether it arrived.
                self.driver.outbox.confirm(self.driver.outbox.last());
            }
            self.ask_for_confirmation();
            return Some(Outgoing::Message(message));
        }
        match self.leaving {
            Leaving::Saying { until, bye: true } => {
                self.leaving = Leaving::Saying { until, bye: false };
                Some(Outgoing::Control(control::bye()))
            }
            Leaving::Saying { until, bye: false } => {
                self.leaving = Leaving::Said { until };
                Some(Outgoing::End)
            }
            Leaving::Not | Leaving::Said { .. } => None,
        }
    }

    /// When a quarter of the queue went out without being confirmed, it is time to ask.
    fn ask_for_confirmation(&mut self) {
        let (messages, bytes) = self.driver.outbox.unconfirmed();
        let much =
            messages > 0 && (bytes + messages * OVERHEAD) * 4 >= self.driver.options.settings.queue_bytes;
        if let (true, Some(heartbeat)) = (much, &mut self.heartbeat) {
            heartbeat.soon(Instant::now());
        }
    }

    fn leave(&mut self) {
        while let Ok(queued) = self.driver.queue.try_recv() {
            self.driver.outbox.push(queued);
        }
        let bye = self.heartbeat.is_some();
        self.leaving = Leaving::Saying { until: Instant::now() + GOODBYE, bye };
    }

    fn due(&self) -> Instant {
        let leaving = match self.leaving {
            Leaving::Not => None,
            Leaving::Saying { until, .. } | Leaving::Said { until } => Some(until),
        };
        let heartbeat = self.heartbeat.as_ref().map(Heartbeat::next);
        let times = [leaving, heartbeat, self.driver.receipts.due()];
        times.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + LONG)
    }

    fn on_time(&mut self, taken: u64, listening: bool) -> Option<Error> {
        let now = Instant::now();
        match self.leaving {
            Leaving::Saying { until, .. } | Leaving::Said { until } if until <= now => return Some(by_user()),
            _ => {}
        }
        let heartbeat = self.heartbeat.as_mut()?;
        if let Some(number) = self.driver.receipts.confirm(now) {
            self.ack = Some(number);
        }
        match heartbeat.due(now, taken, listening) {
            Due::Ping(echo) => self.ping = Some(echo),
            Due::Later => {}
            Due::Dead => return Some(Error::Silent),
        }
        None
    }
}
