//! Requests and the answers to them (RFC 9114, sections 4.1 to 4.4; RFC 9220).

use super::fields::{self, Field, NotFields};
use super::{Fault, frame, record};

/// What a client asked for.
#[derive(Debug)]
pub enum Asked {
    /// This.
    For(Request),
    /// Something that is no request; the text says why.
    Malformed(&'static str),
    /// More than it may: its fields come to over 16 KiB, or there are over 64.
    TooLarge,
}

/// A request's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `:method`
    pub method: Box<str>,
    /// `:protocol`, of an extended CONNECT.
    pub protocol: Option<Box<str>>,
    /// `:authority`, or `host`.
    pub authority: Box<str>,
    /// `:path`, with its query.
    pub path: Box<str>,
    /// In the order in which they came, their names in lower case. The parts of `cookie` are one (section 4.2.1).
    pub headers: Vec<(Box<str>, Box<str>)>,
}

impl Asked {
    /// # Errors
    /// What was sent cannot be decompressed, which ends the connection.
    pub(super) fn of(fields: Result<Vec<Field>, NotFields>) -> Result<Self, Fault> {
        match fields {
            Ok(fields) => Ok(match Request::of(fields) {
                Ok(request) => Self::For(request),
                Err(why) => Self::Malformed(why),
            }),
            Err(NotFields::TooLarge) => Ok(Self::TooLarge),
            Err(NotFields::Broken(fault)) => Err(fault),
        }
    }
}

impl Request {
    /// Whether a WebTransport session is asked for.
    pub fn is_webtransport(&self) -> bool {
        &*self.method == "CONNECT" && self.protocol.as_deref() == Some("webtransport")
    }

    /// The values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    fn of(fields: Vec<Field>) -> Result<Self, &'static str> {
        let (mut method, mut scheme, mut authority, mut path, mut protocol) = (None, None, None, None, None);
        let mut headers: Vec<(Box<str>, Box<str>)> = Vec::new();
        for Field { name, value } in fields {
            if name.first() != Some(&b':') {
                let (name, value) = header(&name, &value)?;
                match headers.iter_mut().find(|(known, _)| &**known == "cookie" && *known == name) {
                    Some((_, crumbs)) => *crumbs = format!("{crumbs}; {value}").into(),
                    None => headers.push((name, value)),
                }
                continue;
            }
            if !headers.is_empty() {
                return Err("a pseudo-header comes after a header");
            }
            let slot = match &*name {
                b":method" => &mut method,
                b":scheme" => &mut scheme,
                b":authority" => &mut authority,
                b":path" => &mut path,
                b":protocol" => &mut protocol,
                _ => return Err("an unknown pseudo-header"),
            };
            if slot.replace(text(&value)?).is_some() {
                return Err("a pseudo-header is there twice");
            }
        }
        let method = method.filter(|method| !method.is_empty()).ok_or("no :method")?;
        if &*method == "CONNECT" && protocol.is_none() {
            // A tunnel (section 4.4): it has an authority and nothing else.
            return match (scheme, path, authority) {
                (None, None, Some(authority)) => {
                    Ok(Self { method, protocol: None, authority, path: "".into(), headers })
                }
                _ => Err("a CONNECT that is neither a tunnel nor extended"),
            };
        }
        if protocol.is_some() && &*method != "CONNECT" {
            return Err(":protocol without CONNECT");
        }
        scheme.ok_or("no :scheme")?;
        let path = path.filter(|path| path.starts_with('/') || &**path == "*").ok_or("no :path")?;
        let host = headers.iter().find(|(name, _)| &**name == "host").map(|(_, value)| value.clone());
        let authority = match (authority, host) {
            (Some(authority), Some(host)) if authority != host => return Err(":authority and host differ"),
            (Some(authority), _) | (None, Some(authority)) => authority,
            (None, None) => return Err("no :authority"),
        };
        Ok(Self { method, protocol, authority, path, headers })
    }
}

/// A header that may be in a request (section 4.2).
fn header(name: &[u8], value: &[u8]) -> Result<(Box<str>, Box<str>), &'static str> {
    let token =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(token) {
        return Err("the name of a header is no lower-case token");
    }
    let of_connections: &[&[u8]] =
        &[b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];
    if of_connections.contains(&name) || (name == b"te" && value != b"trailers") {
        return Err("a header that HTTP/3 does not have");
    }
    Ok((String::from_utf8_lossy(name).into(), text(value)?))
}

