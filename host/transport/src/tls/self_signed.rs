//! A certificate for loopback use, made at start.

use super::{provider, resumption};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::fmt::Write as _;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// The longest that browsers accept of a certificate that is known by its hash (W3C WebTransport, `serverCertificateHashes`).
const VALID: Duration = Duration::days(14);
/// Clocks differ.
const BACKDATED: Duration = Duration::hours(1);

/// A certificate for `localhost`, `127.0.0.1` and `::1` that nobody has signed.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// For listeners.
    pub config: Arc<ServerConfig>,
    /// The certificate in PEM, for clients that are told to trust it.
    pub pem: String,
    /// SHA-256 of its DER, for people.
    pub sha256_hex: String,
    /// The same for `serverCertificateHashes`.
    pub sha256_base64: String,
}

/// Makes one: ECDSA over P-256, valid for 14 days.
///
/// # Errors
/// What the cryptography library says; there is nothing to do but to try again.
pub fn self_signed() -> Result<SelfSigned, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "weir, self-signed");
    params.distinguished_name = subject;
    params.not_before = OffsetDateTime::now_utc() - BACKDATED;
    params.not_after = params.not_before + VALID;
    let certificate = params.self_signed(&key)?;

    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
    let mut sha256_hex = String::new();
    for byte in hash.as_ref() {
        // Writing to a string does not fail.
        let _ = write!(sha256_hex, "{byte:02x}");
    }
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
        })
        .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    resumption(&mut config, true).map_err(|_| rcgen::Error::RingUnspecified)?;
    Ok(SelfSigned {
        config: Arc::new(config),
        pem: certificate.pem(),
        sha256_hex,
        sha256_base64: STANDARD.encode(hash.as_ref()),
    })
}
