//! The task that holds the connection: connects, talks, and decides what follows an end.

use crate::Error;
use crate::backoff::Backoff;
use crate::control::{self, Control, Welcome};
use crate::conversation::Conversation;
use crate::ending::{comes_back, retry_after};
use crate::event::{Closed, Event};
use crate::options::Options;
use crate::outbox::{Outbox, Queued};
use crate::receipts::Receipts;
use crate::transport::{Incoming, Link, dial};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

/// What lives longer than a connection.
pub(crate) struct Driver {
    pub(crate) options: Options,
    pub(crate) queue: mpsc::Receiver<Queued>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) closing: watch::Receiver<bool>,
    pub(crate) outbox: Outbox,
    pub(crate) receipts: Receipts,
    pub(crate) token: Option<String>,
    room: Arc<Semaphore>,
    backoff: Backoff,
    /// Whether to offer `weir.v1`: not to a gateway that was there and did not choose it.
    offer: bool,
}

/// Why nothing more is to be done.
enum Over {
    /// Nobody holds the handle.
    Left,
    /// For the last event.
    Because(Error),
}

impl Driver {
    pub(crate) fn new(
        options: Options,
        queue: mpsc::Receiver<Queued>,
        events: mpsc::Sender<Event>,
        closing: watch::Receiver<bool>,
        room: Arc<Semaphore>,
    ) -> Self {
        let (token, received) = options.settings.token.clone().unzip();
        let backoff = Backoff::new(options.settings.backoff.0, options.settings.backoff.1);
        Self {
            offer: options.settings.resume,
            options,
            queue,
            events,
            closing,
            outbox: Outbox::default(),
            receipts: Receipts::new(received.unwrap_or(0)),
            token,
            room,
            backoff,
        }
    }

    pub(crate) async fn run(mut self) {
        let over = self.live().await;
        self.room.close();
        self.queue.close();
        if let Over::Because(cause) = over {
            while let Ok(queued) = self.queue.try_recv() {
                self.outbox.push(queued);
            }
            let (unconfirmed, unsent) = self.outbox.end();
            // Whoever does not want to know has dropped the handle.
            let _ = self.events.send(Event::Closed(Closed { cause, unconfirmed, unsent })).await;
        }
    }

    async fn live(&mut self) -> Over {
        loop {
            let (cause, opened) = tokio::select! {
                attempt = self.connect() => match attempt {
                    Ok((link, welcome)) => (self.converse(link, welcome).await, true),
                    Err(cause) => (Some(cause), false),
                },
                () = closed(self.closing.clone()) => (Some(by_user()), false),
                () = gone(self.events.clone()) => (None, false),
            };
            let Some(cause) = cause else { return Over::Left };
            if *self.closing.borrow() {
                return Over::Because(by_user());
            }
            if self.offer && cause.chose_none() {
                self.offer = false;
                continue;
            }
            // What did not speak it may have been replaced since.
            self.offer |= !opened && self.options.settings.resume;
            if let Some(over) = self.wait(cause).await {
                return over;
            }
        }
    }

    /// Waits for the next attempt, if there is to be one.
    async fn wait(&mut self, cause: Error) -> Option<Over> {
        let again = self
            .options
            .settings
            .reconnect_if
            .as_ref()
            .map_or_else(|| comes_back(&cause), |decide| decide(&cause));
        if !again {
            return Some(Over::Because(cause));
        }
        let delay = self.backoff.next(retry_after(&cause), fastrand::f64());
        let until = Instant::now() + delay;
        let event = Event::Reconnecting { delay, attempt: self.backoff.attempts(), cause };
        let told = async {
            let told = self.events.send(event).await;
            sleep(until.saturating_duration_since(Instant::now())).await;
            told
        };
        tokio::select! {
            told = told => told.is_err().then_some(Over::Left),
            () = closed(self.closing.clone()) => Some(Over::Because(by_user())),
            () = gone(self.events.clone()) => Some(Over::Left),
        }
    }

    /// One attempt, up to the welcome.
    async fn connect(&self) -> Result<(Link, Option<Welcome>), Error> {
        let patience = self.options.settings.connect_timeout;
        let attempt = async {
            let mut link = dial(&self.options, self.offer).await?;
            if !link.speaks {
                return Ok((link, None));
            }
            let resume = self.token.as_deref().map(|token| (token, self.receipts.received()));
            link.writer.say(control::hello(resume)).await?;
            let welcome = welcome(&mut link, self.options.address.websocket).await?;
            Ok((link, Some(welcome)))
        };
        timeout(patience, attempt).await.map_err(|_| Error::TimedOut(patience))?
    }

    /// Until the connection ends. Nothing: nobody holds the handle.
    async fn converse(&mut self, link: Link, welcome: Option<Welcome>) -> Option<Error> {
        let since = Instant::now();
        let end = Conversation::begin(self, &link, welcome.as_ref()).run(link).await;
        if since.elapsed() >= self.options.settings.stable_after {
            self.backoff.reset();
        }
        end
    }
}

async fn welcome(link: &mut Link, websocket: bool) -> Result<Welcome, Error> {
    match link.reader.next().await? {
        Incoming::Closed(cause) => Err(cause),
        Incoming::Message(message) if control::is_control(message.payload()) => {
            match control::parse(message.payload()).map_err(Error::Protocol)? {
                Control::Welcome(welcome) => Ok(welcome),
                // An echo of the hello, for example.
                _ => Err(Error::NotSpoken),
            }
        }
        Incoming::Message(_) if websocket => Err(Error::Protocol("a message before its welcome".to_owned())),
        Incoming::Message(_) => Err(Error::NotSpoken),
    }
}

/// The end that the user asked for.
pub(crate) fn by_user() -> Error {
    Error::Closed { code: 1000, reason: String::new() }
}

/// Waits until the user closes.
async fn closed(mut closing: watch::Receiver<bool>) {
    if closing.wait_for(|&closing| closing).await.is_err() {
        // The handle is gone: others notice that by themselves.
        std::future::pending::<()>().await;
    }
}

/// Waits until nobody holds the handle.
async fn gone(events: mpsc::Sender<Event>) {
    events.closed().await;
}

/// For the other side's part of an end in order, and for what goes out before it.
pub(crate) const GOODBYE: Duration = Duration::from_secs(5);