/// Bytes that are not UTF-8 are replaced.
fn text(value: &[u8]) -> Result<Box<str>, &'static str> {
    if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        return Err("a value has an end of line in it");
    }
    Ok(String::from_utf8_lossy(value).trim_matches([' ', '\t']).into())
}

/// An answer: its headers, and a sentence for a person if there is one.
pub fn response(status: u16, headers: &[(&str, &str)], text: &str) -> Vec<u8> {
    let status = status.to_string();
    let mut all = vec![(":status", &*status)];
    all.extend_from_slice(headers);
    if !text.is_empty() {
        all.push(("content-type", "text/plain; charset=utf-8"));
    }
    let mut out = Vec::new();
    record::encode(frame::HEADERS, &fields::encode(&all), &mut out);
    if !text.is_empty() {
        record::encode(frame::DATA, format!("{text}\n").as_bytes(), &mut out);
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const CONNECT: &[(&str, &str)] = &[
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "chat.example"),
        (":path", "/wt?token=1"),
        ("origin", "https://chat.example"),
    ];

    fn asked(fields: &[(&str, &str)]) -> Asked {
        Asked::of(fields::decode(&fields::encode(fields))).unwrap()
    }

    fn malformed(edit: impl FnOnce(&mut Vec<(&'static str, &'static str)>)) -> &'static str {
        let mut fields = CONNECT.to_vec();
        edit(&mut fields);
        match asked(&fields) {
            Asked::Malformed(why) => why,
            other => panic!("{fields:?}: {other:?}"),
        }
    }

    #[test]
    fn a_request_is_read() {
        let mut fields = CONNECT.to_vec();
        fields.extend([("cookie", "a=1"), ("x-n", " 2 "), ("cookie", "b=2")]);
        let Asked::For(request) = asked(&fields) else { panic!() };
        assert!(request.is_webtransport());
        assert_eq!((&*request.path, &*request.authority), ("/wt?token=1", "chat.example"));
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(headers, [("origin", "https://chat.example"), ("cookie", "a=1; b=2"), ("x-n", "2")]);
        assert_eq!(request.all("origin").count(), 1);
    }

    #[test]
    fn what_is_no_request_says_why() {
        for (edit, why) in [
            ((":path", "/"), "a pseudo-header comes after a header"),
            (("X-Upper", "1"), "the name of a header is no lower-case token"),
            (("", "1"), "the name of a header is no lower-case token"),
            (("connection", "close"), "a header that HTTP/3 does not have"),
            (("te", "gzip"), "a header that HTTP/3 does not have"),
            (("x", "a\r\nb"), "a value has an end of line in it"),
            (("host", "evil.example"), ":authority and host differ"),
        ] {
            assert_eq!(malformed(|fields| fields.push(edit)), why, "{edit:?}");
        }
        for (at, why) in [
            (0, "no :method"),
            (1, "a CONNECT that is neither a tunnel nor extended"),
            (2, "no :scheme"),
            (3, "no :authority"),
            (4, "no :path"),
        ] {
            assert_eq!(malformed(|fields| _ = fields.remove(at)), why);
        }
        assert_eq!(
            malformed(|fields| fields.insert(0, (":scheme", "https"))),
            "a pseudo-header is there twice"
        );
        assert_eq!(malformed(|fields| fields.insert(0, (":status", "200"))), "an unknown pseudo-header");
        assert_eq!(malformed(|fields| fields[0].1 = "GET"), ":protocol without CONNECT");
    }

    #[test]
    fn too_much_is_told_from_what_is_wrong() {
        let long = "x".repeat(20_000);
        let many: Vec<_> = (0..100).map(|n| (format!("x-{n}"), String::new())).collect();
        let many: Vec<_> = many.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert!(matches!(asked(&[CONNECT, &[("x", &long)]].concat()), Asked::TooLarge));
        assert!(matches!(asked(&[CONNECT, &many].concat()), Asked::TooLarge));
    }

    #[test]
    fn an_answer_has_a_sentence() {
        let answer = response(404, &[("retry-after", "3")], "nothing");
        assert_eq!(answer[0], 1);
        assert!(answer.ends_with(b"\0\x08nothing\n"));
        assert_eq!(response(200, &[], ""), [1, 3, 0, 0, 0xd9]);
    }
}
