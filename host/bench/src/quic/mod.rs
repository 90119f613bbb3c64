//! Connections over QUIC, WebTransport's among them: quinn's runtime, one task a connection.

mod session;

use crate::conn::{Conn, MOST_WAITING};
use crate::failure::Failure;
use crate::settings::Pace;
use crate::shard::Shard;
use crate::shared::Nanos;
use crate::tally::Tally;
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
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

/// UDP sockets of a thread, at most: a socket's buffers are megabytes, and one socket's packets all reach the same worker of a server
/// that has several.
const ENDPOINTS: usize = 16;
/// Connections that are being opened at a time.
const OPENING: usize = 64;
/// How often it is looked for what does not come, and for what the others say.
const LOOK: Duration = Duration::from_millis(20);
/// How long the ends of connections are waited for.
const GOODBYE: Duration = Duration::from_secs(1);
/// What one read takes.
const READ: usize = 64 << 10;

/// Runs the connections of these numbers from the first to the last.
pub(crate) fn run(shard: Shard, numbers: Vec<u32>) -> io::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    let all = Rc::new(Thread {
        endpoints: endpoints(&shard, &numbers)?,
        opening: Semaphore::new(OPENING),
        to_open: Cell::new(numbers.len()),
        to_settle: Cell::new(numbers.len()),
        scratch: RefCell::new(BytesMut::with_capacity(READ)),
        shard: RefCell::new(shard),
    });
    LocalSet::new().block_on(&runtime, async {
        let thread = Rc::clone(&all);
        let settings = thread.shard.borrow().settings.clone();
        let pace = settings.ramp.map(|ramp| Duration::from_secs_f64(settings.threads as f64 / ramp));
        let begun = tokio::time::Instant::now();
        let mut tasks = Vec::new();
        for (at, number) in numbers.into_iter().enumerate() {
            if let Some(pace) = pace {
                tokio::time::sleep_until(begun + pace * at as u32).await;
            }
            let thread = Rc::clone(&thread);
            tasks.push(tokio::task::spawn_local(async move { thread.client(at, number).await }));
        }
        for task in tasks {
            // A task that panicked has said so.
            let _ = task.await;
        }
        let idle = thread.endpoints.iter().map(quinn::Endpoint::wait_idle);
        for endpoint in idle {
            let _ = timeout(GOODBYE, endpoint).await;
        }
    });
    let tally = std::mem::take(&mut all.shard.borrow_mut().tally);
    Ok(tally)
}

fn endpoints(shard: &Shard, numbers: &[u32]) -> io::Result<Vec<quinn::Endpoint>> {
    let settings = &shard.settings;
    let tls = settings.tls.as_ref().map(|tls| QuicClientConfig::try_from(Arc::clone(tls)));
    let config = tls.and_then(Result::ok).map(|tls| quinn::ClientConfig::new(Arc::new(tls)));
    let config = config.ok_or_else(|| io::Error::other("QUIC needs TLS 1.3"))?;
    let count = numbers.len().min(ENDPOINTS.max(settings.sources.len()));
    let endpoint = |number: &u32| {
        let source = settings.source_of(*number).unwrap_or_else(|| settings.any_source());
        let mut endpoint = quinn::Endpoint::client(SocketAddr::new(source, 0))?;
        endpoint.set_default_client_config(config.clone());
        Ok(endpoint)
    };
    numbers[..count].iter().map(endpoint).collect()
}

/// What the connections of a thread have in common.
struct Thread {
    shard: RefCell<Shard>,
    endpoints: Vec<quinn::Endpoint>,
    opening: Semaphore,
    /// Connections that are neither open nor failed yet.
    to_open: Cell<usize>,
    /// Connections for which something is still sent or waited for.
    to_settle: Cell<usize>,
    scratch: RefCell<BytesMut>,
}

impl Thread {
    fn now(&self) -> Nanos {
        self.shard.borrow().shared.now()
    }

    async fn client(&self, at: usize, number: u32) {
        let settings = self.shard.borrow().settings.clone();
        let target = settings.target_of(number);
        let mut conn = Conn::new(number, target, &settings);
        let turn = self.opening.acquire().await;
        let opened = timeout(settings.timeout, async {
            let endpoint = &self.endpoints[at % self.endpoints.len()];
            let mut session = Session::open(endpoint, target, number, &settings).await?;
            self.greet(&mut session, &mut conn).await?;
            Ok(session)
        });
        let opened =
            opened.await.unwrap_or_else(|_| Err(Failure::late("the QUIC handshake", target.address)));
        drop(turn);
        if let Err(failure) = &opened {
            let mut shard = self.shard.borrow_mut();
            shard.tally.failed += 1;
            shard.shared.live.failed.fetch_add(1, Relaxed);
            shard.tally.error(&failure.reason, || failure.about.clone());
        }
        self.to_open.set(self.to_open.get() - 1);
        if self.to_open.get() == 0 {
            self.shard.borrow().shared.ready.fetch_add(1, SeqCst);
        }
        match opened {
            Ok(session) => self.serve(session, conn).await,
            Err(_) => self.settled(),
        }
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
        Ok(conn.received(&mut scratch, now, &mut self.shard.borrow_mut(), out)?)
    }

