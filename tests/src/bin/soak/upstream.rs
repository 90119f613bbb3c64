//! A service that gives back what it gets, and dies now and then.

use crate::board::Board;
use crate::lots::Lots;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long it lives, about, and how long it is gone.
const ALIVE: Duration = Duration::from_secs(12);
const GONE: Duration = Duration::from_secs(2);

/// A listening socket, with a port of its own for as long as the soak runs.
pub(crate) struct Service {
    listener: TcpListener,
    address: SocketAddr,
}

impl Service {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = listen("127.0.0.1:0".parse()?)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves, dies with all connections, comes back, until the soak is over; serves on for as long as anybody is there then.
    pub(crate) async fn fail_and_return(self, board: Arc<Board>, mut lots: Lots) {
        let Self { listener, address } = self;
        let mut listener = Some(listener);
        while !board.is_over() {
            let serving = match listener.take() {
                Some(serving) => serving,
                None => listen(address).expect("its port is its own"),
            };
            let until = Instant::now() + lots.about(ALIVE);
            let mut connections = JoinSet::new();
            while let Ok(Ok((stream, _))) = timeout_at(until, serving.accept()).await {
                connections.spawn(async move {
                    let (mut read, mut write) = stream.into_split();
                    // Frames are given back as they are.
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
            // Everything at once: the connections end in the midst of whatever they do.
            drop(serving);
            connections.shutdown().await;
            if board.is_over() {
                return;
            }
            board.outages.fetch_add(1, Ordering::SeqCst);
            sleep_until(Instant::now() + lots.about(GONE)).await;
        }
    }
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket.listen(128)?)
}
