//! A QUIC connection, or a WebTransport session, with one stream for messages.

use crate::failure::Failure;
use crate::settings::Settings;
use crate::target::{Scheme, Target};
use quinn::{ConnectError, Connecting, Connection, ConnectionError, RecvStream, SendStream};
use std::net::SocketAddr;
use url::Url;
use web_transport_proto::http::{HeaderMap, HeaderName, HeaderValue};
use web_transport_proto::{
    Capsule, ConnectRequest, ConnectResponse, Http3CapsuleReader, Settings as Http3, SettingsError,
};

/// What a stream of a WebTransport session begins with: its type, and the session's id, which is that of the first stream
/// (draft-ietf-webtrans-http3, section 4.3).
const STREAM: [u8; 3] = [0x40, 0x41, 0];
/// Streams among which the server's settings are looked for: HTTP/3 has three of a kind (RFC 9114, section 6.2; RFC 9204, section 4.2),
/// and may have some that mean nothing.
const MOST_STREAMS: usize = 8;
/// TLS has no protocol in common (RFC 7301, section 3.2), as QUIC says it.
const NO_PROTOCOL: u64 = 0x100 + 120;

pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
    /// Of WebTransport: what must not end before the session does, and where its end is told.
    under: Option<Under>,
}

struct Under {
    _control: (SendStream, Vec<RecvStream>),
    _request: SendStream,
    capsules: Http3CapsuleReader<RecvStream>,
}

impl Session {
    pub(super) async fn open(
        connecting: Result<Connecting, ConnectError>,
        target: &Target,
        number: u32,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let address = target.address;
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
        let mut theirs = Vec::new();
        let said = loop {
            let mut newest = connection.accept_uni().await.map_err(lost)?;
            let said = Http3::read(&mut newest).await;
            theirs.push(newest);
            match said {
                // That of its header compression, perhaps: a server opens them in any order.
                Err(SettingsError::UnexpectedStreamType(_)) if theirs.len() < MOST_STREAMS => {}
                said => break said.map_err(|error| failed(&error))?,
            }
        };
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
    let code = match error {
        ConnectionError::ConnectionClosed(close) => close.error_code,
        ConnectionError::TransportError(error) => error.code,
        _ => return Failure::new("connect_failed", format!("cannot connect to {address}: {error}")),
    };
    // RFC 9001, section 4.8: an alert of TLS, in the last eight bits.
    match u64::from(code) {
        NO_PROTOCOL => Failure::new(
            "connect_tls",
            format!(
                "{address} does not speak that over QUIC: {error}; quic:// is Weir's own, https:// is WebTransport"
            ),
        ),
        0x100..0x200 => Failure::new(
            "connect_tls",
            format!("{address}: {error}; trust its certificate with --ca FILE, or any with --insecure"),
        ),
        _ => Failure::new("connect_refused", format!("{address} refused the connection: {error}")),
    }
}
