//! A cluster: chooses an endpoint, connects to it, and goes to another if that fails.

use crate::dial::{Dialer, Dialled};
use crate::member::{EndpointStats, Lease, Member};
use crate::random::Random;
use crate::upgrade::Request;
use crate::{Balance, Cause, ClusterSpec, ConnectError, Error, Fault, Protocol, Step, Stream, tls};
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use weir_codec::{Decoder, Framing, Kind, Wire, websocket};

/// Nobody waits longer for a connection.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);
/// For HTTP/1.1 in ALPN (RFC 7301, section 6). A framing over TCP has no name there.
const HTTP_1_1: &[u8] = b"http/1.1";

/// A named set of endpoints, shared by all workers.
///
/// # Contract
/// [`connect`](Self::connect) runs on a tokio runtime with I/O and time, on any thread, any number at once. What it is given up at
/// (its future dropped) is counted neither as a success nor as a failure. The [`Lease`] that it gives is kept as long as the
/// connection and then dropped. Nothing outlives the cluster and its leases: it starts no task.
pub struct Cluster {
    name: Arc<str>,
    dialer: Dialer,
    speech: Speech,
    balance: Balance,
    connect_timeout: Duration,
    /// At least one.
    members: Box<[Arc<Member>]>,
    /// Choices so far, for taking turns.
    turn: AtomicUsize,
}

/// How bytes become messages and back.
enum Speech {
    Framed { framing: Arc<Framing>, kind: Kind },
    WebSocket(websocket::Limits),
}

/// A connection that is ready for messages.
#[derive(Debug)]
pub struct Connected {
    /// The connection. TCP sends at once (nodelay).
    pub stream: Stream,
    /// What has arrived already: to be decoded before anything is read. Nobody else holds it, so `BytesMut::from` does not copy.
    pub leftover: Bytes,
    /// How messages to it become frames: the same as [`Cluster::wire`].
    pub wire: Wire,
    /// For what comes from it.
    pub decoder: Decoder,
    /// The address it is connected to.
    pub peer: SocketAddr,
    /// Its place in the endpoint's count: dropped with the connection.
    pub lease: Lease,
}

impl Cluster {
    /// Checks what can be checked without connecting, and reads the authorities' certificates.
    ///
    /// # Errors
    /// The description cannot be used; the error says what to change.
    pub fn new(spec: ClusterSpec) -> Result<Self, Error> {
        let ClusterSpec { name, protocol, tls, endpoints, balance, connect_timeout } = spec;
        if endpoints.is_empty() {
            return Err(Error::NoEndpoint(name));
        }
        if connect_timeout.is_zero() {
            return Err(Error::NoTime(name));
        }
        let (speech, request) = match protocol {
            Protocol::Tcp { framing, kind } => (Speech::Framed { framing, kind }, None),
            Protocol::WebSocket { path, host, subprotocols, limits } => {
                (Speech::WebSocket(limits), Some(Request::new(&name, path, host, subprotocols)?))
            }
        };
        let members = endpoints.into_iter().map(|endpoint| {
            let server_name = tls.as_ref().map(|tls| tls::server_name(&name, tls, &endpoint)).transpose()?;
            Ok(Arc::new(Member::new(endpoint, server_name)))
        });
        let members = members.collect::<Result<_, Error>>()?;
        let alpn = request.is_some().then_some(HTTP_1_1);
        let tls = tls.map(|tls| tls::connector(&name, &tls, alpn)).transpose()?;
        Ok(Self {
            name,
            dialer: Dialer { tls, request },
            speech,
            balance,
            connect_timeout: connect_timeout.min(LONGEST_TIMEOUT),
            members,
            turn: AtomicUsize::new(0),
        })
    }

    /// For logs and metrics.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How messages to it become frames, also before there is a connection: messages queue until then.
    pub fn wire(&self) -> Wire {
        match &self.speech {
            Speech::Framed { framing, .. } => Wire::Framed(Arc::clone(framing)),
            Speech::WebSocket(_) => Wire::WebSocket { role: websocket::Role::Client },
        }
    }

    /// What is counted of each endpoint, in the order of the description.
    pub fn stats(&self) -> impl ExactSizeIterator<Item = EndpointStats<'_>> {
        self.members.iter().map(|member| member.stats())
    }

    /// Connects to one endpoint, and to another if that fails and time is left, all within the connect timeout. `seed` decides what
    /// is left to chance and becomes the handshake's key: a new number for each connection that a peer cannot guess.
    ///
    /// # Errors
    /// Neither could be connected to. Trying again may help, later: the endpoints are passed over for a while in favour of others.
    pub async fn connect(&self, seed: u64) -> Result<Connected, ConnectError> {
        let mut random = Random::new(seed);
        let deadline = Instant::now() + self.connect_timeout;
        let first = self.choose(None, &mut random).expect("a cluster has at least one endpoint");
        let failed = match self.attempt(first, deadline, &mut random).await {
            Err(failed) if failed.fault() == Fault::Endpoint && Instant::now() < deadline => failed,
            settled => return settled,
        };
        let Some(second) = self.choose(Some(first), &mut random) else { return Err(failed) };
        self.attempt(second, deadline, &mut random).await.map_err(|error| error.after(failed))
    }

    /// By the policy, among those that are not passed over; among all if there is no other. `None` if there is none besides
    /// `except`.
    fn choose(&self, except: Option<usize>, random: &mut Random) -> Option<usize> {
        let now = Instant::now();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let others = || self.members.iter().enumerate().filter(|(index, _)| Some(*index) != except);
        let mut candidates = Vec::with_capacity(self.members.len());
        let sound = others().filter(|(_, member)| !member.is_passed_over(now));
        candidates.extend(sound.map(|(index, member)| member.candidate(index)));
        if candidates.is_empty() {
            candidates.extend(others().map(|(index, member)| member.candidate(index)));
        }
        self.balance.choose(&candidates, turn, random)
    }

    async fn attempt(
        &self,
        index: usize,
        deadline: Instant,
        random: &mut Random,
    ) -> Result<Connected, ConnectError> {
        let member = &self.members[index];
        let lease = member.lease();
        let began = Instant::now();
        let mut step = Step::Resolve;
        let outcome = timeout_at(deadline, self.dialer.dial(member, deadline, random, &mut step)).await;
        match outcome.unwrap_or_else(|_| Err(Cause::TimedOut { step, limit: self.connect_timeout })) {
            Ok(Dialled { stream, peer, leftover }) => {
                member.succeeded();
                let (wire, decoder) = (self.wire(), self.decoder());
                Ok(Connected { stream, leftover, wire, decoder, peer, lease })
            }
            Err(cause) => {
                // One that had only what another left of the time is not blamed for needing more.
                let hurried =
                    matches!(cause, Cause::TimedOut { .. }) && deadline - began < self.connect_timeout / 2;
                let error = ConnectError::new(Arc::clone(&self.name), member.endpoint.to_string(), cause);
                member.failed(began, error.fault() == Fault::Endpoint && !hurried);
                Err(error)
            }
        }
    }

    fn decoder(&self) -> Decoder {
        match &self.speech {
            Speech::Framed { framing, kind } => Decoder::framed(framing, *kind),
            Speech::WebSocket(limits) => Decoder::websocket(websocket::Role::Client, *limits),
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("endpoints", &self.members)
            .finish_non_exhaustive()
    }
}
