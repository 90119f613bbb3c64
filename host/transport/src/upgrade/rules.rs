//! What a request must be to become a WebSocket (RFC 6455, section 4.2.1).

use super::origin::Origins;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode, Version};
use weir_codec::session::SUBPROTOCOL;
use weir_codec::websocket::{self, deflate};

/// One listener's.
#[derive(Debug)]
pub(crate) struct Rules {
    path: Box<str>,
    origins: Origins,
    subprotocols: Box<[Box<str>]>,
    /// Whether offers of compression are looked at.
    deflate: bool,
    /// Whether to agree to sessions that can be resumed.
    resumable: bool,
}

/// What the answer says.
#[derive(Debug)]
pub(super) struct Agreement {
    pub(super) accept: HeaderValue,
    pub(super) subprotocol: Option<HeaderValue>,
    /// The client is going to say hello.
    pub(super) hello: bool,
    pub(super) deflate: Option<deflate::Agreement>,
}

/// Why not, for a person.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: &'static str,
    pub(super) headers: &'static [(HeaderName, &'static str)],
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, headers: &[] }
    }
}

const NO_SUCH_PATH: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "Nothing is here. The WebSocket of this listener has another path.");
const NOT_GET: Refusal = Refusal {
    status: StatusCode::METHOD_NOT_ALLOWED,
    text: "This is a WebSocket: it is opened with GET.",
    headers: &[(header::ALLOW, "GET")],
};
const NOT_UPGRADE: Refusal = Refusal {
    status: StatusCode::UPGRADE_REQUIRED,
    text: "This is a WebSocket of a Weir gateway. Open it with a WebSocket client: new WebSocket(url) in a browser, or \
           `weir send ws://HOST:PORT/PATH TEXT`.",
    headers: &[(header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_VERSION, "13")],
};
const OTHER_VERSION: Refusal = Refusal {
    status: StatusCode::UPGRADE_REQUIRED,
    text: "Sec-WebSocket-Version must be 13 (RFC 6455).",
    headers: &[(header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_VERSION, "13")],
};
const OLD_HTTP: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "A WebSocket needs HTTP/1.1.");
const NO_HOST: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "The request has no Host, or more than one.");
const BAD_KEY: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be there once: 16 random bytes in base64.");
const HAS_BODY: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "The request for a WebSocket has a body, and must have none.");
pub(super) const WRONG_ORIGIN: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "Pages of this origin may not connect. The listener's `origins` say which may.",
);

impl Rules {
    pub(crate) fn new(
        path: &str,
        origins: Option<&[String]>,
        subprotocols: &[String],
        deflate: bool,
    ) -> Self {
        Self {
            path: path.into(),
            origins: Origins::new(origins),
            subprotocols: subprotocols.iter().map(|name| name.as_str().into()).collect(),
            deflate,
            resumable: false,
        }
    }

    pub(crate) fn resumable(mut self, resumable: bool) -> Self {
        self.resumable = resumable;
        self
    }

    /// Agrees, or says why not.
    pub(super) fn judge<B>(&self, request: &Request<B>) -> Result<Agreement, Refusal> {
        let headers = request.headers();
        if !self.is_path(request.uri().path()) {
            return Err(NO_SUCH_PATH);
        }
        if request.method() != Method::GET {
            return Err(NOT_GET);
        }
        if !has_token(headers, &header::UPGRADE, "websocket")
            || !has_token(headers, &header::CONNECTION, "upgrade")
        {
            return Err(NOT_UPGRADE);
        }
        if request.version() != Version::HTTP_11 {
            return Err(OLD_HTTP);
        }
        // Where it ends, and the WebSocket begins, would depend on how it was read.
        if headers.contains_key(header::TRANSFER_ENCODING)
            || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0")
        {
            return Err(HAS_BODY);
        }
        let host = once(headers, &header::HOST).and_then(|host| host.to_str().ok()).ok_or(NO_HOST)?;
        if once(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(OTHER_VERSION);
        }
        let key = once(headers, &header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
        let key = key.filter(|key| websocket::is_key(key)).ok_or(BAD_KEY)?;
        if !self.allows_origin(headers, host) {
            return Err(WRONG_ORIGIN);
        }
        let accept = HeaderValue::try_from(websocket::accept_key(key)).map_err(|_| BAD_KEY)?;
        let hello = self.resumable
            && tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL).any(|wanted| wanted == SUBPROTOCOL);
        let subprotocol =
            if hello { Some(HeaderValue::from_static(SUBPROTOCOL)) } else { self.subprotocol(headers) };
        Ok(Agreement { accept, subprotocol, hello, deflate: self.deflate(headers) })
    }

    pub(super) fn is_path(&self, path: &str) -> bool {
        path == &*self.path
    }

