//! What a client is built from.

use crate::client::Client;
use crate::transport::{Address, of_system};
use crate::{Error, Message};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};

type Decision = Arc<dyn Fn(&Error) -> bool + Send + Sync>;

/// What the builder has made of what it was told.
pub(crate) struct Options {
    pub(crate) address: Address,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) settings: Settings,
}

/// What needs no more than a look: each is described at the builder's method of its name.
pub(crate) struct Settings {
    pub(crate) resume: bool,
    pub(crate) token: Option<(String, u64)>,
    pub(crate) greeting: Vec<Message>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) queue_bytes: usize,
    pub(crate) events: usize,
    pub(crate) max_message: usize,
    pub(crate) backoff: (Duration, Duration),
    pub(crate) stable_after: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) reconnect_if: Option<Decision>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resume: true,
            token: None,
            greeting: Vec::new(),
            subprotocols: Vec::new(),
            queue_bytes: 1 << 20,
            events: 256,
            max_message: 1 << 20,
            backoff: (Duration::from_millis(500), Duration::from_secs(32)),
            stable_after: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(25),
            reconnect_if: None,
        }
    }
}

/// Settings of a client. Every one has a default.
#[must_use]
pub struct Builder {
    url: String,
    tls: Option<Arc<ClientConfig>>,
    headers: Vec<(String, String)>,
    settings: Settings,
}

impl Builder {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), tls: None, headers: Vec::new(), settings: Settings::default() }
    }

    /// Whether to ask for a session that resumes. Default: yes. Over WebSocket a gateway that does not know it is found out;
    /// over framed TCP it would take the hello for a message of the application, so say no there if you are not sure.
    pub fn resume(mut self, resume: bool) -> Self {
        self.settings.resume = resume;
        self
    }

    /// Takes a session back that another client, of this process or a former one, has left: see
    /// [`Client::resume_point`].
    pub fn token(mut self, token: impl Into<String>, received: u64) -> Self {
        self.settings.token = Some((token.into(), received));
        self
    }

    /// Messages with which every new session begins, a join for example: before whatever waits for being sent. A session
    /// that is resumed does not need them again.
    pub fn greeting(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.settings.greeting = messages.into_iter().collect();
        self
    }

    /// Offers a WebSocket subprotocol of the application, behind `weir.v1`. May be called more than once.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.settings.subprotocols.push(name.into());
        self
    }

    /// Adds a header to the WebSocket request. May be called more than once.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// TLS for `wss://` and `tls://`: whom to trust, and what certificate to show. Default: TLS 1.2 and 1.3, the authorities
    /// of the system, no certificate.
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The most bytes that may wait for being sent or confirmed; each message counts 64 more. Default: 1 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.settings.queue_bytes = bytes;
        self
    }

    /// The most events that may wait for [`Client::recv`]; then nothing is read from the gateway until one is taken.
    /// Default: 256.
    pub fn events(mut self, events: usize) -> Self {
        self.settings.events = events;
        self
    }

    /// The most bytes of a message, in either direction. Default: 1 MiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.settings.max_message = bytes;
        self
    }

    /// Delays before attempts: random, from nothing up to a ceiling that begins with `base` and doubles up to `max`.
    /// Default: 0.5 s and 32 s.
    pub fn backoff(mut self, base: Duration, max: Duration) -> Self {
        self.settings.backoff = (base, max);
        self
    }

    /// How long a connection must have lasted for the delays to begin anew. Default: 10 s.
    pub fn stable_after(mut self, time: Duration) -> Self {
        self.settings.stable_after = time;
        self
    }

    /// The time for an attempt, from the first packet to the welcome. Default: 10 s.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.settings.connect_timeout = time;
        self
    }

    /// The longest time between two pings. A gateway that gives up silent clients sooner is pinged at a third of its time.
    /// Default: 25 s.
    pub fn heartbeat(mut self, time: Duration) -> Self {
        self.settings.heartbeat = time;
        self
    }

    /// Decides whether to come back after an end, in place of the table in the README.
    pub fn reconnect_if(mut self, decide: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.settings.reconnect_if = Some(Arc::new(decide));
        self
    }

    /// Begins to connect, in a task of its own.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Url`], [`Error::Option`] and [`Error::Tls`]: what it was told makes no sense.
    pub fn build(self) -> Result<Client, Error> {
        Ok(Client::start(self.complete()?))
    }

    fn complete(self) -> Result<Options, Error> {
        let address = Address::parse(&self.url)?;
        let bad = |option, problem: &dyn fmt::Display| Error::Option { option, problem: problem.to_string() };
        let settings = self.settings;
        for (option, value) in [
            ("queue_bytes", settings.queue_bytes),
            ("events", settings.events),
            ("max_message", settings.max_message),
        ] {
            // The bounds of what a semaphore counts, and of what a frame says.
            if value == 0 || u32::try_from(value).is_err() {
                return Err(bad(option, &"must be from 1 to 4,294,967,295"));
            }
        }
        for (option, value) in [
            ("backoff", settings.backoff.0),
            ("connect_timeout", settings.connect_timeout),
            ("heartbeat", settings.heartbeat),
        ] {
            if value.is_zero() {
                return Err(bad(option, &"must be more than nothing"));
            }
        }
        let tls = if address.tls {
            let name = ServerName::try_from(address.host.clone()).map_err(|_| Error::Url {
                url: self.url,
                problem: "its host is no name for TLS".to_owned(),
            })?;
            Some((self.tls.map_or_else(of_system, Ok)?, name))
        } else {
            None
        };
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name).map_err(|error| bad("header", &error))?;
            headers.push((name, HeaderValue::try_from(value).map_err(|error| bad("header", &error))?));
        }
        Ok(Options { address, tls, headers, settings })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let builder = || Builder::new("ws://127.0.0.1:1/");
        assert!(builder().complete().is_ok());
        for (bad, says) in [
            (builder().queue_bytes(0), "queue_bytes"),
            (builder().events(0), "events"),
            (builder().heartbeat(Duration::ZERO), "heartbeat"),
            (builder().header("a b", "c"), "header"),
            (builder().header("a", "c\n"), "header"),
        ] {
            let error = bad.complete().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(says), "{error}");
        }
        assert!(matches!(Builder::new("ftp://a").complete(), Err(Error::Url { .. })));
    }
}
