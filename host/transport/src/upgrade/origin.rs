//! Which pages may connect: a browser sends its user's cookies along whatever page asks (RFC 6455, section 10.2).

/// The rule for the `Origin` header.
#[derive(Debug)]
pub(crate) enum Origins {
    /// Pages of the host that the request names.
    Same,
    /// These, as browsers write them.
    Listed(Box<[Box<str>]>),
}

impl Origins {
    pub(crate) fn new(listed: Option<&[String]>) -> Self {
        listed.map_or(Self::Same, |listed| {
            Self::Listed(listed.iter().map(|origin| origin.as_str().into()).collect())
        })
    }

    /// Whether a page of this origin may connect to this host.
    pub(crate) fn allow(&self, origin: &str, host: &str) -> bool {
        match self {
            Self::Listed(listed) => listed.iter().any(|allowed| **allowed == *origin),
            Self::Same => origin.split_once("://").is_some_and(|(scheme, authority)| {
                strip_port(scheme, authority).eq_ignore_ascii_case(strip_port(scheme, host))
            }),
        }
    }
}

/// Without the port that the scheme has anyway (RFC 6454, section 6.2).
fn strip_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_list_only_the_same_host_may() {
        for (origin, host, allowed) in [
            ("https://chat.example", "chat.example", true),
            ("https://chat.example", "chat.example:443", true),
            ("https://chat.example:443", "CHAT.example", true),
            ("http://localhost:7001", "localhost:7001", true),
            ("http://[::1]:7001", "[::1]:7001", true),
            ("http://localhost:3000", "localhost:7001", false),
            ("https://evil.example", "chat.example", false),
            ("https://chat.example.evil.example", "chat.example", false),
            ("https://chat.example", "chat.example:80", false),
            ("null", "null", false),
            ("", "", false),
        ] {
            assert_eq!(Origins::Same.allow(origin, host), allowed, "{origin} to {host}");
        }
    }

    #[test]
    fn with_a_list_only_what_is_in_it_may() {
        let origins = Origins::new(Some(&["https://chat.example".to_owned()]));
        assert!(origins.allow("https://chat.example", "elsewhere.example"));
        for origin in ["https://chat.example:443", "http://chat.example", "https://elsewhere.example", "null"]
        {
            assert!(!origins.allow(origin, "elsewhere.example"), "{origin}");
        }
        assert!(!Origins::new(Some(&[])).allow("https://chat.example", "chat.example"));
    }
}