    /// A client that is no browser sends no origin, and none of somebody else's cookies.
    pub(super) fn allow<'a>(&self, mut origins: impl Iterator<Item = &'a str>, host: &str) -> bool {
        origins.all(|origin| self.origins.allow(origin, host))
    }

    fn allows_origin(&self, headers: &HeaderMap, host: &str) -> bool {
        // What is no text is no page's origin.
        let origins =
            headers.get_all(header::ORIGIN).iter().map(|origin| origin.to_str().unwrap_or_default());
        self.allow(origins, host)
    }

    /// The first that the client wants and the listener has (section 4.2.2: or none, and the client decides).
    fn subprotocol(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let wanted = tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL)
            .find(|wanted| self.subprotocols.iter().any(|known| **known == **wanted))?;
        HeaderValue::from_str(wanted).ok()
    }

    /// The first offer of compression that can be kept to.
    fn deflate(&self, headers: &HeaderMap) -> Option<deflate::Agreement> {
        let offers = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
        deflate::accept(offers.filter_map(|offer| offer.to_str().ok())).filter(|_| self.deflate)
    }
}

fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("host", "chat.example"),
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn judge(target: &str, edit: &[(&str, Option<&str>)]) -> Result<Agreement, Refusal> {
        judge_with(false, target, edit)
    }

    fn judge_with(deflate: bool, target: &str, edit: &[(&str, Option<&str>)]) -> Result<Agreement, Refusal> {
        let mut request = Request::get(target).body(()).unwrap();
        let headers = request.headers_mut();
        for (name, value) in GOOD {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        for (name, value) in edit {
            let name = HeaderName::try_from(*name).unwrap();
            match value {
                Some(value) => _ = headers.insert(name, HeaderValue::from_str(value).unwrap()),
                None => _ = headers.remove(name),
            }
        }
        Rules::new("/ws", None, &["v2".into(), "v1".into()], deflate).judge(&request)
    }

    #[test]
    fn a_good_request_is_accepted_as_in_the_rfc() {
        let agreement = judge("/ws?token=1", &[]).unwrap();
        assert_eq!(agreement.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(agreement.subprotocol, None);
    }

    #[test]
    fn a_request_with_a_body_is_refused() {
        for (name, value) in [("content-length", "3"), ("transfer-encoding", "chunked")] {
            assert_eq!(judge("/ws", &[(name, Some(value))]).unwrap_err(), HAS_BODY, "{name}");
        }
        judge("/ws", &[("content-length", Some("0"))]).unwrap();
    }

    #[test]
    fn the_clients_first_wish_that_the_listener_has_is_granted() {
        let chosen = |wish| judge("/ws", &[("sec-websocket-protocol", Some(wish))]).unwrap().subprotocol;
        assert_eq!(chosen("v9, v1 ,v2").unwrap(), "v1");
        assert_eq!(chosen("v9"), None);
    }

    #[test]
    fn a_client_that_wants_a_session_to_resume_gets_it_where_there_are_such() {
        let chosen = |resumable: bool, wish: &'static str| {
            let mut request = Request::get("/ws").body(()).unwrap();
            for (name, value) in GOOD {
                request.headers_mut().insert(*name, HeaderValue::from_static(value));
            }
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(wish));
            let rules = Rules::new("/ws", None, &["chat".into()], false).resumable(resumable);
            let Agreement { subprotocol, hello, .. } = rules.judge(&request).unwrap();
            (subprotocol.unwrap().to_str().unwrap().to_owned(), hello)
        };
        assert_eq!(chosen(true, "chat, weir.v1"), ("weir.v1".to_owned(), true));
        assert_eq!(chosen(true, "chat"), ("chat".to_owned(), false));
        assert_eq!(chosen(false, "chat, weir.v1"), ("chat".to_owned(), false));
    }

    #[test]
    fn compression_is_agreed_to_where_the_listener_has_it() {
        for (deflate, offer, agreed) in [
            (true, "permessage-deflate; client_max_window_bits", true),
            (true, "permessage-deflate; server_max_window_bits=8", false),
            (true, "x-webkit-deflate-frame", false),
            (false, "permessage-deflate; client_max_window_bits", false),
        ] {
            let agreement = judge_with(deflate, "/ws", &[("sec-websocket-extensions", Some(offer))]);
            assert_eq!(agreement.unwrap().deflate.is_some(), agreed, "{deflate} {offer}");
        }
    }

    #[test]
    fn what_is_not_a_websocket_request_is_told_so() {
        for (target, name, value, refusal) in [
            ("/", "host", Some("chat.example"), NO_SUCH_PATH),
            ("/ws/", "host", Some("chat.example"), NO_SUCH_PATH),
            ("/ws", "upgrade", None, NOT_UPGRADE),
            ("/ws", "upgrade", Some("h2c"), NOT_UPGRADE),
            ("/ws", "connection", Some("keep-alive"), NOT_UPGRADE),
            ("/ws", "host", None, NO_HOST),
            ("/ws", "sec-websocket-version", Some("8"), OTHER_VERSION),
            ("/ws", "sec-websocket-version", None, OTHER_VERSION),
            ("/ws", "sec-websocket-key", None, BAD_KEY),
            ("/ws", "sec-websocket-key", Some("c2hvcnQ="), BAD_KEY),
            ("/ws", "origin", Some("https://evil.example"), WRONG_ORIGIN),
            ("/ws", "origin", Some("null"), WRONG_ORIGIN),
        ] {
            assert_eq!(judge(target, &[(name, value)]).unwrap_err(), refusal, "{target} {name} {value:?}");
        }
        assert!(judge("/ws", &[("origin", Some("https://chat.example"))]).is_ok());
    }
}
