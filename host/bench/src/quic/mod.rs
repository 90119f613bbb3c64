//! Connections over QUIC, WebTransport's among them: quinn's runtime, one task a connection.

mod load;
mod session;
#[cfg(test)]
mod tests;

use crate::conn::Conn;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::shared::Nanos;
use crate::tally::Tally;
use crate::target::Target;
use bytes::BytesMut;
use quinn::crypto::rustls::QuicClientConfig;
use session::Session;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

/// UDP sockets of a thread, at most: a socket's buffers are megabytes, and one socket's packets all reach the same worker of a server
/// that has several.
const ENDPOINTS: usize = 16;
/// Connections that are being opened at a time.
const OPENING: usize = 64;
/// How often it is looked for what the others say. Timers are no finer.
const LOOK: Duration = Duration::from_millis(1);
/// How long the ends of connections are waited for.
const GOODBYE: Duration = Duration::from_secs(1);
/// What one read takes.
const READ: usize = 64 << 10;

/// Runs the connections of these numbers from the first to the last.
pub(crate) fn run(shard: Shard, numbers: Vec<u32>) -> io::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    let thread = Rc::new(Thread::new(shard, &numbers)?);
    LocalSet::new().block_on(&runtime, async {
        let watching = Rc::clone(&thread);
        spawn_local(async move { watching.watch().await });
        let mut clients = thread.start(numbers).await;
        while let Some(ended) = clients.join_next().await {
            // What panicked would never be settled.
            ended.map_err(io::Error::other)?;
        }
        let until = Instant::now() + GOODBYE;
        for endpoint in &thread.endpoints {
            let _ = timeout_at(until, endpoint.wait_idle()).await;
        }
        Ok::<_, io::Error>(())
    })?;
    let tally = std::mem::take(&mut thread.shard.borrow_mut().tally);
    Ok(tally)
}

