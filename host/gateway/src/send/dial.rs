//! From a URL to a conversation.

use super::talk::{Later, Nothing, Talk, Under};
use crate::cli::Send;
use anyhow::{Context, anyhow, bail};
use axum::http::Uri;
use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use weir_codec::framing::Prefix;
use weir_codec::{Decoder, Framing, Kind, Wire, websocket};
use weir_upstream::{Balance, ClientTls, Cluster, ClusterSpec, Protocol};

/// For the connection and every handshake.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest message that is taken from the other side: 64 MiB.
const LONGEST: usize = 64 << 20;
/// For the connection's end after its stream's.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) async fn dial(options: &Send) -> anyhow::Result<Talk> {
    let usage = "use tcp://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or quic://HOST:PORT";
    let uri: Uri =
        options.url.parse().ok().with_context(|| format!("{:?} is no URL; {usage}", options.url))?;
    let scheme = uri.scheme_str().with_context(|| format!("{:?} has no scheme; {usage}", options.url))?;
    let host = uri.host().with_context(|| format!("{:?} names no host; {usage}", options.url))?;
    let port = match (uri.port_u16(), scheme) {
        (Some(port), _) => port,
        (None, "ws") => 80,
        (None, "wss") => 443,
        (None, "tcp" | "quic") => bail!("{:?} has no port; {usage}", options.url),
        (None, other) => bail!("{other}:// is not spoken here; {usage}"),
    };
    let protocol = match scheme {
        "tcp" => Protocol::Tcp { framing: Arc::new(framing(&options.framing)?), kind: Kind::Binary },
        "ws" | "wss" => Protocol::WebSocket {
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            host: None,
            subprotocols: Vec::new(),
            limits: websocket::Limits { message: LONGEST, fragments: 100_000 },
        },
        "quic" => return quic(options, host, port).await,
        other => bail!("{other}:// is not spoken here; {usage}"),
    };
    let tls = (scheme == "wss").then(|| ClientTls { ca: options.ca.clone(), server_name: None });
    let cluster = Cluster::new(ClusterSpec {
        name: "send".into(),
        protocol,
        tls,
        endpoints: vec![format!("{host}:{port}").parse()?],
        balance: Balance::RoundRobin,
        connect_timeout: TIMEOUT,
    })?;
    // A cluster and its endpoints are the gateway's words: here it is one address.
    let connected = cluster.connect(std::process::id().into()).await;
    let connected = connected
        .map_err(|error| anyhow!("{}: {}: {}", error.endpoint(), error.step().as_str(), error.cause()))?;
    Ok(Talk::new(connected.stream, connected.leftover, connected.wire, connected.decoder, Nothing))
}

fn framing(word: &str) -> anyhow::Result<Framing> {
    Framing::parse(word, LONGEST).with_context(|| format!("{word:?} is no framing; use {}", Framing::WORDS))
}

/// One connection with one lane.
async fn quic(options: &Send, host: &str, port: u16) -> anyhow::Result<Talk> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses =
        tokio::net::lookup_host((host, port)).await.with_context(|| format!("cannot resolve {host}"))?;
    let address = addresses.next().with_context(|| format!("{host} has no address"))?;
    let mut tls = if let Some(ca) = &options.ca {
        let mut roots = RootCertStore::empty();
        for certificate in
            CertificateDer::pem_file_iter(ca).with_context(|| format!("cannot read {}", ca.display()))?
        {
            roots.add(certificate?)?;
        }
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
    } else if address.ip().is_loopback() {
        // Where the gateway makes its own: whoever could answer there in its place owns the machine.
        rustls::ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(weir_bench::trust::any())
            .with_no_client_auth()
    } else {
        bail!("quic:// off loopback needs --ca FILE, the certificate to trust");
    };
    tls.alpn_protocols = vec![b"weir/1".to_vec()];
    let bind: SocketAddr =
        if address.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
    let mut endpoint = quinn::Endpoint::client(bind).context("cannot open a UDP socket")?;
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?)));
    let connecting = endpoint.connect(address, host)?;
    let connection = tokio::time::timeout(TIMEOUT, connecting)
        .await
        .with_context(|| format!("{address} did not answer within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("cannot connect to {address}"))?;
    let (send, receive) = connection.open_bi().await?;
    let framing = Arc::new(Framing::Length { prefix: Prefix::U32Be, max: LONGEST });
    let decoder = Decoder::framed(&framing, Kind::Binary);
    let stream = tokio::io::join(receive, send);
    Ok(Talk::new(stream, Bytes::new(), Wire::Framed(framing), decoder, Quic { endpoint, connection }))
}

/// The connection of the one stream.
struct Quic {
    endpoint: quinn::Endpoint,
    connection: quinn::Connection,
}

impl Under for Quic {
    fn end(&self) -> Later<'_, Option<(u16, String)>> {
        Box::pin(async {
            Some(match tokio::time::timeout(GOODBYE, self.connection.closed()).await.ok()? {
                quinn::ConnectionError::ApplicationClosed(close) => {
                    let code = u16::try_from(close.error_code.into_inner()).unwrap_or(u16::MAX);
                    (code, String::from_utf8_lossy(&close.reason).into_owned())
                }
                other => (1006, other.to_string()),
            })
        })
    }

    fn close(&self) -> Later<'_, ()> {
        self.connection.close(1000u32.into(), b"");
        Box::pin(self.endpoint.wait_idle())
    }
}
