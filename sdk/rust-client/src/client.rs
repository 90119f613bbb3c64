//! What users hold.

use crate::driver::Driver;
use crate::options::{Builder, Options};
use crate::outbox::Queued;
use crate::{Event, Message, SendError, control};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, watch};

/// What a message costs of the queue besides its bytes, so that empty ones are bounded too.
pub(crate) const OVERHEAD: usize = 64;

/// A connection to Weir that comes back. A task of its own holds the connection; this is its handle.
///
/// Whoever drops it leaves without a word: the session waits for its window, and can be taken back with its
/// [`resume_point`](Self::resume_point). [`close`](Self::close) ends the session.
#[derive(Debug)]
pub struct Client {
    sender: Sender,
    events: mpsc::Receiver<Event>,
    closing: watch::Sender<bool>,
    point: Option<ResumePoint>,
}

/// Sends messages of a client from elsewhere. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    queue_bytes: usize,
    max_message: usize,
}

/// What [`Builder::token`] needs to take a session back. Whoever has it can become that session.
#[derive(Clone, PartialEq, Eq)]
pub struct ResumePoint {
    /// For the next hello. Another one with every [`Event::Open`].
    pub token: String,
    /// How many messages of the session [`Client::recv`] has given out.
    pub received: u64,
}

/// Without the token: it must not get into logs.
impl fmt::Debug for ResumePoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResumePoint").field("received", &self.received).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins to build a client for `ws://`, `wss://`, `tcp://HOST:PORT` or `tls://HOST:PORT`. The last two are framed TCP
    /// with `u32be`.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    pub(crate) fn start(options: Options) -> Self {
        let room = Arc::new(Semaphore::new(options.settings.queue_bytes));
        // Never full: each message takes room before it gets in.
        let (queue, queued) = mpsc::channel(options.settings.queue_bytes.div_ceil(OVERHEAD));
        let (events, receiver) = mpsc::channel(options.settings.events);
        let (closing, closes) = watch::channel(false);
        let sender = Sender {
            queue,
            room: Arc::clone(&room),
            queue_bytes: options.settings.queue_bytes,
            max_message: options.settings.max_message,
        };
        tokio::spawn(Driver::new(options, queued, events, closes, room).run());
        Self { sender, events: receiver, closing, point: None }
    }

    /// The next event; `None` after [`Event::Closed`]. May be dropped while it waits.
    pub async fn recv(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        match &event {
            Some(Event::Open(opened)) => self.point.clone_from(&opened.point),
            Some(Event::Message(_)) => {
                if let Some(point) = &mut self.point {
                    point.received += 1;
                }
            }
            _ => {}
        }
        event
    }

    /// As [`Sender::send`].
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// As [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.try_send(message)
    }

    /// Sends from elsewhere, while this waits for events.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Where another client can take the session up, at what [`recv`](Self::recv) has given out. None before the first
    /// [`Event::Open`], and on a connection that does not resume.
    pub fn resume_point(&self) -> Option<&ResumePoint> {
        self.point.as_ref()
    }

    /// Ends the session: what was sent before goes out first, if there is a connection, for at most five seconds. Events
    /// that were not taken are lost, except the last.
    pub async fn close(mut self) -> Option<Event> {
        self.closing.send_replace(true);
        let mut last = None;
        while let Some(event) = self.events.recv().await {
            last = Some(event);
        }
        last
    }
}

impl Sender {
    /// Puts a message into the queue, and waits until there is room. It is sent as soon as there is a connection, and again
    /// where a connection was lost with it, until the gateway has had it.
    ///
    /// # Errors
    ///
    /// [`SendError`], but never [`SendError::Full`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let cost = self.cost(&message)?;
        let room = Arc::clone(&self.room).acquire_many_owned(cost).await.map_err(|_| SendError::Closed)?;
        self.put(message, room)
    }

    /// Puts a message into the queue, if there is room.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let cost = self.cost(&message)?;
        match Arc::clone(&self.room).try_acquire_many_owned(cost) {
            Ok(room) => self.put(message, room),
            Err(TryAcquireError::NoPermits) => Err(SendError::Full(message)),
            Err(TryAcquireError::Closed) => Err(SendError::Closed),
        }
    }

    fn put(&self, message: Message, room: OwnedSemaphorePermit) -> Result<(), SendError> {
        self.queue.try_send(Queued { message, _room: Some(room) }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(queued) => SendError::Full(queued.message),
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }

    fn cost(&self, message: &Message) -> Result<u32, SendError> {
        let length = message.payload().len();
        if control::is_control(message.payload()) {
            return Err(SendError::Reserved);
        }
        let cost = length + OVERHEAD;
        match u32::try_from(cost) {
            Ok(fits) if cost <= self.queue_bytes && length <= self.max_message => Ok(fits),
            _ => Err(SendError::TooLong(message.clone())),
        }
    }
}
