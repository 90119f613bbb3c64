//! The socket and the tasks of an endpoint, as quinn has them from us.

use super::unproven::{Allowance, Unproven};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// Datagrams that a connection sends in one turn before its next turn may hand several to the kernel as one.
const MANY: usize = 4;

thread_local! {
    /// What the task that is being polled may hand to the kernel as one, in datagrams.
    static TOGETHER: Cell<usize> = const { Cell::new(1) };
    /// Datagrams that it has sent.
    static SENT: Cell<usize> = const { Cell::new(0) };
}

/// A socket that sends clients which are not proven no more than they may get.
#[derive(Debug)]
pub(super) struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    unproven: Arc<Unproven>,
}

/// Tokio, with an eye on how much a connection sends.
///
/// quinn gives a connection memory for as many datagrams as it may hand over as one, ten, as soon as it sends two, and the connection
/// keeps it: 14 KiB of an idle one, because every handshake has two. So one that does not send much hands them over one by one.
#[derive(Debug)]
pub(super) struct Tasks;

/// A task of quinn's: a connection, or the endpoint.
struct Task {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Datagrams that it sent when it was polled last.
    sent: usize,
}

impl Socket {
    pub(super) fn new(socket: UdpSocket, unproven: Arc<Unproven>) -> io::Result<Self> {
        Ok(Self { inner: TokioRuntime.wrap_udp_socket(socket)?, unproven })
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let length = transmit.contents.len();
        match self.unproven.allowance(transmit) {
            Allowance::Any => self.inner.try_send(transmit)?,
            Allowance::First(number, bytes) => {
                if bytes > 0 {
                    self.inner.try_send(&Transmit {
                        contents: &transmit.contents[..bytes],
                        segment_size: transmit.segment_size.filter(|segment| bytes > *segment),
                        ..*transmit
                    })?;
                }
                self.unproven.sent(number, bytes, transmit);
            }
        }
        let datagrams = transmit.segment_size.map_or(1, |segment| length.div_ceil(segment.max(1)));
        SENT.set(SENT.get() + datagrams);
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.inner.poll_recv(cx, buffers, meta))?;
        for (buffer, meta) in buffers.iter().zip(&*meta).take(count) {
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                // Established connections have short headers.
                if datagram[0] & 0x80 == 0 {
                    continue;
                }
                for waiting in self.unproven.received(meta.addr, datagram) {
                    // Where there is no room it is lost, and sent again by quinn.
                    let _ = self.inner.try_send(&waiting.transmit());
                }
            }
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments().min(TOGETHER.get())
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl Runtime for Tasks {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(Task { future, sent: 0 });
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        TOGETHER.set(if self.sent < MANY { 1 } else { usize::MAX });
        SENT.set(0);
        let outcome = self.future.as_mut().poll(cx);
        self.sent = SENT.get();
        TOGETHER.set(1);
        outcome
    }
}
