//! A client of WebTransport: quinn, and web-transport-proto for what is said over it.

use crate::PATIENCE;
use crate::client::Got;
use anyhow::{Context, bail};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::timeout;
use url::Url;
use web_transport_proto::{Capsule, ConnectRequest, ConnectResponse, Http3CapsuleReader, Settings};

/// `DRAIN_WEBTRANSPORT_SESSION` (draft-ietf-webtrans-http3, section 4.6).
const DRAIN: u64 = 0x78ae;

/// A session with one stream open.
pub struct Session {
    endpoint: Endpoint,
    /// The connection.
    pub connection: Connection,
    /// What must not end before the connection does.
    _control: (SendStream, RecvStream),
    request: SendStream,
    capsules: Http3CapsuleReader<RecvStream>,
    send: SendStream,
    receive: RecvStream,
    /// Whether it was said that the session is going to end.
    pub drained: bool,
}

impl Session {
    /// Opens one at a path; TLS is the caller's, its protocol is set here.
    pub async fn open(
        address: SocketAddr,
        path: &str,
        mut tls: rustls::ClientConfig,
    ) -> anyhow::Result<Self> {
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse()?)?;
        endpoint.set_default_client_config(config);
        let connection = timeout(PATIENCE, endpoint.connect(address, "localhost")?).await??;
        let mut control = connection.open_uni().await?;
        let mut settings = Settings::default();
        settings.enable_webtransport(1);
        settings.write(&mut control).await?;
        let mut theirs = connection.accept_uni().await?;
        if Settings::read(&mut theirs).await?.supports_webtransport() == 0 {
            bail!("the gateway does not say that it speaks WebTransport");
        }
        let (mut request, mut answer) = connection.open_bi().await?;
        let url: Url = format!("https://{address}{path}").parse()?;
        ConnectRequest::new(url).write(&mut request).await?;
        timeout(PATIENCE, ConnectResponse::read(&mut answer)).await.context("no answer")??;
        let (mut send, receive) = connection.open_bi().await?;
        // 0x41, and the id of the request's stream, which is the first.
        send.write_all(&[0x40, 0x41, 0]).await?;
        let capsules = Http3CapsuleReader::new(answer);
        let control = (control, theirs);
        Ok(Self { endpoint, connection, _control: control, request, capsules, send, receive, drained: false })
    }

    /// One message on the stream.
    pub async fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        self.send.write_all(&(payload.len() as u32).to_be_bytes()).await?;
        Ok(self.send.write_all(payload).await?)
    }

    /// One message as a datagram.
    pub fn send_datagram(&self, payload: &[u8]) -> anyhow::Result<()> {
        Ok(self.connection.send_datagram([&[0], payload].concat().into())?)
    }

    /// What comes next on the stream.
    pub async fn take(&mut self) -> anyhow::Result<Got> {
        let mut head = [0; 4];
        if self.receive.read_exact(&mut head).await.is_err() {
            return self.end().await;
        }
        let mut payload = vec![0; u32::from_be_bytes(head) as usize];
        self.receive.read_exact(&mut payload).await?;
        Ok(Got::Message(payload.into()))
    }

    /// What comes next by datagram.
    pub async fn take_datagram(&mut self) -> anyhow::Result<Got> {
        let Ok(datagram) = self.connection.read_datagram().await else { return self.end().await };
        match datagram.split_first() {
            Some((0, _)) => Ok(Got::Message(datagram.slice(1..))),
            other => bail!("a datagram of no session: {other:?}"),
        }
    }

    /// The session's end, as the gateway says it.
    pub async fn end(&mut self) -> anyhow::Result<Got> {
        while let Some(capsule) = self.capsules.read().await? {
            match capsule {
                Capsule::CloseWebTransportSession { code, .. } => return Ok(Got::End(u16::try_from(code)?)),
                Capsule::Unknown { typ, .. } if typ.into_inner() == DRAIN => self.drained = true,
                _ => {}
            }
        }
        Ok(Got::End(0))
    }

    /// Ends it in order.
    pub async fn close(mut self, code: u32, reason: &str) -> anyhow::Result<()> {
        let mut capsule = Vec::new();
        Capsule::CloseWebTransportSession { code, reason: reason.into() }.encode(&mut capsule);
        let mut frame = vec![0, u8::try_from(capsule.len()).context("a short reason")?];
        frame.append(&mut capsule);
        self.request.write_all(&frame).await?;
        self.request.finish()?;
        timeout(PATIENCE, self.connection.closed()).await.context("the gateway closes the connection")?;
        self.endpoint.wait_idle().await;
        Ok(())
    }

    /// Is gone without a word of the session.
    pub async fn vanish(&self) {
        self.connection.close(VarInt::from_u32(0x102), b"");
        self.endpoint.wait_idle().await;
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
