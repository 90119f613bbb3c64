//! Certificates from PEM files.

use super::{provider, resumption};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a listener's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate and its intermediates, the own one first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of client certificates. If there are any, a client must have a certificate.
    pub client_ca: Option<PathBuf>,
    /// Whether clients get tickets with which they come back without a whole handshake.
    pub tickets: bool,
}

/// What is wrong with which file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// It cannot be read.
    #[error("{path}: {source}; the gateway's user must be able to read it", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path}: {what}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The two do not belong together.
    #[error(
        "{key} is not the private key of the first certificate in {cert}; the server's own certificate comes first, its \
         intermediates after it",
        key = key.display(),
        cert = cert.display()
    )]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's.
        key: PathBuf,
    },
}

/// Reads the files and makes of them what a listener needs: one for all workers. The key of its tickets is its own, made anew every
/// six hours and never written down: a ticket is good for this listener alone, whose clients had to show what it asks for.
///
/// # Errors
/// Which file, what is wrong with it, and what to do.
pub fn load(files: &Files) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = certificates(&files.cert)?;
    let key = key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| content(&files.cert, error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in self::certificates(path)? {
                roots.add(authority).map_err(|error| content(path, format!("not an authority: {error}")))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| content(path, error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { cert: files.cert.clone(), key: files.key.clone() }
        }
        rustls::Error::InvalidCertificate(error) => {
            content(&files.cert, format!("the certificate is not usable: {error:?}"))
        }
        error => content(&files.key, error.to_string()),
    })?;
    resumption(&mut config, files.tickets).map_err(|error| content(&files.cert, error.to_string()))?;
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let all = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match all {
        Ok(all) if all.is_empty() => {
            Err(content(path, "no certificate in it; it must have one in PEM (-----BEGIN CERTIFICATE-----)"))
        }
        Ok(all) => Ok(all),
        Err(error) => Err(content(path, format!("not valid PEM: {error}"))),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => content(
            path,
            "no private key in it; it must have one in PEM (-----BEGIN PRIVATE KEY-----), not encrypted",
        ),
        error => content(path, format!("not valid PEM: {error}")),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn content(path: &Path, what: impl Into<String>) -> TlsError {
    TlsError::Content { path: path.to_owned(), what: what.into() }
}
