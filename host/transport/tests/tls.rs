//! Certificates: what loads, what a client's says, and what each mistake is told.

mod support;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;
use support::{Entrance, Gateway, expect, frame, rest, run, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use weir_core::CloseReason;
use weir_transport::tls::{Files, load};

struct Authority {
    directory: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let authority = Self { directory: tempfile::tempdir().unwrap(), issuer: Issuer::new(params, key) };
        authority.write("ca.pem", &certificate.pem());
        authority
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    fn files(&self, cert: &str, key: &str, client_ca: Option<&str>) -> Files {
        Files {
            cert: self.path(cert),
            key: self.path(key),
            client_ca: client_ca.map(|name| self.path(name)),
            tickets: true,
        }
    }

    fn connector(&self, certificate: Option<&str>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let chain = vec![CertificateDer::from_pem_file(self.path(&format!("{name}.pem"))).unwrap()];
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

#[test]
fn clients_with_a_certificate_come_in_and_others_do_not() {
    run(async {
        let authority = Authority::new();
        authority.issue("localhost");
        authority.issue("device-7");
        let mut entrance = Entrance::u32be();
        entrance.tls =
            Some(load(&authority.files("localhost.pem", "localhost.key", Some("ca.pem"))).unwrap());
        let gateway = Gateway::start(vec![entrance]);
        let name = ServerName::try_from("localhost").unwrap();

        let stream = TcpStream::connect(gateway.address(0)).await.unwrap();
        let mut client = authority.connector(Some("device-7")).connect(name.clone(), stream).await.unwrap();
        for length in [5, 100_000, 1 << 20] {
            let message = frame(&vec![1; length]);
            let (mut read, mut write) = tokio::io::split(&mut client);
            tokio::join!(expect(&mut read, &message), async { write.write_all(&message).await.unwrap() });
        }
        client.shutdown().await.unwrap();
        assert!(rest(&mut client).await.is_empty(), "the gateway says goodbye too");
        until("client", || gateway.closed(0, CloseReason::Client) == 1).await;

        let stream = TcpStream::connect(gateway.address(0)).await.unwrap();
        // TLS 1.3: the client learns of it when it reads.
        let refused = async {
            let mut client = authority.connector(None).connect(name, stream).await?;
            client.read(&mut [0; 1]).await
        };
        refused.await.unwrap_err();
        until("protocol", || gateway.closed(0, CloseReason::Protocol) == 1).await;
        assert_eq!(gateway.settled().await, (3, 3));
    });
}

#[test]
fn mistakes_are_named_with_their_file() {
    let authority = Authority::new();
    authority.issue("localhost");
    authority.issue("other");
    authority.write("empty.pem", "");
    authority.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
    authority.write("rubbish.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (cert, key, client_ca, file, says) in [
        ("missing.pem", "localhost.key", None, "missing.pem", "must be able to read it"),
        ("localhost.pem", "missing.key", None, "missing.key", "must be able to read it"),
        ("empty.pem", "localhost.key", None, "empty.pem", "no certificate in it"),
        ("localhost.key", "localhost.key", None, "localhost.key", "no certificate in it"),
        ("localhost.pem", "localhost.pem", None, "localhost.pem", "no private key in it"),
        ("broken.pem", "localhost.key", None, "broken.pem", "not valid PEM"),
        ("rubbish.pem", "localhost.key", None, "rubbish.pem", "not usable"),
        ("localhost.pem", "other.key", None, "other.key", "is not the private key of the first certificate"),
        ("localhost.pem", "localhost.key", Some("empty.pem"), "empty.pem", "no certificate in it"),
        ("localhost.pem", "localhost.key", Some("rubbish.pem"), "rubbish.pem", "not an authority"),
    ] {
        let error = load(&authority.files(cert, key, client_ca)).unwrap_err().to_string();
        assert!(error.starts_with(&*authority.path(file).to_string_lossy()), "{error}");
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn the_self_signed_certificate_is_what_its_hash_says() {
    let own = weir_transport::tls::self_signed().unwrap();
    let der = CertificateDer::from_pem_slice(own.pem.as_bytes()).unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    let hex: String = own.sha256_hex;
    assert_eq!(hex.len(), 64);
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    assert_eq!(bytes, hash.as_ref());
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
    let validity = parsed.validity();
    let days = (validity.not_after.timestamp() - validity.not_before.timestamp()) / 86_400;
    assert_eq!(days, 14);
    let names = format!("{:?}", parsed.subject_alternative_name().unwrap().unwrap().value.general_names);
    assert!(names.contains("DNSName(\"localhost\")") && names.matches("IPAddress").count() == 2, "{names}");
}
