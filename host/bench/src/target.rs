//! Where the load goes.

use crate::Error;
use crate::template::{Filling, Template};
use rustls::ClientConfig;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// How long each address of a name is given to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is spoken, by the URL's scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Tcp,
    Tls,
    Ws,
    Wss,
    Quic,
    /// WebTransport.
    Https,
}

impl Scheme {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "tcp" => Self::Tcp,
            "tls" => Self::Tls,
            "ws" => Self::Ws,
            "wss" => Self::Wss,
            "quic" => Self::Quic,
            "https" => Self::Https,
            _ => return None,
        })
    }

    const fn default_port(self) -> Option<u16> {
        match self {
            Self::Ws => Some(80),
            Self::Wss | Self::Https => Some(443),
            Self::Tcp | Self::Tls | Self::Quic => None,
        }
    }

    pub(crate) const fn is_tls(self) -> bool {
        !matches!(self, Self::Tcp | Self::Ws)
    }

    pub(crate) const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// Over UDP.
    pub(crate) const fn is_quic(self) -> bool {
        matches!(self, Self::Quic | Self::Https)
    }
}

/// A URL, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As it was given.
    pub(crate) url: String,
    pub(crate) scheme: Scheme,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    /// Host and port as they were given.
    pub(crate) authority: String,
    /// With its query; `{group}` and `{n}` are filled in for each connection.
    pub(crate) path: Template,
    pub(crate) address: SocketAddr,
    /// Where the scheme has it. What is offered in it depends on the scheme.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// Takes it apart and looks its host up; TLS is for [`trust`](crate::trust) to add. With `source`, an address of that family is taken.
    pub(crate) fn parse(url: &str, source: Option<IpAddr>) -> Result<Self, Error> {
        let bad = |problem| Error::Url { url: url.into(), problem };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("is no URL"))?;
        let scheme = Scheme::of(scheme).ok_or_else(|| bad("has a scheme that is not spoken here"))?;
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        if authority.contains('@') {
            return Err(bad("names a user; give what the server wants with --header"));
        }
        let (host, port) =
            split_port(authority).ok_or_else(|| bad("has no host and port that can be read"))?;
        if host.is_empty() {
            return Err(bad("names no host"));
        }
        let port = port.or(scheme.default_port()).ok_or_else(|| bad("has no port"))?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let path = path.split('#').next().unwrap_or("/");
        if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(bad("has a space or a control character in its path"));
        }
        let unresolved = |problem: String| Error::Resolve { host: host.into(), problem };
        let found = (host, port).to_socket_addrs().map_err(|error| unresolved(error.to_string()))?;
        let family = |address: &SocketAddr| source.is_none_or(|source| source.is_ipv4() == address.is_ipv4());
        let found: Vec<SocketAddr> = found.filter(family).collect();
        let address = choose(&found, scheme)
            .ok_or_else(|| unresolved("it has no address of the family of --source".into()))?;
        Ok(Self {
            url: url.into(),
            scheme,
            host: host.into(),
            authority: authority.into(),
            path: Template::of(path.as_bytes()),
            address,
            tls: None,
        })
    }

    /// The path for one connection.
    pub(crate) fn path(&self, group: u32, number: u32) -> String {
        self.path.text(Filling { payload: &[], group, number })
    }
}

/// The one that somebody listens at: `localhost` is two on many machines, and servers listen at one of them. Where it cannot be known,
/// the first.
fn choose(found: &[SocketAddr], scheme: Scheme) -> Option<SocketAddr> {
    let listens = |address: &&SocketAddr| TcpStream::connect_timeout(address, PATIENCE).is_ok();
    let first = found.first().copied();
    if found.len() < 2 || scheme.is_quic() {
        return first;
    }
    found.iter().find(listens).copied().or(first)
}

/// Host without brackets, and port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::parse("ws://127.0.0.1:7001/chat/{group}?n={n}", None).unwrap();
        assert_eq!((target.scheme, &*target.host, target.address.port()), (Scheme::Ws, "127.0.0.1", 7001));
        assert_eq!(target.path(3, 17), "/chat/3?n=17");
        let target = Target::parse("wss://[::1]?x", None).unwrap();
        assert_eq!((&*target.host, target.address.port(), &*target.path(0, 0)), ("::1", 443, "/?x"));
        assert_eq!(Target::parse("tcp://[::1]:7", None).unwrap().path(0, 0), "/");
    }

    #[test]
    fn of_several_addresses_one_where_somebody_listens_is_taken() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 9], there.port()));
        assert_eq!(choose(&[nowhere, there], Scheme::Ws), Some(there));
        assert_eq!(choose(&[nowhere, there], Scheme::Quic), Some(nowhere), "UDP does not tell");
        assert_eq!(choose(&[nowhere, nowhere], Scheme::Ws), Some(nowhere));
        assert_eq!(choose(&[], Scheme::Ws), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, says) in [
            ("127.0.0.1:7000", "is no URL"),
            ("http://127.0.0.1:1", "not spoken here"),
            ("tcp://127.0.0.1", "has no port"),
            ("ws://:80/", "names no host"),
            ("ws://127.0.0.1:99999/", "host and port"),
            ("ws://a:b@127.0.0.1/", "--header"),
            ("ws://127.0.0.1/a b", "space"),
        ] {
            let error = Target::parse(url, None).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("ws://HOST:PORT/PATH"), "{url}: {error}");
        }
        let error = Target::parse("ws://[::1]:80/", Some("127.0.0.1".parse().unwrap())).unwrap_err();
        assert!(error.to_string().contains("family"), "{error}");
    }
}