/// How quinn reaches a target.
fn config(target: &Target) -> io::Result<quinn::ClientConfig> {
    let tls = target.tls.as_ref().and_then(|tls| QuicClientConfig::try_from(Arc::clone(tls)).ok());
    let tls = tls.ok_or_else(|| io::Error::other("QUIC needs TLS 1.3"))?;
    let mut transport = quinn::TransportConfig::default();
    // An idle connection is no less one: when it is closed is the server's to say.
    transport.max_idle_timeout(None);
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

fn endpoints(settings: &Settings, numbers: &[u32]) -> io::Result<Vec<quinn::Endpoint>> {
    let count = numbers.len().min(ENDPOINTS.max(settings.sources.len()));
    let endpoint = |number: &u32| {
        let source = settings.source_of(*number).unwrap_or_else(|| settings.any_source());
        quinn::Endpoint::client(SocketAddr::new(source, 0))
    };
    numbers[..count].iter().map(endpoint).collect()
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Connections are being opened, of this thread or of others.
    ExpectLoad,
    Load,
    /// Nothing is due any more; what is under way is waited for.
    ExpectRest,
    /// Nothing is waited for any more.
    Done,
}

/// What the connections of a thread have in common.
struct Thread {
    shard: RefCell<Shard>,
    endpoints: Vec<quinn::Endpoint>,
    config: quinn::ClientConfig,
    /// Where publishers connect elsewhere.
    publisher_config: Option<quinn::ClientConfig>,
    opening: Semaphore,
    /// Connections that are neither open nor failed yet.
    to_open: Cell<usize>,
    /// Connections for which something is still sent or waited for.
    to_settle: Cell<usize>,
    stage: Cell<Stage>,
    /// Told when the stage changes.
    news: Notify,
    scratch: RefCell<BytesMut>,
}

impl Thread {
    fn new(shard: Shard, numbers: &[u32]) -> io::Result<Self> {
        let settings = &shard.settings;
        Ok(Self {
            endpoints: endpoints(settings, numbers)?,
            config: config(&settings.target)?,
            publisher_config: settings.publisher_target.as_ref().map(config).transpose()?,
            opening: Semaphore::new(OPENING),
            to_open: Cell::new(numbers.len()),
            to_settle: Cell::new(numbers.len()),
            stage: Cell::new(Stage::ExpectLoad),
            news: Notify::new(),
            scratch: RefCell::new(BytesMut::with_capacity(READ)),
            shard: RefCell::new(shard),
        })
    }

    fn now(&self) -> Nanos {
        self.shard.borrow().shared.now()
    }

    /// Looks at what other threads may have changed, for all connections: a timer of each would be a load of its own.
    async fn watch(&self) {
        let mut told = 0;
        loop {
            sleep(LOOK).await;
            let stage = {
                let mut shard = self.shard.borrow_mut();
                shard.look();
                let received = shard.tally.received;
                shard.shared.live.received.fetch_add(received - told, Relaxed);
                told = received;
                self.stage_of(&shard)
            };
            if self.stage.replace(stage) != stage {
                self.news.notify_waiters();
            }
        }
    }

    fn stage_of(&self, shard: &Shard) -> Stage {
        let now = shard.shared.now();
        let patience = shard.settings.timeout.as_nanos() as u64;
        match shard.window {
            _ if shard.shared.is_stopped() => Stage::Done,
            None => Stage::ExpectLoad,
            Some(window) if now < window.start => Stage::ExpectLoad,
            Some(window) if now < window.to => Stage::Load,
            Some(window) if now - window.to > patience => Stage::Done,
            Some(_) if self.to_settle.get() == 0 && shard.shared.all_delivered(shard.settings.threads) => {
                Stage::Done
            }
            Some(_) => Stage::ExpectRest,
        }
    }

    /// Until nothing is waited for any more.
    async fn done(&self) {
        loop {
            // Before the look, so that no news is missed.
            let news = self.news.notified();
            if self.stage.get() == Stage::Done {
                return;
            }
            news.await;
        }
    }

    /// Opens the connections, at the pace that is asked for. Each goes on by itself.
    async fn start(self: &Rc<Self>, numbers: Vec<u32>) -> JoinSet<()> {
        let settings = self.shard.borrow().settings.clone();
        let pace = settings.ramp.map(|ramp| Duration::from_secs_f64(settings.threads as f64 / ramp));
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for (at, number) in numbers.into_iter().enumerate() {
            if let Some(pace) = pace {
                tokio::select! {
                    () = sleep_until(begun + pace * at as u32) => {}
                    () = self.done() => break,
                }
            }
            let thread = Rc::clone(self);
            clients.spawn_local(async move { thread.client(at, number).await });
        }
        clients
    }

    async fn client(&self, at: usize, number: u32) {
        let settings = self.shard.borrow().settings.clone();
        let mut conn = Conn::new(number, settings.target_of(number), &settings);
        let opened = tokio::select! {
            opened = self.open(at, &mut conn, &settings) => opened,
            () = self.done() => return,
        };
        self.to_open.set(self.to_open.get() - 1);
        if self.to_open.get() == 0 {
            self.shard.borrow().shared.ready.fetch_add(1, SeqCst);
        }
        match opened {
            Ok(session) => self.serve(session, conn).await,
            Err(failure) => {
                let mut shard = self.shard.borrow_mut();
                // It may have come as far as that before it failed.
                if conn.is_open() {
                    conn.finish(&mut shard);
                    shard.closed(failure);
                } else {
                    shard.failed(failure);
                }
                drop(shard);
                self.settled();
            }
        }
    }

    /// Opens it, when it is its turn, within the time that is given to that.
    async fn open(&self, at: usize, conn: &mut Conn, settings: &Settings) -> Result<Session, Failure> {
        let number = conn.number();
        let target = settings.target_of(number);
        let config = match &self.publisher_config {
            Some(config) if conn.publishes() => config,
            _ => &self.config,
        };
        let _turn = self.opening.acquire().await;
        let step = Cell::new("the handshakes; is it there, on UDP?");
        let opened = timeout(settings.timeout, async {
            let endpoint = &self.endpoints[at % self.endpoints.len()];
            let connecting = endpoint.connect_with(config.clone(), target.address, &target.host);
            let mut session = Session::open(connecting, target, number, settings).await?;
            step.set("the message that --ready waits for");
            self.greet(&mut session, conn).await?;
            Ok(session)
        });
        opened.await.unwrap_or_else(|_| Err(Failure::late(step.get(), target.address)))
    }

    /// Says hello, and waits for what `--ready` names.
    async fn greet(&self, session: &mut Session, conn: &mut Conn) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        conn.hello(&mut self.shard.borrow_mut(), &mut out);
        let written = session.send.write_all(&out).await;
        written.map_err(|error| Failure::new("connect_failed", format!("cannot say hello: {error}")))?;
        while !conn.is_open() {
            out.clear();
            let Ok(Some(chunk)) = session.receive.read_chunk(READ, true).await else {
                return Err(session.end().await);
            };
            self.take(conn, &chunk.bytes, &mut out)?;
            let written = session.send.write_all(&out).await;
            written.map_err(|error| Failure::new("connect_failed", format!("cannot answer: {error}")))?;
        }
        Ok(())
    }

    /// Gives what arrived to the client.
    fn take(&self, conn: &mut Conn, bytes: &[u8], out: &mut BytesMut) -> Result<(), Failure> {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        scratch.extend_from_slice(bytes);
        let now = self.now();
        let mut shard = self.shard.borrow_mut();
        conn.received(&mut scratch, now, &mut shard, out)?;
        if out.len() > shard.settings.most_waiting { Err(Failure::unread()) } else { Ok(()) }
    }

    /// Nothing is sent or waited for any more on one of the connections.
    fn settled(&self) {
        self.to_settle.set(self.to_settle.get() - 1);
        if self.to_settle.get() == 0 {
            self.shard.borrow().shared.silent.fetch_add(1, SeqCst);
        }
    }
}