    /// The load on one connection, until everything has come.
    async fn serve(&self, mut session: Session, conn: Conn) {
        let conn = RefCell::new(conn);
        // What is to be said besides messages, and that there is something to do.
        let (answers, wake, settled) = (RefCell::new(BytesMut::new()), Notify::new(), Cell::new(false));
        let ended = {
            let Session { send, receive, .. } = &mut session;
            let reader = async {
                while let Ok(Some(chunk)) = receive.read_chunk(READ, true).await {
                    if let Err(failure) =
                        self.take(&mut conn.borrow_mut(), &chunk.bytes, &mut answers.borrow_mut())
                    {
                        return Some(failure);
                    }
                    wake.notify_one();
                }
                None
            };
            tokio::select! {
                failure = reader => Some(failure),
                written = self.write(&conn, &answers, &wake, &settled, send) => if written { None } else { Some(None) },
            }
        };
        let mut conn = conn.into_inner();
        conn.finish(&mut self.shard.borrow_mut());
        match ended {
            None => {}
            Some(failure) => {
                let failure = match failure {
                    Some(failure) => failure,
                    None => timeout(GOODBYE, session.end()).await.unwrap_or_else(|_| Failure::ended()),
                };
                let tally = &mut self.shard.borrow_mut().tally;
                tally.closed += 1;
                tally.error(&failure.reason, || failure.about);
            }
        }
        if !settled.get() {
            self.settled();
        }
        session.connection.close(quinn::VarInt::from_u32(1_000), b"");
    }

    /// Sends what is due, when it is. `false`: the stream broke.
    async fn write(
        &self,
        conn: &RefCell<Conn>,
        answers: &RefCell<BytesMut>,
        wake: &Notify,
        settled: &Cell<bool>,
        send: &mut quinn::SendStream,
    ) -> bool {
        let mut out = BytesMut::new();
        let (mut looked, mut told) = (0, 0);
        loop {
            out.clear();
            out.unsplit(answers.borrow_mut().split());
            let now = self.now();
            let patience = {
                let (mut shard, mut conn) = (self.shard.borrow_mut(), conn.borrow_mut());
                shard.look();
                if now - looked > LOOK.as_nanos() as u64 {
                    looked = now;
                    conn.look_for_losses(now, &mut shard);
                }
                conn.pump(now, &mut shard, &mut out, MOST_WAITING);
                if shard.shared.is_stopped() {
                    return true;
                }
                if shard.is_over(now) && out.is_empty() {
                    let to = shard.window.map_or(now, |window| window.to);
                    let late = now.saturating_sub(to) > shard.settings.timeout.as_nanos() as u64;
                    if !settled.get() && (late || conn.is_settled(now, &shard)) {
                        settled.set(true);
                        drop(shard);
                        self.settled();
                        shard = self.shard.borrow_mut();
                    }
                    if late
                        || (settled.get()
                            && self.to_settle.get() == 0
                            && shard.shared.all_delivered(shard.settings.threads))
                    {
                        return true;
                    }
                }
                // Kept for the progress bar.
                let received = shard.tally.received;
                if told != received && looked == now {
                    shard.shared.live.received.fetch_max(received, Relaxed);
                    told = received;
                }
                patience(&conn, &shard, now)
            };
            if out.is_empty() {
                tokio::select! {
                    () = wake.notified() => {}
                    () = sleep(patience) => {}
                }
            } else if send.write_all(&out).await.is_err() {
                return false;
            }
        }
    }

    fn settled(&self) {
        self.to_settle.set(self.to_settle.get() - 1);
        if self.to_settle.get() == 0 {
            self.shard.borrow().shared.silent.fetch_add(1, SeqCst);
        }
    }
}

/// How long nothing need be done unless something comes.
fn patience(conn: &Conn, shard: &Shard, now: Nanos) -> Duration {
    const SOON: Duration = Duration::from_millis(1);
    let Some(window) = shard.window else { return 5 * SOON };
    if now < window.start
        || now >= window.to
        || (conn.publishes() && matches!(shard.settings.pace, Pace::Closed(_)))
    {
        return SOON;
    }
    let end = Duration::from_nanos(window.to - now);
    let due = conn.next_due().map_or(LOOK, |due| Duration::from_nanos(due.saturating_sub(now)));
    due.min(end).min(LOOK)
}
