//! What a request must be to become a WebTransport session (draft-ietf-webtrans-http3, section 3).

use super::rules::{Refusal, Rules, WRONG_ORIGIN};
use hyper::{StatusCode, header};
use weir_codec::http3::{self, Request};

const NO_SUCH_PATH: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "Nothing is here. The WebTransport sessions of this listener have another path.",
);
const NOT_CONNECT: Refusal = Refusal {
    status: StatusCode::METHOD_NOT_ALLOWED,
    text: "This is a WebTransport listener of a Weir gateway. Sessions are opened with an extended CONNECT: new WebTransport(url) in \
           a browser.",
    headers: &[(header::ALLOW, "CONNECT")],
};
/// RFC 9220, section 3.
const OTHER_PROTOCOL: Refusal =
    Refusal::new(StatusCode::NOT_IMPLEMENTED, "CONNECT is for `:protocol` = webtransport here.");
const SECOND_SESSION: Refusal = Refusal::new(
    StatusCode::TOO_MANY_REQUESTS,
    "A connection has one session here. Open another connection.",
);

impl Rules {
    /// Agrees, or says why not.
    pub(crate) fn judge_connect(&self, request: &Request) -> Result<(), Refusal> {
        let path = request.path.split_once('?').map_or(&*request.path, |(path, _)| path);
        if &*request.method == "CONNECT" && request.protocol.is_none() {
            return Err(OTHER_PROTOCOL);
        }
        if !self.is_path(path) {
            return Err(NO_SUCH_PATH);
        }
        judge_again(request)?;
        if !self.allow(request.all("origin"), &request.authority) {
            return Err(WRONG_ORIGIN);
        }
        Ok(())
    }
}

impl Refusal {
    /// The answer to whatever is asked for where there is a session already.
    pub(crate) fn of_another(request: &Request) -> Self {
        judge_again(request).err().unwrap_or(SECOND_SESSION)
    }

    /// The answer over HTTP/3.
    pub(crate) fn http3(&self) -> Vec<u8> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        http3::response(self.status.as_u16(), &headers, self.text)
    }
}

fn judge_again(request: &Request) -> Result<(), Refusal> {
    if &*request.method != "CONNECT" {
        return Err(NOT_CONNECT);
    }
    if request.is_webtransport() { Ok(()) } else { Err(OTHER_PROTOCOL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(edit: impl FnOnce(&mut Request)) -> Request {
        let mut request = Request {
            method: "CONNECT".into(),
            protocol: Some("webtransport".into()),
            authority: "chat.example:7443".into(),
            path: "/wt?token=1".into(),
            headers: Vec::new(),
        };
        edit(&mut request);
        request
    }

    fn judge(edit: impl FnOnce(&mut Request)) -> Result<(), Refusal> {
        Rules::new("/wt", None, &[], false).judge_connect(&request(edit))
    }

    fn from(request: &mut Request, origin: &str) {
        request.headers.push(("origin".into(), origin.into()));
    }

    #[test]
    fn the_rules_are_those_of_websockets() {
        assert_eq!(judge(|_| {}), Ok(()));
        assert_eq!(judge(|request| from(request, "https://chat.example:7443")), Ok(()));
        assert_eq!(judge(|request| from(request, "https://evil.example")), Err(WRONG_ORIGIN));
        let both = |request: &mut Request| {
            from(request, "https://evil.example");
            from(request, "https://chat.example:7443");
        };
        assert_eq!(judge(both), Err(WRONG_ORIGIN));
        assert_eq!(judge(|request| request.path = "/".into()), Err(NO_SUCH_PATH));
        assert_eq!(judge(|request| request.path = "/wt/".into()), Err(NO_SUCH_PATH));
        let get = |request: &mut Request| (request.method, request.protocol) = ("GET".into(), None);
        assert_eq!(judge(get), Err(NOT_CONNECT));
        assert_eq!(judge(|request| request.protocol = Some("websocket".into())), Err(OTHER_PROTOCOL));
        assert_eq!(judge(|request| request.protocol = None), Err(OTHER_PROTOCOL));
    }

    #[test]
    fn a_second_session_is_told_from_something_else() {
        assert_eq!(Refusal::of_another(&request(|_| {})), SECOND_SESSION);
        let get = |request: &mut Request| (request.method, request.protocol) = ("GET".into(), None);
        assert_eq!(Refusal::of_another(&request(get)), NOT_CONNECT);
    }
}
