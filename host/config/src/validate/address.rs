//! Addresses: of listeners, of the admin server, of endpoints.

use super::Check;
use crate::field::Field;
use crate::source::Span;
use crate::{AdminBind, Endpoint};
use std::net::SocketAddr;

impl Check<'_> {
    /// An address to bind.
    pub(super) fn bind<'f>(&mut self, field: &'f Field<String>) -> Option<(SocketAddr, &'f Span)> {
        let (text, span) = self.read(field, "bind")?;
        Some((self.address(text, span)?, span))
    }

    fn address(&mut self, text: &str, span: &Span) -> Option<SocketAddr> {
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let shown = text.escape_debug();
        let message =
            format!("`bind` must be an address with a port such as \"127.0.0.1:7000\", not \"{shown}\"");
        match text.rsplit_once(':') {
            Some((host @ ("" | "*"), port)) if port.parse::<u16>().is_ok() => {
                let all = if host.is_empty() { "an empty host" } else { "a star" };
                self.blame_with_help(
                    span,
                    message,
                    format!("{all} is not all addresses: write \"0.0.0.0:{port}\" or \"[::]:{port}\""),
                );
            }
            Some(("localhost", port)) if port.parse::<u16>().is_ok() => {
                self.blame_with_help(
                    span,
                    message,
                    format!("write \"127.0.0.1:{port}\" or \"[::1]:{port}\""),
                );
            }
            _ if text.parse::<std::net::IpAddr>().is_ok() => {
                self.blame_with_help(span, message, "the port is missing");
            }
            _ => self.blame(span, message),
        }
        None
    }

    /// An address, or `unix:PATH`.
    pub(super) fn admin_bind<'f>(&mut self, field: &'f Field<String>) -> Option<(AdminBind, &'f Span)> {
        let (text, span) = self.read(field, "bind")?;
        let Some(path) = text.strip_prefix("unix:") else {
            return Some((AdminBind::Tcp(self.address(text, span)?), span));
        };
        if path.is_empty() {
            self.blame(span, "`bind` needs a path after \"unix:\", such as \"unix:/run/weir/admin.sock\"");
        }
        Some((AdminBind::Unix(self.sources.resolve(span, path)), span))
    }

    /// `HOST:PORT`.
    pub(super) fn endpoint(&mut self, text: &str, span: &Span) -> Option<Endpoint> {
        let message = format!(
            "`endpoints` must be like \"127.0.0.1:9001\" or \"backend.example:9001\", not \"{}\"",
            text.escape_debug()
        );
        if let Some((_, rest)) = text.split_once("://") {
            let bare = rest.split('/').next().unwrap_or(rest).escape_debug();
            self.blame_with_help(
                span,
                message,
                format!("the cluster's `protocol` and `path` say the rest: write \"{bare}\""),
            );
            return None;
        }
        let endpoint = match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Some(Endpoint::Address(address)),
            Ok(_) => None,
            Err(_) => text.rsplit_once(':').and_then(|(host, port)| {
                let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
                is_dns_name(host).then(|| Endpoint::Name { host: host.to_ascii_lowercase(), port })
            }),
        };
        if endpoint.is_none() {
            self.blame(span, message);
        }
        endpoint
    }
}

/// A host name (RFC 1123, section 2.1); underscores are let through, as resolvers do. A last label of digits only would be a
/// misspelt address.
pub(super) fn is_dns_name(host: &str) -> bool {
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let bare = host.strip_suffix('.').unwrap_or(host);
    let digits = bare.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    bare.len() <= 253 && bare.split('.').all(label) && !digits
}
