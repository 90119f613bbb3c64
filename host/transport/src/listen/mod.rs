//! Listeners: what they are, and the accept loops of one worker.

mod accept;
mod admission;
mod bind;
mod handshake;
mod network;
mod overload;
mod rate;
mod refuse;

pub(crate) use admission::Admission;
pub use bind::{BindError, Listeners, Share, bind};
pub use overload::Overload;
pub(crate) use rate::Rate;

use crate::drive::{Driver, Link, Unread};
use crate::local::Local;
use crate::record;
use crate::resume::Tokens;
use crate::upgrade::{Rules, Unavailable};
use admission::Admissions;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::watch;
use weir_codec::Framing;
use weir_core::{CloseReason, Kind, Limits, ListenerId, Opening, Worker};

/// A listener, as the configuration has it.
#[derive(Clone, Debug)]
pub struct ListenerSpec {
    /// Its place in the snapshot.
    pub id: ListenerId,
    /// For errors and logs.
    pub name: Arc<str>,
    /// Where it listens. With port 0 the system chooses one, the same for all workers.
    pub bind: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
    /// See [`tls`](crate::tls); the application protocols (RFC 7301) are set here. QUIC needs one.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The same as the snapshot's.
    pub limits: Limits,
    /// Connections accepted a second, over all workers; 0: as many as come.
    pub accept_rate: u32,
    /// Where sessions wait for clients that lost their connections: what makes their tokens, the same as the snapshot's.
    pub resume: Option<Arc<Tokens>>,
    /// Whether the log has a record of each session that opens; of those that end it has one in any case.
    pub records_opens: bool,
}

/// What is spoken at a listener.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// TCP, or TLS where there is a certificate.
    Tcp {
        /// How messages are cut, both ways.
        framing: Arc<Framing>,
        /// What messages are.
        kind: Kind,
    },
    /// WebSocket (RFC 6455) by HTTP/1.1 upgrade, over TLS where there is a certificate.
    WebSocket {
        /// The only path that is a WebSocket. A query after it is the client's to add.
        path: String,
        /// Origins that may connect, as browsers write them; `None`: only a page of the same host. Clients that are no browsers say
        /// none, and may connect.
        origins: Option<Vec<String>>,
        /// Subprotocols that the gateway may agree to; empty: none is ever chosen.
        subprotocols: Vec<String>,
        /// Whether to agree to permessage-deflate (RFC 7692) when a client offers it.
        deflate: bool,
    },
    /// QUIC with the application protocol `weir/1`: a connection is a session, each stream that the client opens is a lane of frames
    /// with a length of four bytes, most significant first; datagrams are messages.
    Quic {
        /// What messages are.
        kind: Kind,
    },
    /// WebTransport over HTTP/3 (draft-ietf-webtrans-http3): a connection is a session, and its streams and datagrams are as those of
    /// QUIC.
    WebTransport {
        /// The only path that is a session. A query after it is the client's to add.
        path: String,
        /// As for WebSocket.
        origins: Option<Vec<String>>,
        /// What messages are.
        kind: Kind,
    },
}

impl Protocol {
    /// Whether it is spoken over UDP, by QUIC.
    pub const fn is_quic(&self) -> bool {
        matches!(self, Self::Quic { .. } | Self::WebTransport { .. })
    }
}

/// A listener as all workers share it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) spec: ListenerSpec,
    pub(crate) admissions: Admissions,
    /// With its application protocols.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) quic: Option<quinn::ServerConfig>,
    pub(crate) rules: Option<Rules>,
    pub(crate) workers: usize,
}

/// One worker's entrance to a listener.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) listener: Arc<Listener>,
    pub(crate) local: Rc<Local>,
    /// See [`Listeners::stop`].
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) overload: Arc<Overload>,
    /// Refused connections that are being told so.
    pub(crate) told: Cell<usize>,
}

impl Gate {
    pub(crate) fn spec(&self) -> &ListenerSpec {
        &self.listener.spec
    }

    /// A place for another connection from there, or why there is none, counted.
    pub(crate) fn admit(&self, peer: IpAddr) -> Result<Admission, CloseReason> {
        let entered = if self.overload.is_refusing() {
            Err(CloseReason::Overload)
        } else {
            self.listener.admissions.enter(peer)
        };
        entered.inspect_err(|reason| self.refuse(*reason))
    }

    /// The same for a connection that has a descriptor of its own.
    pub(crate) fn admit_stream(&self, peer: IpAddr, descriptor: RawFd) -> Result<Admission, CloseReason> {
        if self.overload.is_beyond(descriptor) {
            self.refuse(CloseReason::Overload);
            return Err(CloseReason::Overload);
        }
        self.admit(peer)
    }

