//! Whom TLS trusts.

use crate::Error;
use crate::target::{Scheme, Target};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// For all connections to a target; `None`: it has no TLS. No session is resumed: each connection stands for a client of its own, with a
/// whole handshake.
pub(crate) fn config(
    ca: Option<&Path>,
    insecure: bool,
    target: &Target,
) -> Result<Option<Arc<ClientConfig>>, Error> {
    if !target.scheme.is_tls() {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let quic_on_loopback = target.scheme.is_quic() && target.address.ip().is_loopback();
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let mut config = match ca {
        Some(path) => builder.with_root_certificates(from_file(path)?).with_no_client_auth(),
        None if insecure || quic_on_loopback => {
            builder.dangerous().with_custom_certificate_verifier(any()).with_no_client_auth()
        }
        None => builder.with_root_certificates(from_system()?).with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = match target.scheme {
        Scheme::Wss => vec![b"http/1.1".to_vec()],
        Scheme::Quic => vec![b"weir/1".to_vec()],
        Scheme::Https => vec![b"h3".to_vec()],
        Scheme::Tcp | Scheme::Ws | Scheme::Tls => Vec::new(),
    };
    Ok(Some(Arc::new(config)))
}

fn from_file(path: &Path) -> Result<RootCertStore, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
    let bad = |problem: String| Error::Ca { path: path.into(), problem };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        roots
            .add(certificate.map_err(|error| bad(error.to_string()))?)
            .map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("there is none in it".into())) } else { Ok(roots) }
}

fn from_system() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(Error::NoSystemCa) } else { Ok(roots) }
}

/// Takes any certificate. The handshake's signatures are checked as ever, so that what is measured is a whole handshake.
pub fn any() -> Arc<dyn ServerCertVerifier> {
    Arc::new(TrustAny(rustls::crypto::aws_lc_rs::default_provider()))
}

#[derive(Debug)]
struct TrustAny(CryptoProvider);

impl ServerCertVerifier for TrustAny {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
