//! The admin server's connections: so many, each within its time. What asks is not trusted to be quick.

use super::Socket;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// At once; who is one too many waits in the kernel's backlog.
const CONNECTIONS: usize = 64;
/// From the beginning of a connection, or the end of the request before, to the end of the next one's head.
const HEAD: Duration = Duration::from_secs(10);
/// Of a connection as a whole: an answer that nobody reads is not kept for ever. Of a stream, between two steps.
const LIFE: Duration = Duration::from_mins(1);
/// After an accept that failed: descriptors may be used up for a while.
const PAUSE: Duration = Duration::from_millis(50);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How long a connection lives: so long, or for as long as the stream that answers it is read.
#[derive(Debug)]
pub(super) struct Leash {
    began: Instant,
    streams: AtomicBool,
    /// When the stream last went on, in milliseconds since the connection began.
    moved: AtomicU64,
}

impl Leash {
    fn new() -> Self {
        Self { began: Instant::now(), streams: AtomicBool::new(false), moved: AtomicU64::new(0) }
    }

    /// The answer is a stream: what counts from now on is whether it is read.
    pub(super) fn lengthen(&self) {
        self.streams.store(true, Ordering::Relaxed);
        self.moved();
    }

    /// Somebody reads.
    pub(super) fn moved(&self) {
        self.moved.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn end(&self) -> Instant {
        let streams = self.streams.load(Ordering::Relaxed);
        let moved = if streams { self.moved.load(Ordering::Relaxed) } else { 0 };
        self.began + Duration::from_millis(moved) + LIFE
    }

    async fn expired(&self) {
        while Instant::now() < self.end() {
            tokio::time::sleep_until(self.end()).await;
        }
    }
}

/// Serves until the process ends.
pub(super) async fn serve(socket: Socket, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // It is never closed.
    while let Ok(place) = places.clone().acquire_owned().await {
        let stream = loop {
            match socket.accept().await {
                Ok(stream) => break stream,
                Err(error) => {
                    tracing::debug!(%error, "the admin server cannot accept at the moment");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let leash = Arc::new(Leash::new());
        let service = TowerToHyperService::new(router.clone().layer(Extension(leash.clone())));
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD);
            tokio::select! {
                served = http.serve_connection(TokioIo::new(stream), service) => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a connection of the admin server ended early");
                    }
                }
                () = leash.expired() => {}
            }
            drop(place);
        });
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(socket) => Box::new(socket.accept().await?.0),
            Self::Unix(socket) => Box::new(socket.accept().await?.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_lives_while_it_is_read() {
        let plain = Leash::new();
        let stream = Arc::new(Leash::new());
        let began = Instant::now();
        plain.expired().await;
        assert_eq!(began.elapsed(), LIFE);
        stream.lengthen();
        let reader = stream.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(LIFE / 2).await;
                reader.moved();
            }
        });
        stream.expired().await;
        assert_eq!(began.elapsed(), LIFE * 7, "a life before it, ten halves of being read, and one more");
    }
}
