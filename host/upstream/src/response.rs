//! The answer to the WebSocket handshake (RFC 6455, section 4.1).

use httparse::{EMPTY_HEADER, Header, Status};
use std::io;
use weir_codec::websocket::accept_key;

/// More headers than this are refused.
const MOST_HEADERS: usize = 64;
/// So much of what a server wrote is shown in an error.
const SHOWN: usize = 200;

/// Why a WebSocket handshake failed. What the server wrote is in it escaped and cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server ended the connection before it had answered.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The head of the answer does not end.
    #[error("the answer's head is longer than {limit} bytes")]
    HeadTooLong {
        /// The most bytes that are read of one.
        limit: usize,
    },
    /// The answer is not HTTP/1.1.
    #[error("the answer is not HTTP/1.1: {0}")]
    NotHttp(String),
    /// Another status than 101.
    #[error("the server answered {code} {reason}")]
    Status {
        /// The status.
        code: u16,
        /// What stands after it.
        reason: String,
    },
    /// The server would have the client go elsewhere.
    #[error("the server redirects ({code}) to {location}")]
    Redirect {
        /// The status.
        code: u16,
        /// Where to.
        location: String,
    },
    /// A header that is missing or says something else.
    #[error("the answer's {name} is {found}, not {expected}")]
    Header {
        /// Which.
        name: &'static str,
        /// What it says, or that it is missing.
        found: String,
        /// What it should say.
        expected: String,
    },
}

impl Refusal {
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Status { code: 400 | 404 | 405 | 426, .. } => "check the cluster's path and host",
            Self::Status { code: 401 | 403, .. } => "allow this gateway at the service",
            Self::Redirect { .. } => "set the cluster's endpoint and path to where the service is",
            Self::Status { code: 500.., .. } | Self::Io(_) | Self::Closed => {
                "look into the service's own log"
            }
            _ => "check that a WebSocket server listens on this port",
        }
    }
}

/// Reads the head of an answer. `None`: it has not arrived whole. Else how many bytes it is long, and that it accepts the handshake.
pub(crate) fn accept(bytes: &[u8], key: &str, offered: &[String]) -> Result<Option<usize>, Refusal> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(Status::Partial) => return Ok(None),
        Ok(Status::Complete(length)) => length,
        Err(error) => return Err(Refusal::NotHttp(error.to_string())),
    };
    let (code, headers) = (response.code.unwrap_or_default(), &*response.headers);
    match code {
        101 if response.version != Some(1) => return Err(Refusal::NotHttp("it is HTTP/1.0".to_owned())),
        101 => {}
        300..=399 => {
            let location =
                all(headers, "Location").first().map_or_else(|| "nowhere".to_owned(), |to| show(to));
            return Err(Refusal::Redirect { code, location });
        }
        _ => {
            let reason = show(response.reason.unwrap_or_default().as_bytes());
            return Err(Refusal::Status { code, reason });
        }
    }
    require(
        headers,
        "Upgrade",
        "websocket",
        |values| matches!(values, [value] if value.eq_ignore_ascii_case(b"websocket")),
    )?;
    require(headers, "Connection", "Upgrade", |values| {
        let mut tokens = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    })?;
    let expected = accept_key(key.as_bytes());
    require(headers, "Sec-WebSocket-Accept", &expected, |values| values == [expected.as_bytes()])?;
    // None was offered.
    require(headers, "Sec-WebSocket-Extensions", "absent", |values| matches!(values, []))?;
    let expected = if offered.is_empty() { "absent".to_owned() } else { format!("one of {offered:?}") };
    require(headers, "Sec-WebSocket-Protocol", &expected, |values| match values {
        [] => true,
        [taken] => offered.iter().any(|name| name.as_bytes() == *taken),
        _ => false,
    })?;
    Ok(Some(length))
}

/// The values of all headers of this name, in any case.
fn all<'a>(headers: &[Header<'a>], name: &str) -> Vec<&'a [u8]> {
    let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value.trim_ascii()).collect()
}

