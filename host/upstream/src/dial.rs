//! One attempt at one endpoint: resolve, connect, encrypt, upgrade.

use crate::member::Member;
use crate::random::Random;
use crate::upgrade::Request;
use crate::{Cause, Endpoint, Step, Stream};
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

/// What a connection to any endpoint of the cluster takes after TCP.
pub(crate) struct Dialer {
    pub(crate) tls: Option<TlsConnector>,
    /// `None`: no WebSocket.
    pub(crate) request: Option<Request>,
}

/// A connection that is ready for messages.
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) peer: SocketAddr,
    /// Of the first messages, what came with the answer to the upgrade.
    pub(crate) leftover: Bytes,
}

impl Dialer {
    /// `step` says at any time what is waited for. The caller ends it at the deadline.
    pub(crate) async fn dial(
        &self,
        member: &Member,
        deadline: Instant,
        random: &mut Random,
        step: &mut Step,
    ) -> Result<Dialled, Cause> {
        *step = Step::Resolve;
        let addresses = resolve(&member.endpoint).await.map_err(Cause::Resolve)?;

        *step = Step::Connect;
        let (tcp, peer) = first_to_answer(&addresses, deadline).await?;
        tcp.set_nodelay(true).map_err(Cause::Connect)?;

        let mut stream = match (&self.tls, &member.server_name) {
            (Some(tls), Some(name)) => {
                *step = Step::Tls;
                Stream::Tls(Box::new(tls.connect(name.clone(), tcp).await.map_err(Cause::Tls)?))
            }
            _ => Stream::Plain(tcp),
        };

        let leftover = match &self.request {
            Some(request) => {
                *step = Step::Upgrade;
                request.upgrade(&mut stream, &member.endpoint, random).await?
            }
            None => Bytes::new(),
        };
        Ok(Dialled { stream, peer, leftover })
    }
}

async fn resolve(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    match endpoint {
        Endpoint::Address(address) => Ok(vec![*address]),
        Endpoint::Name { host, port } => Ok(lookup_host((&**host, *port)).await?.collect()),
    }
}

/// Tries the addresses in the resolver's order. Each has an even share of the time that is left, or one that swallows everything
/// (a family without a route is a common one) would hide those after it; the last has all of it.
async fn first_to_answer(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<(TcpStream, SocketAddr), Cause> {
    let (last, others) = addresses.split_last().ok_or(Cause::NoAddress)?;
    for (at, address) in others.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        if let Ok(Ok(tcp)) = timeout(share, TcpStream::connect(address)).await {
            return Ok((tcp, *address));
        }
    }
    let tcp = TcpStream::connect(last).await.map_err(Cause::Connect)?;
    Ok((tcp, *last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn all_addresses_are_tried_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        let (_, peer) = first_to_answer(&[closed, open, closed], deadline).await.unwrap();
        assert_eq!(peer, open);
        let cause = first_to_answer(&[closed, closed], deadline).await.unwrap_err();
        assert!(matches!(cause, Cause::Connect(_)), "{cause}");
        let cause = first_to_answer(&[], deadline).await.unwrap_err();
        assert!(matches!(cause, Cause::NoAddress), "{cause}");
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_leaves_time_for_the_next() {
        // A backlog of one that is full: the kernel answers no further SYN.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let swallowing = full.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(tcp) = timeout(Duration::from_millis(100), TcpStream::connect(swallowing)).await {
            waiting.push(tcp.unwrap());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_millis(400);
        let (_, peer) = first_to_answer(&[swallowing, open], deadline).await.unwrap();
        assert_eq!(peer, open);
    }
}
