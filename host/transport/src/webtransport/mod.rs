//! WebTransport over HTTP/3 (draft-ietf-webtrans-http3; RFC 9114, RFC 9220, RFC 9297): one connection is one session. Each stream that
//! the client opens for it is one of its lanes, as on QUIC.

mod answer;
mod http3;
mod link;
mod one_way;
mod session;

use crate::listen::{Admission, Gate};
use crate::quic::{self, Doubt, Goodbyes};
use answer::{Answer, goodbye};
use http3::{Event, Http3};
use link::WebTransport;
use quinn::{Connection, Incoming, VarInt};
use session::Session;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use weir_codec::http3::{Asked, Request, code, response};
use weir_core::{CloseReason, Kind};

/// How long an answer, or a goodbye, may take to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a client that has all that was said may take to end its side: closing the connection is the end of what it has not worked off.
const LINGER: Duration = Duration::from_millis(500);
/// Refused connections of one listener and worker that are being told so at once; more are refused without a word.
const TOLD: usize = 64;

/// Begins the session that a client asks for. Whatever else it asks for is answered, and is its end.
pub(crate) async fn open(
    gate: &Gate,
    connection: Connection,
    kind: Kind,
    admission: Admission,
    goodbyes: Arc<Goodbyes>,
) -> Result<(), CloseReason> {
    let Some(rules) = &gate.listener.rules else { return Err(CloseReason::Protocol) };
    let (mut http3, asked, answer) = match timeout(gate.spec().limits.upgrade_timeout, ask(&connection)).await
    {
        Ok(Ok(asked)) => asked,
        Ok(Err(reason)) => return Err(reason),
        Err(_) => {
            connection.close(code(code::REQUEST_CANCELLED), b"no request came in time");
            return Err(CloseReason::UpgradeTimeout);
        }
    };
    let (response, reason) = match asked {
        Asked::Malformed(why) => (response(400, &[], why), CloseReason::Protocol),
        Asked::TooLarge => (
            response(431, &[], "The request's headers are more than 16 KiB, or than 64."),
            CloseReason::Protocol,
        ),
        Asked::For(request) => match (rules.judge_connect(&request), gate.closed_to()) {
            (Err(refusal), _) => (refusal.http3(), CloseReason::Protocol),
            (Ok(()), Some(reason)) => (gate.unavailable(reason).http3(), reason),
            (Ok(()), None) => {
                let session = accept(&mut http3, answer, &request).await?;
                let ways = WebTransport::new(http3, session);
                return quic::begin(gate, connection, ways, kind, head(request), admission, goodbyes).await;
            }
        },
    };
    answer.send(&response).await;
    let _ = timeout(LINGER, connection.closed()).await;
    goodbye(&connection, "refused");
    Err(reason)
}

/// Lets a connection go that was not admitted, which is counted already. Its client gets an HTTP answer, if that costs little enough.
/// `doubt` begins to count what it gets while it may not be who it says.
pub(crate) fn refuse(
    gate: &Rc<Gate>,
    incoming: Incoming,
    reason: CloseReason,
    doubt: impl FnOnce(&Incoming) -> Option<Doubt>,
) {
    // A handshake is what an overloaded gateway has no time for.
    if reason == CloseReason::Overload || gate.told.get() >= TOLD {
        incoming.refuse();
        return;
    }
    let doubt = doubt(&incoming);
    let Ok(connecting) = incoming.accept() else { return };
    gate.told.set(gate.told.get() + 1);
    let gate = Rc::clone(gate);
    tokio::task::spawn_local(async move {
        let told = async {
            let Ok(connection) = connecting.await else { return };
            // However it goes, it is over.
            if let Ok((_http3, _, answer)) = ask(&connection).await {
                answer.send(&gate.unavailable(reason).http3()).await;
                let _ = timeout(LINGER, connection.closed()).await;
                goodbye(&connection, "refused");
            }
        };
        let _ = timeout(PATIENCE, told).await;
        if let Some(doubt) = doubt {
            doubt.outlast().await;
        }
        gate.told.set(gate.told.get() - 1);
    });
}

/// Waits for the first request.
async fn ask(connection: &Connection) -> Result<(Http3, Asked, Answer), CloseReason> {
    let mut http3 = Http3::begin(connection).await.map_err(|error| quic::reason(&error))?;
    match poll_fn(|cx| http3.poll(cx)).await {
        Event::Request(asked, answer) => Ok((http3, asked, answer)),
        // Without a session there are no streams of one.
        Event::Stream(..) => Err(CloseReason::Protocol),
        Event::Fault(fault) => {
            connection.close(code(fault.code), fault.rule.as_bytes());
            Err(CloseReason::Protocol)
        }
        Event::Lost(error) => Err(quic::reason(&error)),
    }
}

async fn accept(http3: &mut Http3, answer: Answer, request: &Request) -> Result<Session, CloseReason> {
    // The drafts before 07 wanted to be told that they are spoken.
    let old = request.all("sec-webtransport-http3-draft02").next().is_some();
    let headers: &[_] = if old { &[("sec-webtransport-http3-draft", "draft02")] } else { &[] };
    let session = answer.accept(&response(200, headers, "")).await?;
    http3.begin_session(session.id());
    Ok(session)
}

/// The request as plugins see it.
fn head(request: Request) -> Vec<(Box<str>, Box<str>)> {
    let host = request.all("host").next().is_none().then(|| ("host".into(), request.authority.clone()));
    let path = (":path".into(), request.path);
    std::iter::once(path).chain(host).chain(request.headers).collect()
}

/// An error code of HTTP/3. All of ours fit.
fn code(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}
