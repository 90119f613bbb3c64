//! The HTTP side of WebSocket (RFC 6455, section 4.2): hyper reads the request and writes the answer, and lets the stream go. The
//! rules for who may come are those of WebTransport too.

mod connect;
mod origin;
mod rules;
mod unavailable;

pub(crate) use rules::{Refusal, Rules};
pub(crate) use unavailable::Unavailable;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use rules::Agreement;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use weir_codec::websocket::deflate::Window;
use weir_core::CloseReason;

/// Of the whole request head.
const HEAD: usize = 16 * 1024;
const HEADERS: usize = 64;
/// Bytes that a refused client may still send without being cut off before it has read the answer.
const TAIL: usize = 256 * 1024;
/// For how long.
const TAIL_TIME: Duration = Duration::from_secs(1);

/// A stream that speaks WebSocket from here on.
#[derive(Debug)]
pub(crate) struct Upgraded<S> {
    pub(crate) stream: S,
    /// Read behind the request already.
    pub(crate) leftover: Bytes,
    /// See [`Opening::request`](weir_core::Opening::request).
    pub(crate) request: Vec<(Box<str>, Box<str>)>,
    /// For what is sent, where compression is agreed to.
    pub(crate) deflate: Option<Window>,
    /// The client is going to say hello.
    pub(crate) hello: bool,
}

/// Answers the client's request. `closed` is asked when the request is there, and says why it is refused whatever it is.
pub(crate) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    rules: &Rules,
    patience: Duration,
    closed: impl Fn() -> Option<Unavailable>,
) -> Result<Upgraded<S>, CloseReason> {
    let asked = RefCell::new(Asked::Nothing);
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let response = match rules.judge(&request) {
            Ok(_) if let Some(why) = closed() => {
                *asked.borrow_mut() = Asked::InVain(why.reason);
                why.response()
            }
            Ok(agreement) => {
                let deflate = agreement.deflate.map(|deflate| deflate.window);
                let hello = agreement.hello;
                *asked.borrow_mut() = Asked::Upgrade { request: head(&request), deflate, hello };
                agreed(agreement)
            }
            Err(refusal) => {
                *asked.borrow_mut() = Asked::SomethingElse;
                refused(&refusal)
            }
        };
        ready(Ok::<_, Infallible>(response))
    });
    let mut connection = http(patience).serve_connection(TokioIo::new(stream), service);
    // Without shutdown, and without hyper's own upgrades: the stream comes back as it went in, and nothing of hyper stays with it.
    let served = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let (stream, leftover) = {
        let parts = connection.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    };
    let asked = asked.into_inner();
    match (served, asked) {
        (Ok(()), Asked::Upgrade { request, deflate, hello }) => {
            Ok(Upgraded { stream, leftover, request, deflate, hello })
        }
        // Somebody looked whether anyone listens.
        (Ok(()), Asked::Nothing) => Err(CloseReason::Client),
        (Ok(()), Asked::InVain(reason)) => {
            hang_up(stream).await;
            Err(reason)
        }
        (Err(error), _) if error.is_timeout() => Err(CloseReason::UpgradeTimeout),
        (Err(error), Asked::Nothing) if !error.is_parse() => Err(CloseReason::ClientReset),
        _ => {
            hang_up(stream).await;
            Err(CloseReason::Protocol)
        }
    }
}

/// Answers whatever the client asks with why it is not let in.
pub(crate) async fn turn_away<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    patience: Duration,
    why: &Unavailable,
) {
    let service = service_fn(|_: Request<hyper::body::Incoming>| ready(Ok::<_, Infallible>(why.response())));
    let mut connection = http(patience).serve_connection(TokioIo::new(stream), service);
    if poll_fn(|cx| connection.poll_without_shutdown(cx)).await.is_ok() {
        hang_up(connection.into_parts().io.into_inner()).await;
    }
}

fn http(patience: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEAD).max_headers(HEADERS);
    http
}

#[derive(Debug)]
enum Asked {
    Nothing,
    SomethingElse,
    /// It was right, and is refused all the same.
    InVain(CloseReason),
    Upgrade {
        request: Vec<(Box<str>, Box<str>)>,
        deflate: Option<Window>,
        hello: bool,
    },
}

fn agreed(agreement: Agreement) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, agreement.accept);
    if let Some(subprotocol) = agreement.subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    let deflate = agreement.deflate.map(|deflate| header::HeaderValue::try_from(deflate.answer()));
    if let Some(Ok(answer)) = deflate {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    response
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = told(refusal.status, refusal.text);
    for (name, value) in refusal.headers {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// A sentence for a person, and the end of the connection.
fn told(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The request as plugins see it. Bytes of a header that are not UTF-8 are replaced.
fn head<B>(request: &Request<B>) -> Vec<(Box<str>, Box<str>)> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into()));
    std::iter::once((":path".into(), target.into())).chain(headers).collect()
}

/// Ends the connection so that the client can read the answer: what it still sends would otherwise reset it.
async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let tail = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(TAIL as u64), &mut tokio::io::sink()).await
    };
    // However that goes, it is over.
    let _ = tokio::time::timeout(TAIL_TIME, tail).await;
}
