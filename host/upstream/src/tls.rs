//! TLS towards a cluster: whom to trust, and whom to expect.

use crate::{ClientTls, Endpoint, Error};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Reads the authorities and sets TLS up. With `alpn` the protocol is named to the server (RFC 7301), so that one that speaks
/// another refuses instead of misunderstanding.
pub(crate) fn connector(
    cluster: &Arc<str>,
    tls: &ClientTls,
    alpn: Option<&[u8]>,
) -> Result<TlsConnector, Error> {
    let roots = match &tls.ca {
        Some(path) => from_file(cluster, path)?,
        None => from_system(cluster)?,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::Tls { cluster: Arc::clone(cluster), source })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols.extend(alpn.map(<[u8]>::to_vec));
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The name that an endpoint's certificate must have.
pub(crate) fn server_name(
    cluster: &Arc<str>,
    tls: &ClientTls,
    endpoint: &Endpoint,
) -> Result<ServerName<'static>, Error> {
    let name = tls.server_name.clone().unwrap_or_else(|| endpoint.host());
    ServerName::try_from(name.clone())
        .map_err(|_| Error::BadServerName { cluster: Arc::clone(cluster), name })
}

fn from_file(cluster: &Arc<str>, path: &Path) -> Result<RootCertStore, Error> {
    let unreadable =
        |source| Error::UnreadableCa { cluster: Arc::clone(cluster), path: path.to_owned(), source };
    let bad = |problem| Error::BadCa { cluster: Arc::clone(cluster), path: path.to_owned(), problem };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let mut roots = RootCertStore::empty();
    for (at, certificate) in CertificateDer::pem_slice_iter(&bytes).enumerate() {
        let certificate = certificate.map_err(|error: pem::Error| bad(format!("is not PEM ({error})")))?;
        roots
            .add(certificate)
            .map_err(|error| bad(format!("has a certificate, number {}, that is none ({error})", at + 1)))?;
    }
    if roots.is_empty() { Err(bad("holds no certificate".to_owned())) } else { Ok(roots) }
}

fn from_system(cluster: &Arc<str>) -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's collection may have relics that cannot be read; they are trusted no less for being left out.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(Error::NoSystemCa { cluster: Arc::clone(cluster), reason });
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(contents: Option<&str>) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        if let Some(contents) = contents {
            std::fs::write(&path, contents).unwrap();
        }
        let tls = ClientTls { ca: Some(path), server_name: None };
        match connector(&"backend".into(), &tls, None) {
            Ok(_) => panic!("{contents:?} holds no authority"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_authorities_file() {
        for (contents, says) in [
            (None, "No such file"),
            (Some(""), "holds no certificate"),
            (Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "holds no certificate"),
            (Some("-----BEGIN CERTIFICATE-----\nAAAA"), "is not PEM"),
            (
                Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                "number 1, that is none",
            ),
        ] {
            let error = error(contents);
            assert!(error.contains(says) && error.contains("ca.pem"), "{error}");
        }
    }

    #[test]
    fn expects_the_configured_name_or_the_endpoints_host() {
        let cluster = "backend".into();
        let name = |server_name: Option<&str>, endpoint: &str| {
            let tls = ClientTls { ca: None, server_name: server_name.map(str::to_owned) };
            server_name_of(&cluster, &tls, endpoint)
        };
        assert_eq!(name(None, "[::1]:9001").unwrap(), "::1");
        assert_eq!(name(None, "chat.internal:9001").unwrap(), "chat.internal");
        assert_eq!(name(Some("example.org"), "127.0.0.1:9001").unwrap(), "example.org");
        let error = name(Some("not a name"), "127.0.0.1:9001").unwrap_err().to_string();
        assert!(error.contains("tls.server_name"), "{error}");
    }

    fn server_name_of(cluster: &Arc<str>, tls: &ClientTls, endpoint: &str) -> Result<String, Error> {
        server_name(cluster, tls, &endpoint.parse()?).map(|name| name.to_str().into_owned())
    }
}
