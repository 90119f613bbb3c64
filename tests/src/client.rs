//! Clients of each transport behind one face, so that one table of cases runs over all of them.

use crate::PATIENCE;
use crate::webtransport::Session;
use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use quinn::crypto::rustls::QuicClientConfig;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use weir_codec::framing::Prefix;
use weir_codec::{Decoder, Event, Framing, Kind, Wire};

/// A connected client.
#[derive(Debug)]
pub enum Client {
    /// Frames over TCP.
    Tcp(Box<Framed>),
    /// tungstenite.
    WebSocket(Box<WebSocketStream<Box<dyn Stream>>>),
    /// quinn, one lane.
    Quic(Box<Quic>),
    /// quinn, one message a datagram.
    Datagrams(Box<Quic>),
    /// WebTransport, one stream.
    WebTransport(Box<Session>),
    /// WebTransport, one message a datagram.
    WebTransportDatagrams(Box<Session>),
}

/// A byte stream, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for T {}

/// Frames over a byte stream.
#[derive(Debug)]
pub struct Framed {
    stream: Box<dyn Stream>,
    wire: Wire,
    decoder: Decoder,
    read: BytesMut,
}

/// A QUIC connection with one lane open.
#[derive(Debug)]
pub struct Quic {
    /// Lives as long as the connection.
    pub endpoint: quinn::Endpoint,
    /// The connection.
    pub connection: quinn::Connection,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
}

/// What a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// A message.
    Message(Bytes),
    /// The end: the close code where the transport carries one, else 0.
    End(u16),
}

/// Length prefixes of 32 bits, big endian: the framing of the zero configuration.
pub fn u32be() -> Framing {
    Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 }
}

impl Client {
    /// Frames over TCP.
    pub async fn tcp(address: SocketAddr, framing: Framing) -> anyhow::Result<Self> {
        Ok(Self::framed(connect(address).await?, framing))
    }

    /// The same with a small receive buffer in the kernel, for a client that does not read and is to feel it soon.
    pub async fn tcp_of_few_bytes(address: SocketAddr, framing: Framing) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        Ok(Self::framed(Box::new(socket.connect(address).await?), framing))
    }

    /// Frames over TLS.
    pub async fn tls(
        address: SocketAddr,
        framing: Framing,
        tls: rustls::ClientConfig,
    ) -> anyhow::Result<Self> {
        Ok(Self::framed(secure(address, tls).await?, framing))
    }

    fn framed(stream: Box<dyn Stream>, framing: Framing) -> Self {
        let framing = Arc::new(framing);
        let decoder = Decoder::framed(&framing, Kind::Binary);
        Self::Tcp(Box::new(Framed { stream, wire: Wire::Framed(framing), decoder, read: BytesMut::new() }))
    }

    /// A WebSocket at a path.
    pub async fn websocket(address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        Self::upgraded(connect(address).await?, &format!("ws://{address}{path}")).await
    }

    /// A WebSocket over TLS.
    pub async fn wss(address: SocketAddr, path: &str, tls: rustls::ClientConfig) -> anyhow::Result<Self> {
        Self::upgraded(secure(address, tls).await?, &format!("wss://{address}{path}")).await
    }

    /// A WebSocket that offers a subprotocol, over TLS where there is a configuration. Gives what the gateway chose.
    pub async fn websocket_speaking(
        address: SocketAddr,
        protocol: &str,
        tls: Option<rustls::ClientConfig>,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let (scheme, stream) = match tls {
            Some(tls) => ("wss", secure(address, tls).await?),
            None => ("ws", connect(address).await?),
        };
        let mut request = format!("{scheme}://{address}/").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse()?);
        let (socket, answer) = tokio_tungstenite::client_async(request, stream).await?;
        let chosen = answer.headers().get("sec-websocket-protocol");
        let chosen = chosen.and_then(|name| name.to_str().ok()).map(str::to_owned);
        Ok((Self::WebSocket(Box::new(socket)), chosen))
    }

    async fn upgraded(stream: Box<dyn Stream>, url: &str) -> anyhow::Result<Self> {
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        Ok(Self::WebSocket(Box::new(socket)))
    }

    /// QUIC with the protocol `weir/1`, any certificate.
    pub async fn quic(address: SocketAddr) -> anyhow::Result<Self> {
        Self::quic_trusting(address, trusting()).await
    }

    /// QUIC with a configuration of its own.
    pub async fn quic_trusting(address: SocketAddr, config: quinn::ClientConfig) -> anyhow::Result<Self> {
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
        endpoint.set_default_client_config(config);
        let connection = timeout(PATIENCE, endpoint.connect(address, "localhost")?).await??;
        let (send, receive) = connection.open_bi().await?;
        Ok(Self::Quic(Box::new(Quic { endpoint, connection, send, receive })))
    }

    /// QUIC whose messages are datagrams.
    pub async fn datagrams(address: SocketAddr) -> anyhow::Result<Self> {
        match Self::quic(address).await? {
            Self::Quic(quic) => Ok(Self::Datagrams(quic)),
            other => Ok(other),
        }
    }

    /// WebTransport at a path, any certificate.
    pub async fn webtransport(address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        Ok(Self::WebTransport(Box::new(Session::open(address, path, trusting_tls()).await?)))
    }

    /// WebTransport whose messages are datagrams.
    pub async fn webtransport_datagrams(address: SocketAddr, path: &str) -> anyhow::Result<Self> {
        Ok(Self::WebTransportDatagrams(Box::new(Session::open(address, path, trusting_tls()).await?)))
    }

    /// Sends one message; as text where it is and the transport can say so.
    pub async fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Tcp(framed) => {
                let mut frame = BytesMut::new();
                let kind = if std::str::from_utf8(payload).is_ok() { Kind::Text } else { Kind::Binary };
                framed.wire.encode(kind, payload, [0; 4], &mut frame)?;
                framed.stream.write_all(&frame).await?;
            }
            Self::WebSocket(socket) => {
                let message = match std::str::from_utf8(payload) {
                    Ok(text) => Message::text(text),
                    Err(_) => Message::binary(payload.to_vec()),
                };
                socket.send(message).await?;
            }
            Self::Quic(quic) => {
                quic.send.write_all(&(payload.len() as u32).to_be_bytes()).await?;
                quic.send.write_all(payload).await?;
            }
            Self::Datagrams(quic) => quic.connection.send_datagram(Bytes::copy_from_slice(payload))?,
            Self::WebTransport(session) => session.send(payload).await?,
            Self::WebTransportDatagrams(session) => session.send_datagram(payload)?,
        }
        Ok(())
    }

    /// The next message, or the end; an error when neither comes in time.
    pub async fn next(&mut self) -> anyhow::Result<Got> {
        timeout(PATIENCE, self.take()).await.context("no message came")?
    }

    /// The next message.
    pub async fn message(&mut self) -> anyhow::Result<Bytes> {
        match self.next().await? {
            Got::Message(payload) => Ok(payload),
            Got::End(code) => bail!("the connection ended with code {code} instead of a message"),
        }
    }

    async fn take(&mut self) -> anyhow::Result<Got> {
        match self {
            Self::Tcp(framed) => framed.next().await,
            Self::WebSocket(socket) => loop {
                return Ok(match socket.next().await {
                    Some(Ok(Message::Text(text))) => Got::Message(text.into()),
                    Some(Ok(Message::Binary(bytes))) => Got::Message(bytes),
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.map_or(CloseCode::Status, |frame| frame.code);
                        // The close handshake: tungstenite's answer goes out with the next poll.
                        let _ = socket.next().await;
                        Got::End(code.into())
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(tungstenite::Error::ConnectionClosed)) | None => Got::End(0),
                    Some(Err(error)) => return Err(error.into()),
                });
            },
            Self::Quic(quic) => {
                let mut head = [0; 4];
                if quic.receive.read_exact(&mut head).await.is_err() {
                    return quic.end().await;
                }
                let mut payload = vec![0; u32::from_be_bytes(head) as usize];
                quic.receive.read_exact(&mut payload).await?;
                Ok(Got::Message(payload.into()))
            }
            Self::Datagrams(quic) => match quic.connection.read_datagram().await {
                Ok(payload) => Ok(Got::Message(payload)),
                Err(_) => quic.end().await,
            },
            Self::WebTransport(session) => session.take().await,
            Self::WebTransportDatagrams(session) => session.take_datagram().await,
        }
    }

    /// Ends in order.
    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Tcp(mut framed) => {
                framed.stream.shutdown().await?;
                while timeout(PATIENCE, framed.next()).await?? != Got::End(0) {}
            }
            Self::WebSocket(mut socket) => {
                socket.send(Message::Close(None)).await?;
                while let Ok(Some(Ok(_))) = timeout(PATIENCE, socket.next()).await {}
            }
            Self::Quic(quic) | Self::Datagrams(quic) => {
                quic.connection.close(1000u32.into(), b"");
                quic.endpoint.wait_idle().await;
            }
            Self::WebTransport(session) | Self::WebTransportDatagrams(session) => {
                session.close(1000, "").await?;
            }
        }
        Ok(())
    }
}

