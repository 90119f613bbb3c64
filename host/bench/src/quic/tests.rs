//! Servers that do what the gateway does not.

use crate::trial::result;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, ServerConfig};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use web_transport_proto::http::StatusCode;
use web_transport_proto::{ConnectRequest, ConnectResponse, Settings};

/// Deals with one connection so; gives where.
fn serve(
    protocol: &str,
    deal: impl AsyncFnOnce(Connection) + Send + 'static,
) -> (std::net::SocketAddr, JoinHandle<()>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key)
        .unwrap();
    tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let endpoint = {
        let _inside = runtime.enter();
        Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap()
    };
    let address = endpoint.local_addr().unwrap();
    let server = thread::spawn(move || {
        runtime.block_on(async {
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            deal(connection).await;
        });
    });
    (address, server)
}

#[test]
fn a_server_that_reads_nothing_does_not_hold_up_the_end() {
    let (address, server) = serve("weir/1", async |connection| {
        let _unread = connection.accept_bi().await.unwrap();
        connection.closed().await;
    });
    let load = ["-c", "1", "--in-flight", "100", "--size", "64KiB", "--timeout", "300ms"];
    let url = format!("quic://{address}");
    let result = result(&[&[&*url][..], &load, &["--duration", "200ms", "--warm-up", "0"]].concat()).unwrap();
    server.join().unwrap();
    assert!(result["errors"]["lost"].as_u64() > Some(0), "{result}");
    assert_eq!(result["connections"], json!({ "asked": 1, "open": 1, "failed": 0, "closed": 0 }), "{result}");
}

/// RFC 9114, section 6.2: streams of one direction come in any order.
#[test]
fn the_settings_of_a_webtransport_server_may_be_behind_another_stream() {
    let (address, server) = serve("h3", async |connection| {
        // RFC 9204, section 4.2: the encoder's.
        let mut encoder = connection.open_uni().await.unwrap();
        encoder.write_all(&[2]).await.unwrap();
        let mut control = connection.open_uni().await.unwrap();
        let mut settings = Settings::default();
        settings.enable_webtransport(1);
        settings.write(&mut control).await.unwrap();
        let _theirs = connection.accept_uni().await.unwrap();
        let (mut answer, mut request) = connection.accept_bi().await.unwrap();
        ConnectRequest::read(&mut request).await.unwrap();
        ConnectResponse::new(StatusCode::OK).write(&mut answer).await.unwrap();
        let (mut send, mut receive) = connection.accept_bi().await.unwrap();
        receive.read_exact(&mut [0; 3]).await.unwrap();
        while let Ok(Some(chunk)) = receive.read_chunk(1 << 16, true).await {
            if send.write_all(&chunk.bytes).await.is_err() {
                break;
            }
        }
    });
    let url = format!("https://{address}/");
    let result = result(&[&url, "-c", "1", "--duration", "200ms", "--warm-up", "0"]).unwrap();
    server.join().unwrap();
    assert_eq!(result["errors"], json!({}), "{result}");
    assert!(result["received"].as_u64() > Some(0), "{result}");
}
