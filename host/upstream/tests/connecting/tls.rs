//! TLS, with an authority that the tests make.

use crate::servers::{ask, echo, framed, serve, silent, spec, websocket};
use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use weir_codec::Kind;
use weir_upstream::{Cause, ClientTls, Cluster, ClusterSpec, Endpoint, Step, Stream};

/// An authority, and a directory with its certificate in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    fn trusted_as(&self, server_name: Option<&str>) -> ClientTls {
        ClientTls { ca: Some(self.file()), server_name: server_name.map(str::to_owned) }
    }

    /// A server with a certificate for `name`.
    async fn serve<F>(
        &self,
        name: &str,
        alpn: &[&[u8]],
        then: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
    ) -> SocketAddr
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        serve(move |tcp| {
            let (acceptor, then) = (acceptor.clone(), then.clone());
            async move {
                if let Ok(stream) = acceptor.accept(tcp).await {
                    then(stream).await;
                }
            }
        })
        .await
    }

    async fn echo(&self, name: &str) -> SocketAddr {
        self.serve(name, &[], |stream| async move {
            let (mut from, mut to) = tokio::io::split(stream);
            tokio::io::copy(&mut from, &mut to).await.ok();
        })
        .await
    }
}

fn encrypted(mut spec: ClusterSpec, tls: ClientTls) -> Cluster {
    spec.tls = Some(tls);
    Cluster::new(spec).unwrap()
}

#[tokio::test]
async fn a_message_goes_there_and_back() {
    let authority = Authority::new();
    let address = authority.echo("127.0.0.1").await;
    let cluster = encrypted(spec(framed(), [address]), authority.trusted_as(None));
    let mut connected = cluster.connect(1).await.unwrap();
    assert!(matches!(connected.stream, Stream::Tls(_)));
    assert_eq!(ask(&mut connected, Kind::Binary, "hello").await, "hello");
}

#[tokio::test]
async fn the_name_is_the_endpoints_or_the_configured_one() {
    let authority = Authority::new();
    let port = authority.echo("localhost").await.port();
    let mut by_name = spec(framed(), []);
    by_name.endpoints.push(Endpoint::Name { host: "localhost".to_owned(), port });
    encrypted(by_name, authority.trusted_as(None)).connect(1).await.unwrap();

    let by_address = spec(framed(), [([127, 0, 0, 1], port).into()]);
    encrypted(by_address.clone(), authority.trusted_as(Some("localhost"))).connect(1).await.unwrap();

    let error = encrypted(by_address, authority.trusted_as(None)).connect(1).await.unwrap_err();
    assert_eq!(error.step(), Step::Tls);
    assert!(error.to_string().contains("set tls.server_name"), "{error}");
}

#[tokio::test]
async fn nobody_else_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let address = authority.echo("127.0.0.1").await;
    // Neither another authority nor those of the system.
    for tls in [other.trusted_as(None), ClientTls::default()] {
        let mut spec = spec(framed(), [address]);
        spec.tls = Some(tls);
        // A machine without any authority says so when the cluster is made.
        let Ok(cluster) = Cluster::new(spec) else { continue };
        let error = cluster.connect(1).await.unwrap_err();
        assert_eq!(error.step(), Step::Tls);
        assert!(error.to_string().contains("set tls.ca"), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn websocket_runs_over_tls_and_names_itself() {
    let authority = Authority::new();
    let address = authority
        .serve("127.0.0.1", &[b"http/1.1"], |stream| async move {
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                socket.send(message).await.unwrap();
            }
        })
        .await;
    let cluster = encrypted(spec(websocket("/ws"), [address]), authority.trusted_as(None));
    let mut connected = cluster.connect(1).await.unwrap();
    assert_eq!(ask(&mut connected, Kind::Text, "hello").await, "hello");
}

#[tokio::test]
async fn one_that_does_not_speak_tls_is_named() {
    let authority = Authority::new();
    let cluster = encrypted(spec(framed(), [echo().await]), authority.trusted_as(None));
    let error = cluster.connect(1).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Tls(_)), "{error}");
    assert!(error.to_string().contains("check that it speaks TLS"), "{error}");
}

#[tokio::test]
async fn one_that_says_nothing_is_not_waited_for() {
    let authority = Authority::new();
    let mut spec = spec(framed(), [silent().await]);
    spec.connect_timeout = Duration::from_millis(100);
    let error = encrypted(spec, authority.trusted_as(None)).connect(1).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::TimedOut { step: Step::Tls, .. }), "{error}");
}
