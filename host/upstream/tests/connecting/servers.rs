//! What the tests connect to, and with what.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use weir_codec::{Event, Framing, Kind, Prefix};
use weir_upstream::{Balance, Cluster, ClusterSpec, Connected, Endpoint, Protocol};

/// Longer than any test takes that passes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn framed() -> Protocol {
    let framing = Framing::Length { prefix: Prefix::U32Be, max: 1 << 16 };
    Protocol::Tcp { framing: Arc::new(framing), kind: Kind::Binary }
}

pub(crate) fn websocket(path: &str) -> Protocol {
    Protocol::WebSocket {
        path: path.to_owned(),
        host: None,
        subprotocols: Vec::new(),
        limits: weir_codec::websocket::Limits { message: 1 << 16, fragments: 8 },
    }
}

pub(crate) fn spec(protocol: Protocol, endpoints: impl IntoIterator<Item = SocketAddr>) -> ClusterSpec {
    ClusterSpec {
        name: "backend".into(),
        protocol,
        tls: None,
        endpoints: endpoints.into_iter().map(Endpoint::from).collect(),
        balance: Balance::RoundRobin,
        connect_timeout: LONG,
    }
}

pub(crate) fn cluster(protocol: Protocol, endpoints: impl IntoIterator<Item = SocketAddr>) -> Cluster {
    Cluster::new(spec(protocol, endpoints)).unwrap()
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address where nothing listens any more.
pub(crate) async fn refusing() -> SocketAddr {
    listen().await.1
}

/// A server that accepts connections and hands each to `serve`.
pub(crate) async fn serve<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp));
        }
    });
    address
}

/// Sends back what comes, byte by byte.
pub(crate) async fn echo() -> SocketAddr {
    serve(|mut tcp| async move {
        let (mut from, mut to) = tcp.split();
        tokio::io::copy(&mut from, &mut to).await.ok();
    })
    .await
}

/// Accepts connections and answers nothing.
pub(crate) async fn silent() -> SocketAddr {
    serve(|mut tcp| async move {
        tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await.ok();
    })
    .await
}

/// Reads an upgrade request.
pub(crate) async fn request(tcp: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(tcp.read_u8().await.unwrap());
    }
    String::from_utf8(request).unwrap()
}

/// Answers an upgrade request with these bytes, where `{accept}` stands for what proves that it was read.
pub(crate) async fn answering(answer: &'static [u8]) -> SocketAddr {
    serve(move |mut tcp| async move {
        let request = request(&mut tcp).await;
        let key = request.split_once("Sec-WebSocket-Key: ").unwrap().1.split_once('\r').unwrap().0;
        let accept = weir_codec::websocket::accept_key(key.as_bytes());
        let mut answer = answer.to_vec();
        if let Some(at) = answer.windows(8).position(|window| window == b"{accept}") {
            answer.splice(at..at + 8, accept.into_bytes());
        }
        tcp.write_all(&answer).await.ok();
        tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await.ok();
    })
    .await
}

/// Writes a message as the cluster's wire says and reads the next one with its decoder.
pub(crate) async fn ask(connected: &mut Connected, kind: Kind, text: &str) -> String {
    let mut frame = bytes::BytesMut::new();
    connected.wire.encode(kind, text.as_bytes(), [1, 2, 3, 4], &mut frame).unwrap();
    connected.stream.write_all(&frame).await.unwrap();
    connected.stream.flush().await.unwrap();
    next(connected).await
}

/// The next message, from what is left over or what is read.
pub(crate) async fn next(connected: &mut Connected) -> String {
    let mut input = bytes::BytesMut::from(std::mem::take(&mut connected.leftover));
    loop {
        let decoded = connected.decoder.decode(&mut input).unwrap();
        match decoded.event {
            Some(Event::Message { payload, .. }) => return String::from_utf8(payload.to_vec()).unwrap(),
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        input.clear();
        assert_ne!(connected.stream.read_buf(&mut input).await.unwrap(), 0, "the server ended");
    }
}

/// How many connections each endpoint has.
pub(crate) fn active(cluster: &Cluster) -> Vec<usize> {
    cluster.stats().map(|stats| stats.active).collect()
}
