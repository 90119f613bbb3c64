//! Connections whose sessions are another worker's: they go there.
//!
//! The kernel gives a client that comes back to any worker, but its session, its plugins' memory of it and its upstream connections
//! are where they were. So the connection is unhooked from one event loop and hooked into the other's, once.

use crate::drive::{Link, StreamLink};
use crate::local::Local;
use crate::quic::{QuicLink, Ways};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use weir_core::WorkerId;

/// Connections on their way to one worker; whoever brings more waits.
const ARRIVALS: usize = 64;

/// What a worker does with a connection that arrives.
pub(crate) type Arrival = Box<dyn FnOnce(&Rc<Local>) + Send>;

/// The ways between workers: one worker's end.
#[derive(Debug)]
pub struct Crossing {
    arrivals: mpsc::Receiver<Arrival>,
    ways: Vec<mpsc::Sender<Arrival>>,
}

/// One for each worker, in their order. See [`Local::meet`].
pub fn crossings(workers: usize) -> Vec<Crossing> {
    let (ways, arrivals): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(ARRIVALS)).unzip();
    arrivals.into_iter().map(|arrivals| Crossing { arrivals, ways: ways.clone() }).collect()
}

impl Local {
    /// Takes in the connections that other workers bring, and brings them theirs. Each worker needs it once; it ends when all others
    /// have.
    pub async fn meet(self: &Rc<Self>, crossing: Crossing) {
        let Crossing { mut arrivals, ways } = crossing;
        self.open_ways(ways);
        while let Some(arrival) = arrivals.recv().await {
            arrival(self);
        }
    }

    /// Brings a connection to its worker. False: there is no way to it, or it has ended.
    pub(crate) async fn bring(&self, to: WorkerId, arrival: Arrival) -> bool {
        let Some(way) = self.way_to(to) else { return false };
        way.send(arrival).await.is_ok()
    }
}

/// A link that can go to another event loop.
pub(crate) trait Mobile: Link + Sized + 'static {
    /// What it is on the way.
    type Cargo: Send + 'static;
    /// Unhooks it from this thread's event loop.
    fn pack(self) -> io::Result<Self::Cargo>;
    /// Hooks it into this thread's event loop.
    fn unpack(cargo: Self::Cargo) -> io::Result<Self>;
}

impl<S: MobileStream> Mobile for StreamLink<S> {
    type Cargo = StreamLink<S::Cargo>;

    fn pack(self) -> io::Result<Self::Cargo> {
        self.try_map(S::pack)
    }

    fn unpack(cargo: Self::Cargo) -> io::Result<Self> {
        Ok(cargo.try_map(S::unpack)?.measured(S::path))
    }
}

impl<W: Ways> Mobile for QuicLink<W> {
    type Cargo = Self;

    /// The endpoint stays where it is: this end of the connection can be anywhere.
    fn pack(self) -> io::Result<Self> {
        Ok(self)
    }

    fn unpack(cargo: Self) -> io::Result<Self> {
        Ok(cargo)
    }
}

/// A byte stream that can go to another event loop.
pub(crate) trait MobileStream: crate::carrier::Carrier + Sized + 'static {
    /// What it is on the way.
    type Cargo: Send + 'static;
    /// See [`Mobile::pack`].
    fn pack(self) -> io::Result<Self::Cargo>;
    /// See [`Mobile::unpack`].
    fn unpack(cargo: Self::Cargo) -> io::Result<Self>;
}

impl MobileStream for TcpStream {
    type Cargo = std::net::TcpStream;

    fn pack(self) -> io::Result<Self::Cargo> {
        self.into_std()
    }

    fn unpack(cargo: Self::Cargo) -> io::Result<Self> {
        Self::from_std(cargo)
    }
}

impl MobileStream for tokio_rustls::server::TlsStream<Mooring> {
    type Cargo = Self;

    fn pack(mut self) -> io::Result<Self> {
        self.get_mut().0.cast_off()?;
        Ok(self)
    }

    fn unpack(mut cargo: Self) -> io::Result<Self> {
        cargo.get_mut().0.moor()?;
        Ok(cargo)
    }
}

/// A TCP stream under TLS, which does not give it back once it has it: so it is unhooked where it is.
#[derive(Debug)]
pub(crate) enum Mooring {
    Moored(TcpStream),
    Adrift(std::net::TcpStream),
    /// It could not be hooked in.
    Lost,
}

impl Mooring {
    fn cast_off(&mut self) -> io::Result<()> {
        if let Self::Moored(stream) = std::mem::replace(self, Self::Lost) {
            *self = Self::Adrift(stream.into_std()?);
        }
        Ok(())
    }

    fn moor(&mut self) -> io::Result<()> {
        if let Self::Adrift(stream) = std::mem::replace(self, Self::Lost) {
            *self = Self::Moored(TcpStream::from_std(stream)?);
        }
        Ok(())
    }

    /// The stream, while it can be used.
    pub(crate) fn stream(&self) -> Option<&TcpStream> {
        match self {
            Self::Moored(stream) => Some(stream),
            Self::Adrift(_) | Self::Lost => None,
        }
    }

    fn pinned(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        match self.get_mut() {
            Self::Moored(stream) => Ok(Pin::new(stream)),
            Self::Adrift(_) | Self::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Mooring {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pinned()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Mooring {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pinned()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pinned()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