fn require(
    headers: &[Header<'_>],
    name: &'static str,
    expected: &str,
    holds: impl FnOnce(&[&[u8]]) -> bool,
) -> Result<(), Refusal> {
    let values = all(headers, name);
    if holds(&values) {
        return Ok(());
    }
    let found = if values.is_empty() { "missing".to_owned() } else { show(&values.join(&b", "[..])) };
    Err(Refusal::Header { name, found, expected: expected.to_owned() })
}

fn show(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const HEAD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn answer(head: &str) -> Result<Option<usize>, Refusal> {
        accept(head.as_bytes(), KEY, &["chat.v2".to_owned(), "chat.v1".to_owned()])
    }

    #[test]
    fn accepts_what_the_rfc_asks_for_and_leaves_the_rest() {
        let head = format!("{HEAD}Sec-WebSocket-Protocol: chat.v1\r\n\r\n");
        assert_eq!(answer(&format!("{head}\x01\x02")).unwrap(), Some(head.len()));
        for end in 0..head.len() {
            assert_eq!(answer(&head[..end]).unwrap(), None, "at {end}");
        }
        assert!(
            answer(&format!("{HEAD}\r\n")).unwrap().is_some(),
            "a server may take none of the subprotocols"
        );
    }

    #[test]
    fn refuses_what_the_rfc_refuses() {
        for (from, to, says) in [
            ("HTTP/1.1", "HTTP/1.0", "HTTP/1.0"),
            ("HTTP/1.1", "SSH-2.0", "not HTTP"),
            ("101 Switching Protocols", "200 OK", "answered 200 OK"),
            ("101 Switching Protocols", "404 Not Found", "404 Not Found; check the cluster's path"),
            (
                "101 Switching Protocols\r\n",
                "302 Found\r\nLocation: https://elsewhere/\r\n",
                "(302) to https://elsewhere/",
            ),
            ("101 Switching Protocols", "403 \u{1b}[31mno way", "not HTTP"),
            ("101 Switching Protocols", "403 Forbidden", "403 Forbidden; allow this gateway"),
            ("Upgrade: WebSocket", "Upgrade: w\u{e9}b", "Upgrade is w\\xc3\\xa9b, not"),
            ("Upgrade: WebSocket", "Upgrade: h2c", "Upgrade is h2c, not websocket"),
            ("Upgrade: WebSocket\r\n", "", "Upgrade is missing"),
            ("keep-alive, Upgrade", "keep-alive", "Connection is keep-alive, not Upgrade"),
            (
                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=",
                "Accept is s3pPLMBiTxaQ9kYGzzhZRbK+xOO=",
            ),
            ("Sec-WebSocket-Accept", "Sec-WebSocket-Accepted", "Accept is missing"),
            (
                "\r\nUpgrade",
                "\r\nSec-WebSocket-Extensions: permessage-deflate\r\nUpgrade",
                "Extensions is permessage-deflate",
            ),
            (
                "\r\nUpgrade",
                "\r\nSec-WebSocket-Protocol: chat.v3\r\nUpgrade",
                "Protocol is chat.v3, not one of",
            ),
            (
                "\r\nUpgrade",
                "\r\nSec-WebSocket-Protocol: chat.v1\r\nSec-WebSocket-Protocol: chat.v2\r\nUpgrade",
                "Protocol is chat.v1, chat.v2",
            ),
        ] {
            let refusal = answer(&format!("{}\r\n", HEAD.replacen(from, to, 1))).unwrap_err();
            let text = format!("{refusal}; {}", refusal.advice());
            assert!(text.contains(says), "{text}");
        }
        let many = "X: y\r\n".repeat(MOST_HEADERS);
        assert!(matches!(answer(&format!("{HEAD}{many}\r\n")), Err(Refusal::NotHttp(_))));
    }
}
