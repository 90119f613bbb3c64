//! The client's side of the WebSocket handshake (RFC 6455, section 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use weir_codec::websocket::accept_key;

/// Longest head of an answer that is read, in bytes.
const LONGEST: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

/// A request that was sent, and what came back of its answer.
#[derive(Debug)]
pub(super) struct Upgrade {
    key: String,
    answer: Vec<u8>,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// More is needed.
    Partial,
    /// From here on there are frames: these bytes are the first of them.
    Upgraded(Vec<u8>),
    /// With this status, and what the server wrote.
    Refused(u16, String),
    /// The text says which rule was broken.
    Broken(&'static str),
}

impl Upgrade {
    /// Gives the request, too.
    pub(super) fn new(authority: &str, path: &str, headers: &[(String, String)]) -> (Self, String) {
        let mut nonce = [0; 16];
        fastrand::fill(&mut nonce);
        let key = STANDARD.encode(nonce);
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        );
        for (name, value) in headers {
            // A String takes everything.
            let _ = write!(request, "{name}: {value}\r\n");
        }
        request += "\r\n";
        (Self { key, answer: Vec::new() }, request)
    }

    /// Takes what arrived.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Answer {
        self.answer.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(&self.answer) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.answer.len() < LONGEST => return Answer::Partial,
            Ok(httparse::Status::Partial) => {
                return Answer::Broken("the answer's head is longer than 16 KiB");
            }
            Err(_) => return Answer::Broken("the answer is no HTTP"),
        };
        let header = |name: &str| {
            let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| header.value.trim_ascii())
        };
        let status = response.code.unwrap_or(0);
        if status != 101 {
            let said = String::from_utf8_lossy(&self.answer[length..]);
            return Answer::Refused(
                status,
                said.lines().next().unwrap_or_default().chars().take(200).collect(),
            );
        }
        if !header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
            return Answer::Broken("the answer upgrades to something else than a WebSocket");
        }
        if header("sec-websocket-accept") != Some(accept_key(self.key.as_bytes()).as_bytes()) {
            return Answer::Broken("the answer's Sec-WebSocket-Accept is not that of the request");
        }
        if header("sec-websocket-extensions").is_some() {
            return Answer::Broken("the answer has an extension that was not asked for");
        }
        Answer::Upgraded(self.answer.split_off(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> (Upgrade, String) {
        let headers = [("Authorization".to_owned(), "Bearer x".to_owned())];
        let (upgrade, request) = Upgrade::new("example.org:81", "/chat?a=1", &headers);
        assert!(request.starts_with("GET /chat?a=1 HTTP/1.1\r\nHost: example.org:81\r\n"), "{request}");
        assert!(request.ends_with("Authorization: Bearer x\r\n\r\n"), "{request}");
        let accept = accept_key(upgrade.key.as_bytes());
        (
            upgrade,
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUPGRADE: WebSocket\r\nSec-WebSocket-Accept: {accept}\r\n"
            ),
        )
    }

    #[test]
    fn what_follows_the_answer_is_kept_however_it_is_cut() {
        let (upgrade, head) = begun();
        let answer = [head.as_bytes(), b"\r\n\x81\x01x"].concat();
        for cut in 1..answer.len() - 4 {
            let mut upgrade = Upgrade { key: upgrade.key.clone(), answer: Vec::new() };
            assert_eq!(upgrade.received(&answer[..cut]), Answer::Partial, "{cut}");
            assert_eq!(upgrade.received(&answer[cut..]), Answer::Upgraded(b"\x81\x01x".to_vec()), "{cut}");
        }
    }

    #[test]
    fn refusals_and_breaches_are_told() {
        let says = |answer: &str| begun().0.received(answer.as_bytes());
        assert_eq!(
            says("HTTP/1.1 403 Forbidden\r\n\r\nno such origin\nmore"),
            Answer::Refused(403, "no such origin".into())
        );
        assert!(matches!(says("SSH-2.0-OpenSSH\r\n"), Answer::Broken(_)));
        assert!(matches!(says("HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n"), Answer::Broken(_)));
        let wrong = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        assert!(matches!(says(wrong), Answer::Broken(why) if why.contains("Accept")));
        let (mut upgrade, head) = begun();
        let extended = format!("{head}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        assert!(
            matches!(upgrade.received(extended.as_bytes()), Answer::Broken(why) if why.contains("extension"))
        );
        let endless = format!("HTTP/1.1 101 X\r\nX: {}", "x".repeat(LONGEST));
        assert!(matches!(says(&endless), Answer::Broken(why) if why.contains("16 KiB")));
    }
}
