//! Names, groups, paths of requests, origins: texts with a grammar.

use super::Check;
use crate::source::Span;

/// Which words a cluster cannot be called, because a route knows them.
const ROUTE_WORDS: [&str; 2] = ["echo", "drop"];

impl Check<'_> {
    /// A name that becomes a metric label: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub(super) fn name(&mut self, name: &str, span: &Span, key: &str) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let shown = name.escape_debug();
            self.blame(span, format!("`{key}` must be 1 to 64 of A-Z a-z 0-9 . _ -, not \"{shown}\""));
        }
    }

    pub(super) fn cluster_name(&mut self, name: &str, span: &Span) {
        self.name(name, span, "name");
        if ROUTE_WORDS.contains(&name) {
            self.blame(
                span,
                format!("a cluster cannot be called \"{name}\": `route = \"{name}\"` means something else"),
            );
        }
    }

    pub(super) fn group_name(&mut self, name: &str, span: &Span, key: &str) {
        if name.is_empty() || name.len() > weir_core::MAX_GROUP_NAME {
            let most = weir_core::MAX_GROUP_NAME;
            self.blame(span, format!("`{key}`: a group's name has 1 to {most} bytes, not {}", name.len()));
        }
    }

    /// The path of an upgrade request (RFC 3986, section 3.3), without a query.
    pub(super) fn request_path(&mut self, path: &str, span: &Span) {
        let shown = path.escape_debug();
        if !path.starts_with('/') {
            let help = format!("write \"/{}\"", path.escape_debug());
            self.blame_with_help(span, format!("`path` must begin with \"/\", not \"{shown}\""), help);
        } else if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains(['?', '#']) {
            let message =
                format!("`path` must be printable ASCII without spaces, \"?\" and \"#\", not \"{shown}\"");
            self.blame(span, message);
        }
    }

    /// `scheme://host[:port]` (RFC 6454, section 6.2), as browsers send it: in lower case, without a path.
    pub(super) fn origin(&mut self, origin: &str, span: &Span) -> String {
        let shown = origin.escape_debug();
        let lower = origin.to_ascii_lowercase();
        if origin == "*" {
            let message = "`origins` cannot be \"*\": any page could then use its visitors' cookies";
            self.blame_with_help(span, message, "list the origins");
            return lower;
        }
        let message = format!(
            "`origins` must be like \"https://chat.example\" or \"http://localhost:8080\", not \"{shown}\""
        );
        match lower.split_once("://") {
            Some((scheme, authority)) if !scheme.is_empty() && !authority.is_empty() => {
                if authority
                    .bytes()
                    .any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'/' | b'?' | b'#' | b'@' | b'*'))
                {
                    self.blame_with_help(span, message, "an origin has no path, no user and no wildcard");
                } else if matches!(
                    (scheme, authority.rsplit_once(':')),
                    ("http", Some((_, "80"))) | ("https", Some((_, "443")))
                ) {
                    self.blame_with_help(span, message, "browsers leave out the scheme's own port");
                }
            }
            _ => self.blame(span, message),
        }
        lower
    }

    /// A token (RFC 6455, section 4.1: as in RFC 2616, section 2.2).
    pub(super) fn subprotocol(&mut self, name: &str, span: &Span) {
        let separator = |byte: u8| b"()<>@,;:\\\"/[]?={}".contains(&byte);
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && !separator(byte)) {
            let shown = name.escape_debug();
            self.blame(
                span,
                format!("`subprotocols` must be tokens such as \"mqtt\" or \"v1.chat\", not \"{shown}\""),
            );
        }
    }
}
