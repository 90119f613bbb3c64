//! What a handshake said, for plugins.

use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;
use weir_core::TlsInfo;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Of a connection whose handshake is done.
pub(crate) fn info(connection: &ServerConnection) -> TlsInfo {
    of_parts(
        connection.server_name(),
        connection.alpn_protocol(),
        connection.peer_certificates().and_then(<[_]>::first),
    )
}

pub(crate) fn of_parts(
    name: Option<&str>,
    alpn: Option<&[u8]>,
    client: Option<&CertificateDer<'_>>,
) -> TlsInfo {
    TlsInfo {
        sni: name.map(Into::into),
        alpn: alpn.map(|protocol| String::from_utf8_lossy(protocol).into()),
        client_subject: client.and_then(subject),
    }
}

/// The verified certificate's subject, as in RFC 4514.
fn subject(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.subject().to_string().into())
}
