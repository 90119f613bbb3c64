//! TLS, with rustls and aws-lc-rs.

mod common;

use common::gateway::{FakeGateway, Setup};
use common::{message, opened};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use weir_client::{Client, Error, Event};

fn certificates() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[tokio::test]
async fn over_tls() {
    let (server, trusting) = certificates();
    for (scheme, websocket) in [("wss", true), ("tls", false)] {
        let setup = Setup { websocket, tls: Some(Arc::clone(&server)), ..Setup::default() };
        let gateway = FakeGateway::start(setup).await;
        let url = format!("{scheme}://{}", gateway.address);
        let mut client = Client::builder(&url).tls(Arc::clone(&trusting)).build().unwrap();
        assert!(opened(&mut client).await.resumable);
        client.send("secret").await.unwrap();
        assert_eq!(message(&mut client).await, "secret");
        gateway.state().cut();
        assert!(opened(&mut client).await.resumed);
        client.close().await;
        // The system does not trust it, if it trusts anybody.
        let Ok(mut stranger) = Client::builder(&url).build() else { continue };
        let Event::Reconnecting { cause, .. } = common::event(&mut stranger).await else {
            panic!("a failure")
        };
        assert!(matches!(cause, Error::Connect(_)), "{cause:?}");
    }
}
