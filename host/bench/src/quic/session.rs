//! A QUIC connection, or a WebTransport session, with one stream for messages.

use crate::failure::Failure;
use crate::settings::Settings;
use crate::target::{Scheme, Target};
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use std::net::SocketAddr;
use url::Url;
use web_transport_proto::http::{HeaderMap, HeaderName, HeaderValue};
use web_transport_proto::{Capsule, ConnectRequest, ConnectResponse, Http3CapsuleReader, Settings as Http3};

/// What a stream of a WebTransport session begins with: its type, and the session's id, which is that of the first stream
/// (draft-ietf-webtrans-http3, section 4.3).
const STREAM: [u8; 3] = [0x40, 0x41, 0];

pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
    /// Of WebTransport: what must not end before the session does, and where its end is told.
    under: Option<Under>,
}

struct Under {
    _control: (SendStream, RecvStream),
    _request: SendStream,
    capsules: Http3CapsuleReader<RecvStream>,
}

impl Session {
    pub(super) async fn open(
        endpoint: &Endpoint,
        target: &Target,
        number: u32,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let address = target.address;
        let connecting = endpoint.connect(address, &target.host);
        let connecting = connecting.map_err(|error| Failure::new("connect_failed", error.to_string()))?;
        let connection = connecting.await.map_err(|error| refused(&error, address))?;
        let lost = |error: ConnectionError| refused(&error, address);
        if target.scheme == Scheme::Quic {
            let (send, receive) = connection.open_bi().await.map_err(lost)?;
            return Ok(Self { connection, send, receive, under: None });
        }
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new("upgrade_failed", format!("{address} refused WebTransport: {error}"))
        };
        let mut control = connection.open_uni().await.map_err(lost)?;
        let mut ours = Http3::default();
        ours.enable_webtransport(1);
        ours.write(&mut control).await.map_err(|error| failed(&error))?;
        let mut theirs = connection.accept_uni().await.map_err(lost)?;
        let said = Http3::read(&mut theirs).await.map_err(|error| failed(&error))?;
        if said.supports_webtransport() == 0 {
            return Err(failed(&"it does not say that it speaks it"));
        }
        let (mut request, mut answer) = connection.open_bi().await.map_err(lost)?;
        let path = target.path(settings.group(number), number);
        let url =
            Url::parse(&format!("https://{}{path}", target.authority)).map_err(|error| failed(&error))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| failed(&error))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|error| failed(&error))?);
        }
        let asked = ConnectRequest::new(url).with_headers(headers);
        asked.write(&mut request).await.map_err(|error| failed(&error))?;
        let response = ConnectResponse::read(&mut answer).await.map_err(|error| failed(&error))?;
        if !response.status.is_success() {
            let status = response.status.as_u16();
            let about = format!("{address} refused WebTransport with status {status}");
            return Err(Failure::new(format!("upgrade_{status}"), about));
        }
        let (mut send, receive) = connection.open_bi().await.map_err(lost)?;
        send.write_all(&STREAM).await.map_err(|error| failed(&error))?;
        let capsules = Http3CapsuleReader::new(answer);
        let under = Under { _control: (control, theirs), _request: request, capsules };
        Ok(Self { connection, send, receive, under: Some(under) })
    }

    /// Why the server ended it. The connection may tell a moment after its stream.
    pub(super) async fn end(&mut self) -> Failure {
        if let Some(under) = &mut self.under {
            while let Ok(Some(capsule)) = under.capsules.read().await {
                if let Capsule::CloseWebTransportSession { code, .. } = capsule {
                    return crate::conn::End::Closed(u16::try_from(code).ok()).into();
                }
            }
        }
        match self.connection.closed().await {
            ConnectionError::ApplicationClosed(close) => {
                crate::conn::End::Closed(u16::try_from(close.error_code.into_inner()).ok()).into()
            }
            ConnectionError::Reset => Failure::new("closed_reset", "the server reset the connection"),
            other => Failure::new("closed_failed", format!("a connection broke: {other}")),
        }
    }
}

/// Why there is no connection.
fn refused(error: &ConnectionError, address: SocketAddr) -> Failure {
    match error {
        ConnectionError::TimedOut => Failure::new(
            "connect_timeout",
            format!("{address} did not answer: is the server running, and on UDP?"),
        ),
        ConnectionError::ConnectionClosed(_) | ConnectionError::TransportError(_) => Failure::new(
            "connect_tls",
            format!("{address}: {error}; trust its certificate with --ca FILE, or any with --insecure"),
        ),
        _ => Failure::new("connect_failed", format!("cannot connect to {address}: {error}")),
    }
}
