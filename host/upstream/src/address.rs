//! Where an endpoint is.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Longest DNS name in characters (RFC 1035, section 2.3.4, without the root's dot).
const LONGEST_NAME: usize = 253;

/// An upstream address. Reads and writes `host:port`, where the host is a DNS name, an IPv4 address or an IPv6 one in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Connected to as it is.
    Address(SocketAddr),
    /// Resolved each time before it is connected to.
    Name {
        /// A DNS name, in lower case.
        host: String,
        /// Not zero.
        port: u16,
    },
}

impl Endpoint {
    /// The host as TLS names it: without brackets and port.
    pub fn host(&self) -> String {
        match self {
            Self::Address(address) => address.ip().to_string(),
            Self::Name { host, .. } => host.clone(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let bad = |problem| BadEndpoint { text: text.to_owned(), problem };
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address.port() {
                0 => Err(bad("port 0 is nowhere to connect to")),
                _ => Ok(Self::Address(address)),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| bad("the port is missing"))?;
        if host.contains(':') {
            return Err(bad("an IPv6 address needs brackets before its port"));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if host.is_empty() || host.len() > LONGEST_NAME || !host.bytes().all(allowed) {
            return Err(bad("the host is neither an address nor a DNS name"));
        }
        // Numbers are read with a sign too. An address with one is no name.
        let is_plain = port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse() {
            Ok(port @ 1..) if is_plain => Ok(Self::Name { host: host.to_ascii_lowercase(), port }),
            _ => Err(bad("the port is not a number from 1 to 65535")),
        }
    }
}

/// Text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no endpoint: {problem}; write it as host:port, such as 10.0.0.7:9001, [fd00::7]:9001 or chat.internal:9001"
)]
pub struct BadEndpoint {
    text: String,
    problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["127.0.0.1:9001", "[::1]:9001", "chat.internal:80", "my_service:65535"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert_eq!("Chat.Internal:80".parse::<Endpoint>().unwrap().to_string(), "chat.internal:80");
        assert_eq!("[::1]:9001".parse::<Endpoint>().unwrap().host(), "::1");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("chat.internal", "port is missing"),
            ("::1:9001:", "brackets"),
            ("chat:0", "1 to 65535"),
            ("chat:65536", "1 to 65535"),
            ("chat:+80", "1 to 65535"),
            ("10.0.0.7:+80", "1 to 65535"),
            ("chat:", "1 to 65535"),
            ("127.0.0.1:0", "port 0"),
            (":9001", "neither"),
            ("ws//chat:9001", "neither"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
