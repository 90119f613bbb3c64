//! The admin server's connections: so many, each within its time. What asks is not trusted to be quick.

use super::Socket;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

/// At once; who is one too many waits in the kernel's backlog.
const CONNECTIONS: usize = 64;
/// From the beginning of a connection, or the end of the request before, to the end of the next one's head.
const HEAD: Duration = Duration::from_secs(10);
/// Of a connection as a whole: an answer that nobody reads is not kept for ever.
const LIFE: Duration = Duration::from_mins(1);
/// After an accept that failed: descriptors may be used up for a while.
const PAUSE: Duration = Duration::from_millis(50);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

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
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD);
            let served =
                tokio::time::timeout(LIFE, http.serve_connection(TokioIo::new(stream), service)).await;
            if let Ok(Err(error)) = served {
                tracing::debug!(%error, "a connection of the admin server ended early");
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
