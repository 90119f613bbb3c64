//! The client's side of the WebSocket handshake (RFC 6455, section 4.1).

use crate::random::Random;
use crate::response::{self, Refusal};
use crate::{Endpoint, Error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The most bytes that are read before the head of the answer has ended.
const LONGEST_HEAD: usize = 16 << 10;
/// Room for one read: most answers fit.
const ONE_READ: usize = 1 << 10;

/// What a request says, checked: nothing of it can end a line or begin a header.
#[derive(Debug)]
pub(crate) struct Request {
    path: String,
    host: Option<String>,
    subprotocols: Vec<String>,
}

impl Request {
    pub(crate) fn new(
        cluster: &Arc<str>,
        path: String,
        host: Option<String>,
        subprotocols: Vec<String>,
    ) -> Result<Self, Error> {
        let bad = |what, value: &str, rule| {
            Err(Error::BadRequest { cluster: Arc::clone(cluster), what, value: value.to_owned(), rule })
        };
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !path.starts_with('/') || !visible(&path) || path.contains('#') {
            return bad(
                "path",
                &path,
                "it begins with / and has visible ASCII characters without #; escape others as %XX",
            );
        }
        if let Some(host) = host.as_deref().filter(|host| !visible(host) || host.contains(['/', '@', ','])) {
            return bad("host", host, "it is a name, with :port where that is not the usual one");
        }
        for (at, name) in subprotocols.iter().enumerate() {
            // RFC 6455, section 4.1: tokens, each once.
            if name.is_empty() || !name.bytes().all(is_token) || subprotocols[..at].contains(name) {
                return bad(
                    "subprotocol",
                    name,
                    "it is a token of letters, digits and !#$%&'*+-.^_`|~, listed once",
                );
            }
        }
        Ok(Self { path, host, subprotocols })
    }

    fn write(&self, endpoint: &Endpoint, key: &str) -> String {
        let host = self.host.clone().unwrap_or_else(|| endpoint.to_string());
        let offered = match &*self.subprotocols {
            [] => String::new(),
            names => format!("Sec-WebSocket-Protocol: {}\r\n", names.join(", ")),
        };
        format!(
            "GET {} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Version: 13\r\n{offered}\r\n",
            self.path
        )
    }

    /// Asks for the upgrade and waits for the answer. Gives what came after it.
    pub(crate) async fn upgrade(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        endpoint: &Endpoint,
        random: &mut Random,
    ) -> Result<Bytes, Refusal> {
        let nonce = u128::from(random.next()) << 64 | u128::from(random.next());
        let key = STANDARD.encode(nonce.to_be_bytes());
        stream.write_all(self.write(endpoint, &key).as_bytes()).await?;
        stream.flush().await?;

        let mut arrived = BytesMut::new();
        loop {
            let before = arrived.len();
            if before == LONGEST_HEAD {
                return Err(Refusal::HeadTooLong { limit: LONGEST_HEAD });
            }
            arrived.reserve(ONE_READ);
            if stream.read_buf(&mut (&mut arrived).limit(LONGEST_HEAD - before)).await? == 0 {
                return Err(Refusal::Closed);
            }
            // Only the end of a line can end the head: a server that sends byte by byte does not have it parsed each time.
            if !arrived[before..].contains(&b'\n') {
                continue;
            }
            if let Some(length) = response::accept(&arrived, &key, &self.subprotocols)? {
                // Copied, so that some bytes do not keep the head's buffer.
                return Ok(Bytes::copy_from_slice(&arrived[length..]));
            }
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, host: Option<&str>, subprotocols: &[&str]) -> Result<Request, Error> {
        let subprotocols = subprotocols.iter().map(|name| (*name).to_owned()).collect();
        Request::new(&"backend".into(), path.to_owned(), host.map(str::to_owned), subprotocols)
    }

    #[test]
    fn writes_the_request_of_the_rfc() {
        let endpoint = "chat.internal:9001".parse().unwrap();
        let written = request("/ws?a=b", None, &["v2", "v1"]).unwrap().write(&endpoint, "KEY");
        assert_eq!(
            written,
            "GET /ws?a=b HTTP/1.1\r\nHost: chat.internal:9001\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: KEY\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v2, v1\r\n\r\n"
        );
        let written = request("/", Some("example.org"), &[]).unwrap().write(&endpoint, "KEY");
        assert!(written.contains("\r\nHost: example.org\r\n") && !written.contains("Protocol"), "{written}");
    }

    #[test]
    fn nothing_of_it_can_break_the_request() {
        for (path, host, name, what) in [
            ("ws", None, "v1", "path"),
            ("/a b", None, "v1", "path"),
            ("/a\r\nX: y", None, "v1", "path"),
            ("/a#b", None, "v1", "path"),
            ("/", Some("a\r\nX: y"), "v1", "host"),
            ("/", Some(""), "v1", "host"),
            ("/", Some("http://a"), "v1", "host"),
            ("/", None, "v1, v2", "subprotocol"),
            ("/", None, "", "subprotocol"),
        ] {
            let error = request(path, host, &[name]).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        assert!(request("/", None, &["v1", "v1"]).is_err());
    }

    #[tokio::test]
    async fn an_endless_head_is_refused_at_its_limit() {
        let (mut client, mut server) = tokio::io::duplex(64 << 10);
        server.write_all(b"HTTP/1.1 101 Switching Protocols\r\nX-Endless: ").await.unwrap();
        server.write_all(&[b'x'; LONGEST_HEAD]).await.unwrap();
        let (request, endpoint) = (request("/", None, &[]).unwrap(), "a:1".parse().unwrap());
        let refusal = request.upgrade(&mut client, &endpoint, &mut Random::new(1)).await.unwrap_err();
        assert!(matches!(refusal, Refusal::HeadTooLong { limit: LONGEST_HEAD }), "{refusal}");
    }
}
