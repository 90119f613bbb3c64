//! URLs of gateways.

use crate::Error;
use tokio_tungstenite::tungstenite::http::Uri;

/// Where a gateway is, and what it speaks there.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) websocket: bool,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let bad = |problem: &str| Error::Url { url: url.to_owned(), problem: problem.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        let (tls, websocket, usual) = match uri.scheme_str() {
            Some("ws") => (false, true, Some(80)),
            Some("wss") => (true, true, Some(443)),
            Some("tcp") => (false, false, None),
            Some("tls") => (true, false, None),
            Some(_) => return Err(bad("its scheme is not known")),
            None => return Err(bad("it has no scheme")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().or(usual).ok_or_else(|| bad("it has no port"))?;
        Ok(Self { uri, host, port, tls, websocket })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let parsed = |url| Address::parse(url).map(|a| (a.host, a.port, a.tls, a.websocket)).unwrap();
        assert_eq!(parsed("ws://a.example/chat?x=1"), ("a.example".into(), 80, false, true));
        assert_eq!(parsed("wss://a.example"), ("a.example".into(), 443, true, true));
        assert_eq!(parsed("tcp://127.0.0.1:7002"), ("127.0.0.1".into(), 7002, false, false));
        assert_eq!(parsed("tls://[::1]:7"), ("::1".into(), 7, true, false));
        for url in ["", "a.example:7001", "http://a.example", "tcp://a.example", "ws:///path", "ws://a b"] {
            assert!(matches!(Address::parse(url), Err(Error::Url { .. })), "{url}");
        }
    }
}
