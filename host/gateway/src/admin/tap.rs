//! `/v1/tap`: messages as they pass, one line of JSON each, for as long as somebody reads.

use super::Served;
use super::connections::Leash;
use crate::run::Shared;
use crate::tap::{Client, Feed, Filter, Lines, Query, Redaction};
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};
use weir_config::Pointer;
use weir_core::Depth;

/// The most of a payload that is looked at where values in it are to be hidden: it must be read as a whole.
const WHOLE: usize = 64 << 10;
/// How often the reader learns what is missing; a line without news shows that the stream lives.
const STATUS: Duration = Duration::from_secs(1);
/// The same until the first line.
const SOON: Duration = Duration::from_millis(5);
/// Of these, so many at most pass without a line.
const SILENT: u32 = 10;
/// Bytes of lines that are written at once.
const BATCH: usize = 64 << 10;

pub(super) async fn tap(
    State(admin): State<Arc<Served>>,
    Extension(leash): Extension<Arc<Leash>>,
    RawQuery(query): RawQuery,
) -> Response {
    let refuse = |error: String| (StatusCode::BAD_REQUEST, error + "\n").into_response();
    let shared = &admin.shared;
    let query = match Query::parse(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(error) => return refuse(error),
    };
    let filter = match Filter::new(&query, &shared.listener_names) {
        Ok(filter) => filter,
        Err(error) => return refuse(error),
    };
    let mut asked = Vec::new();
    for text in &query.redact {
        match Pointer::parse(text) {
            Some(pointer) => asked.push(pointer.tokens().to_vec()),
            None => return refuse(format!("redact: {text}: {}", Pointer::HELP)),
        }
    }
    let redaction = shared.redaction.clone().and(asked);
    let depth = if redaction.all {
        0
    } else if redaction.needs_whole() {
        WHOLE
    } else {
        query.payload
    };
    let depth = Depth { payload: depth, ..Depth::default() };
    let Some(feed) = Client::attach(&shared.views, filter, &query, depth) else {
        let most = crate::tap::MAX_VIEWERS;
        let error = format!("{most} look on already; end one of them\n");
        return (StatusCode::SERVICE_UNAVAILABLE, error).into_response();
    };
    leash.lengthen();
    let lines = Lines {
        began: shared.began,
        listeners: shared.listener_names.clone(),
        payload: query.payload,
        redaction,
    };
    let stream = Stream {
        feed,
        lines,
        leash,
        status: interval(SOON),
        begun: Some(shared.clone()),
        silent: SILENT,
        shown: 0,
        told: (0, 0, 0),
    };
    ([(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")], Body::new(stream))
        .into_response()
}

/// The body of the answer.
struct Stream {
    feed: Feed,
    lines: Lines,
    leash: Arc<Leash>,
    status: Interval,
    /// Until all workers show what they do.
    begun: Option<Arc<Shared>>,
    /// Ticks since the last line about the stream itself.
    silent: u32,
    shown: u64,
    /// What was last told of what is lost.
    told: (u64, u64, u64),
}

impl Stream {
    /// What is missing, if that is news or nothing was said for long.
    fn status(&mut self) -> Option<String> {
        if let Some(shared) = &self.begun {
            if !shared.views.are_attended(shared.stats.len()) {
                return None;
            }
            // The first line says that from now on nothing is missed.
            self.begun = None;
            self.status = interval(STATUS);
            self.status.set_missed_tick_behavior(MissedTickBehavior::Delay);
            self.status.reset();
        }
        let lost = &self.feed.lost;
        let [rate, buffer, crowded] =
            [&lost.rate, &lost.buffer, &lost.crowded].map(|count| count.load(Ordering::Relaxed));
        self.silent += 1;
        if self.told == (rate, buffer, crowded) && self.silent < SILENT {
            return None;
        }
        (self.silent, self.told) = (0, (rate, buffer, crowded));
        let lost = json!({ "rate": rate, "buffer": buffer, "crowded": crowded });
        Some(json!({ "tap": { "shown": self.shown, "lost": lost } }).to_string() + "\n")
    }
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    /// Never the end: the reader says when it has enough.
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let stream = self.get_mut();
        stream.leash.moved();
        let mut text = String::new();
        // Until there is none: the next one then wakes the stream.
        while stream.status.poll_tick(cx).is_ready() {
            text.extend(stream.status());
        }
        while text.len() < BATCH {
            let Poll::Ready(Some(record)) = stream.feed.poll(cx) else { break };
            stream.shown += 1;
            text += &stream.lines.of(&record);
            text.push('\n');
        }
        if text.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

impl Redaction {
    /// What the operator hides from everybody.
    pub(crate) fn of(tap: &weir_config::Tap) -> Self {
        let pointers = tap.redact.iter().map(|pointer| pointer.tokens().to_vec()).collect();
        Self { all: tap.hides_payload, pointers }
    }
}