    /// Why a request that is there now is not to become a session, though its connection was let in.
    pub(crate) fn closed_to(&self) -> Option<CloseReason> {
        if *self.stop.borrow() {
            Some(CloseReason::Shutdown)
        } else {
            self.overload.is_refusing().then_some(CloseReason::Overload)
        }
    }

    /// The answer to a client of HTTP that is refused for this reason.
    pub(crate) fn unavailable(&self, reason: CloseReason) -> Unavailable {
        let random = self.local.with(Worker::random);
        Unavailable::new(reason, self.overload.retry(), random)
    }

    /// Whether so many connections come from there that a client which has not shown that it receives what is sent there may not take
    /// another place: it could take them all from those who do.
    pub(crate) fn is_crowded(&self, peer: IpAddr) -> bool {
        self.listener.admissions.is_crowded(peer)
    }

    /// Counts a connection that never became a session.
    pub(crate) fn refuse(&self, reason: CloseReason) {
        self.local.with(|worker| worker.refused(self.spec().id, reason));
    }

    /// The handshakes are done: opens the session and drives it in a task of its own, so that what the handshakes needed is let go.
    pub(crate) fn begin<L: Link + 'static>(
        &self,
        opening: Opening,
        link: L,
        unread: Unread,
        admission: Admission,
    ) {
        let (wire, peer, listener) = (opening.wire.clone(), Arc::clone(&opening.peer), opening.listener);
        let recorded = self.spec().records_opens && record::is_on();
        let tls = opening.tls.clone().filter(|_| recorded);
        let opened = self.local.with(|worker| {
            let id = worker.open(opening)?;
            unread.lanes.iter().for_each(|lane| worker.lane_opened(id, *lane));
            if recorded {
                record::opened(worker, id, listener, &peer, tls.as_ref());
            }
            if *self.stop.borrow() {
                // The others were told while it was in its handshakes.
                worker.close(id, CloseReason::Shutdown);
            }
            Some(id)
        });
        match opened {
            None => self.refuse(CloseReason::TooManyConnections),
            Some(id) => {
                let driver = Driver::new(Rc::clone(&self.local), id, link, unread, &wire, Some(admission));
                tokio::task::spawn_local(driver);
            }
        }
    }
}

/// The accept loops of one worker, running.
#[derive(Debug)]
pub struct Serving {
    endpoints: Vec<quinn::Endpoint>,
}

impl Serving {
    /// Completes when every QUIC connection of the worker has said its goodbye. What was closed is only on its way when its session
    /// has ended: to be awaited, for a bounded time, before the worker's runtime is dropped.
    pub async fn idle(&self) {
        for endpoint in &self.endpoints {
            endpoint.wait_idle().await;
        }
    }
}

impl Share {
    /// Starts accepting: spawns the accept loops on the `LocalSet` within which this is called.
    ///
    /// # Errors
    /// The runtime cannot take up a socket: file descriptors or memory are used up.
    pub fn serve(self, local: &Rc<Local>) -> std::io::Result<Serving> {
        let mut endpoints = Vec::new();
        let watching = Rc::clone(local);
        tokio::task::spawn_local(async move { watching.watch_waits().await });
        for (listener, socket) in self.sockets {
            let gate = Rc::new(Gate {
                listener,
                local: Rc::clone(local),
                stop: self.stop.clone(),
                overload: Arc::clone(&self.overload),
                told: Cell::new(0),
            });
            let mut stop = self.stop.clone();
            let stopped = async move {
                // An error means that the `Listeners` are gone, which stops nothing.
                if stop.wait_for(|stop| *stop).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            match socket {
                bind::Socket::Tcp(socket) => {
                    let socket = tokio::net::TcpListener::from_std(socket)?;
                    tokio::task::spawn_local(async move {
                        tokio::select! {
                            () = stopped => {}
                            () = accept::run(&gate, &socket) => {}
                        }
                    });
                }
                bind::Socket::Udp(socket) => {
                    let door = crate::quic::endpoint(&gate.listener, socket)?;
                    endpoints.push(door.endpoint.clone());
                    tokio::task::spawn_local(async move {
                        tokio::select! {
                            () = stopped => {}
                            () = crate::quic::run(&gate, &door) => tracing::error!(
                                listener = &*gate.spec().name,
                                "the socket broke: this worker has lost its QUIC sessions and accepts no more; restart the gateway"
                            ),
                        }
                        // Connections go on; new ones are refused.
                        door.endpoint.set_server_config(None);
                    });
                }
            }
        }
        Ok(Serving { endpoints })
    }
}
