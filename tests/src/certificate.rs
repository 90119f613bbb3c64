//! Certificates for the length of a test.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// An authority, and what it signs.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }
}

impl Authority {
    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `localhost` and 127.0.0.1, and its key, as PEM.
    pub fn issue(&self) -> (String, String) {
        self.issue_for(Vec::new())
    }

    fn issue_for(&self, more: Vec<String>) -> (String, String) {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        names.extend(more);
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("parameters");
        (params.signed_by(&key, &self.0).expect("a certificate").pem(), key.serialize_pem())
    }

    /// Writes `ca.pem`, `cert.pem` and `key.pem` for a server.
    pub fn write(&self, dir: &Path) {
        self.write_of(dir, 0);
    }

    /// The same with a certificate of at least so many bytes: what a server sends that has a chain of certificates.
    pub fn write_of(&self, dir: &Path, bytes: usize) {
        // 50 bytes each, and two of their encoding.
        let names = (0..bytes / 52)
            .map(|number| format!("{number:04}-another-name-of-the-same-server.example.org.uk"));
        let (cert, key) = self.issue_for(names.collect());
        for (name, text) in [("ca.pem", self.pem()), ("cert.pem", cert), ("key.pem", key)] {
            fs::write(dir.join(name), text).expect("a PEM file");
        }
    }

    /// What a client needs that trusts this authority, and shows a certificate of it where `known`.
    pub fn client(&self, known: bool) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        if !known {
            return builder.with_no_client_auth();
        }
        let (cert, key) = self.issue();
        let cert = CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        builder.with_client_auth_cert(vec![cert], key).expect("a pair")
    }
}
