//! TLS with rustls and aws-lc-rs.

use crate::Error;
use rustls::{ClientConfig, RootCertStore, crypto};
use std::sync::Arc;

/// TLS 1.2 and 1.3, and the authorities that this system trusts.
pub(crate) fn of_system() -> Result<Arc<ClientConfig>, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's collection may have relics that cannot be read; they are trusted no less for being left out.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(Error::Tls(format!("the system has no authorities to trust{reason}")));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