impl Quic {
    async fn end(&self) -> anyhow::Result<Got> {
        match self.connection.closed().await {
            quinn::ConnectionError::ApplicationClosed(close) => {
                Ok(Got::End(u16::try_from(close.error_code.into_inner()).unwrap_or(0)))
            }
            other => Err(other.into()),
        }
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

async fn secure(address: SocketAddr, tls: rustls::ClientConfig) -> anyhow::Result<Box<dyn Stream>> {
    let connector = TlsConnector::from(Arc::new(tls));
    let stream = connector.connect("localhost".try_into()?, connect(address).await?).await?;
    Ok(Box::new(stream))
}

impl Framed {
    async fn next(&mut self) -> anyhow::Result<Got> {
        loop {
            if !self.read.is_empty() {
                let mut bytes = self.read.split();
                let decoded = self.decoder.decode(&mut bytes)?;
                let consumed = decoded.consumed;
                let message = match decoded.event {
                    Some(Event::Message { payload, .. }) => Some(payload.into_bytes()),
                    _ => None,
                };
                self.read = bytes.split_off(consumed);
                if let Some(payload) = message {
                    return Ok(Got::Message(payload));
                }
            }
            // What was written at once is read at once: with the framing `raw` that is what a message is.
            self.read.reserve(16 << 10);
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(Got::End(0));
            }
        }
    }
}

/// A client configuration that takes any certificate: the gateway under test makes its own.
pub fn trusting() -> quinn::ClientConfig {
    over_quic(trusting_tls())
}

/// The same for TLS over TCP.
pub fn trusting_tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3 is there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
        .with_no_client_auth()
}

/// TLS as QUIC with the protocol `weir/1` has it.
pub fn over_quic(mut tls: rustls::ClientConfig) -> quinn::ClientConfig {
    tls.alpn_protocols = vec![b"weir/1".to_vec()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("a TLS 1.3 configuration")))
}

#[derive(Debug)]
struct TrustAll(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("QUIC is TLS 1.3".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
