//! `/v1/record`: a recording of a listener, from now on until its bounds are reached.

use super::Served;
use super::connections::Leash;
use crate::record::{Recorder, Recording, Scribe, Wanted, header, micros};
use crate::run::Shared;
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header as name};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval};
use weir_core::ListenerId;
use weir_recording::{Pointer, Why};

/// How often it is looked at what is missing, and at whether anybody reads.
const STATUS: Duration = Duration::from_secs(1);
/// The same until all workers show what they do.
const SOON: Duration = Duration::from_millis(5);
/// Bytes of lines that are sent at once.
const BATCH: usize = 256 << 10;

pub(super) async fn record(
    State(admin): State<Arc<Served>>,
    Extension(leash): Extension<Arc<Leash>>,
    RawQuery(query): RawQuery,
) -> Response {
    let shared = &admin.shared;
    let wanted =
        Wanted::parse(query.as_deref().unwrap_or_default()).and_then(|wanted| restrict(wanted, shared));
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return (StatusCode::BAD_REQUEST, error + "\n").into_response(),
    };
    let Some(at) = shared.listener_names.iter().position(|name| *name == wanted.listener) else {
        let names = shared.listener_names.join(", ");
        let error = format!("listener: there is no {}; there are {names}\n", wanted.listener);
        return (StatusCode::BAD_REQUEST, error).into_response();
    };
    let listener = ListenerId(at as u16);
    let Some(recording) = Recorder::attach(&shared.views, listener, &wanted) else {
        let most = crate::tap::MAX_VIEWERS;
        let error = format!("{most} look on already; end one of them\n");
        return (StatusCode::SERVICE_UNAVAILABLE, error).into_response();
    };
    leash.lengthen();
    let stream = Stream {
        recording,
        scribe: None,
        full: None,
        until: Box::pin(tokio::time::sleep(wanted.time)),
        wanted,
        listener,
        shared: shared.clone(),
        leash,
        status: interval(SOON),
        ended: false,
    };
    let kind = [(name::CONTENT_TYPE, "application/x-ndjson"), (name::CACHE_CONTROL, "no-store")];
    (kind, Body::new(stream)).into_response()
}

/// What the operator hides from everybody is not recorded either.
fn restrict(mut wanted: Wanted, shared: &Shared) -> Result<Wanted, String> {
    wanted.redaction.payloads &= !shared.redaction.all;
    for tokens in &shared.redaction.pointers {
        let pointer = Pointer::of(tokens).map_err(|error| format!("tap.redact: {error}"))?;
        if !wanted.redaction.pointers.contains(&pointer) {
            wanted.redaction.pointers.push(pointer);
        }
    }
    Ok(wanted)
}

/// The body of the answer.
struct Stream {
    recording: Recording,
    /// Once all workers show what they do.
    scribe: Option<Scribe>,
    full: Option<Why>,
    until: Pin<Box<Sleep>>,
    wanted: Wanted,
    listener: ListenerId,
    shared: Arc<Shared>,
    leash: Arc<Leash>,
    status: Interval,
    ended: bool,
}

impl Stream {
    fn begin(&mut self) {
        let zero = micros(self.shared.began);
        let now = micros(SystemTime::now());
        let header = header(&self.shared, self.listener, now, self.wanted.redaction.clone());
        let transport = self.shared.snapshot.load().listeners[self.listener.index()].transport.as_str();
        let (scribe, full) = Scribe::begin(header, self.wanted.bounds, zero, transport);
        (self.scribe, self.full) = (Some(scribe), full);
        self.until.as_mut().reset(Instant::now() + self.wanted.time);
        self.status = interval(STATUS);
        self.status.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.status.reset();
    }

    /// Takes what has come, until there is enough to be sent.
    fn take(&mut self, cx: &mut Context<'_>) -> Vec<u8> {
        let Some(scribe) = &mut self.scribe else { return Vec::new() };
        let mut text = Vec::new();
        while self.full.is_none() && text.len() < BATCH {
            let Poll::Ready(Some(event)) = self.recording.poll(cx) else { break };
            self.full = scribe.take(event);
            text.append(&mut scribe.written());
        }
        text
    }
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let stream = self.get_mut();
        if stream.ended {
            return Poll::Ready(None);
        }
        stream.leash.moved();
        let mut ticked = false;
        // Until there is none: the next one then wakes the stream.
        while stream.status.poll_tick(cx).is_ready() {
            ticked = true;
            if stream.scribe.is_none() && stream.shared.views.are_attended(stream.shared.stats.len()) {
                stream.begin();
            }
        }
        let mut text = stream.take(cx);
        let over = stream.scribe.is_some() && stream.until.as_mut().poll(cx).is_ready();
        let now = || micros(SystemTime::now());
        let lost = stream.recording.lost();
        if let Some(scribe) = &mut stream.scribe
            && stream.full.is_none()
            && (ticked || over)
        {
            stream.full = scribe.gap(now(), lost);
        }
        // What came before the time was over is in it.
        let drained = text.len() < BATCH;
        let why = stream.full.or((over && drained).then_some(Why::Time));
        if let Some(why) = why
            && let Some(scribe) = stream.scribe.take()
        {
            stream.ended = true;
            text.append(&mut scribe.end(now(), why, lost));
        } else if let Some(scribe) = &mut stream.scribe {
            text.append(&mut scribe.written());
        }
        if text.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}
