//! A record as a line of JSON.

use super::filter::Sort;
use super::redact::{Redaction, Shown};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime};
use weir_core::{Direction, Excerpt, Fate, Kind, Meeting, Record, Target, Verdict};

/// How records are shown to one reader.
#[derive(Debug)]
pub(crate) struct Lines {
    /// When the time zero of the workers was.
    pub(crate) began: SystemTime,
    /// By listener id.
    pub(crate) listeners: Vec<String>,
    /// Bytes of each payload that are shown.
    pub(crate) payload: usize,
    pub(crate) redaction: Redaction,
}

impl Lines {
    /// Without the end of the line.
    pub(crate) fn of(&self, record: &Record) -> String {
        let time = self.began + Duration::from_micros(record.time.0);
        let mut line = Map::new();
        let mut set = |key: &str, value: Value| line.insert(key.to_owned(), value);
        set("time", humantime::format_rfc3339_micros(time).to_string().into());
        set("worker", record.worker.0.into());
        set("listener", self.listeners.get(record.listener.index()).cloned().into());
        set("session", record.session.to_string().into());
        set("direction", if record.direction == Direction::Inbound { "inbound" } else { "outbound" }.into());
        set("sequence", record.sequence.into());
        set("kind", if record.kind == Kind::Text { "text" } else { "binary" }.into());
        if record.hops > 0 {
            set("hops", record.hops.into());
        }
        set("size", record.payload.size.into());
        set("payload", self.payload(&record.payload));
        set("verdicts", record.meetings.iter().map(|meeting| self.meeting(meeting)).collect());
        match &record.fate {
            Fate::Routed(to) => {
                set("fate", "routed".into());
                set("to", target(to).into());
            }
            Fate::Queued => {
                set("fate", "queued".into());
            }
            Fate::Dropped(reason) => {
                set("fate", "dropped".into());
                set("reason", reason.label().into());
            }
        }
        Value::Object(line).to_string()
    }

    fn meeting(&self, meeting: &Meeting) -> Value {
        let mut said = Map::new();
        let mut set = |key: &str, value: Value| said.insert(key.to_owned(), value);
        set("plugin", (*meeting.name).into());
        set("generation", meeting.generation.into());
        set("verdict", Sort::of(meeting).label().into());
        match &meeting.answer {
            Ok(Verdict::Forward(forwarding)) => {
                if let Some(changed) = &meeting.changed {
                    set("size", changed.size.into());
                    set("payload", self.payload(changed));
                }
                if let Some(to) = &forwarding.route {
                    set("route", target(to).into());
                }
            }
            Ok(Verdict::Drop(reason)) => {
                set("reason", (**reason).into());
            }
            Ok(Verdict::Close(close)) => {
                set("code", close.code.into());
                set("reason", (*close.reason).into());
            }
            Ok(Verdict::Hold(milliseconds)) => {
                set("hold_ms", (*milliseconds).into());
            }
            Err(cause) => {
                set("reason", cause.label().into());
            }
        }
        if meeting.released {
            set("released", true.into());
        } else {
            set("nanoseconds", meeting.nanoseconds.into());
        }
        Value::Object(said)
    }

    fn payload(&self, excerpt: &Excerpt) -> Value {
        let shown = self.redaction.apply(&excerpt.bytes, excerpt.is_whole());
        let (bytes, whole): (&[u8], bool) = match &shown {
            Shown::Withheld(why) => return json!({ "withheld": why }),
            Shown::Plain => (&excerpt.bytes, excerpt.is_whole()),
            Shown::Redacted(text) => (text, true),
        };
        let cut = bytes.len() > self.payload || !whole;
        let bytes = &bytes[..bytes.len().min(self.payload)];
        let mut payload = Map::new();
        match text(bytes, cut) {
            Some(text) => payload.insert("text".to_owned(), text.into()),
            None => payload.insert("base64".to_owned(), STANDARD.encode(bytes).into()),
        };
        if cut {
            payload.insert("cut".to_owned(), true.into());
        }
        Value::Object(payload)
    }
}

/// As text, if it is; what was cut may end within a character, which is left out.
fn text(bytes: &[u8], cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// As routes are written: `cluster:…`, `group:…`, `session:…`, `echo`.
fn target(target: &Target) -> String {
    match target {
        Target::Cluster(name) => format!("cluster:{name}"),
        Target::Group(name) => format!("group:{name}"),
        Target::Session(id) => format!("session:{id}"),
        Target::Echo => "echo".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::{
        BindingId, DropReason, FailureCause, Forwarding, ListenerId, Rejection, SessionId, Time, WorkerId,
    };

    fn excerpt(bytes: &'static [u8], size: usize) -> Excerpt {
        Excerpt { bytes: bytes.into(), size }
    }

    fn meeting(answer: Result<Verdict, FailureCause>, changed: Option<Excerpt>) -> Meeting {
        Meeting {
            binding: BindingId(0),
            name: "p".into(),
            generation: 3,
            time: Time(1_500_000),
            order: 2,
            answer,
            changed,
            nanoseconds: 5,
            released: false,
            effects: Vec::new(),
            attributes: None,
        }
    }

    fn lines(payload: usize) -> Lines {
        Lines {
            began: SystemTime::UNIX_EPOCH,
            listeners: vec!["l".to_owned()],
            payload,
            redaction: Redaction::default(),
        }
    }

    #[test]
    fn a_record_has_all_that_is_known() {
        let to = Target::Group("room".into());
        let forward = |payload| Verdict::Forward(Forwarding { payload, route: Some(to.clone()) });
        let record = Record {
            mark: 0,
            time: Time(1_500_000),
            order: 1,
            worker: WorkerId(1),
            listener: ListenerId(0),
            session: SessionId::from_raw(0x10_0000_0001),
            direction: Direction::Inbound,
            sequence: 7,
            kind: Kind::Text,
            lane: None,
            hops: 0,
            payload: excerpt("aü".as_bytes(), 3),
            meetings: vec![
                meeting(Ok(forward(None)), Some(excerpt(b"\xff\xfe", 2))),
                meeting(Ok(Verdict::Drop("spam".into())), None),
                meeting(Ok(Verdict::Close(Rejection::new(4000, "no"))), None),
                Meeting { released: true, ..meeting(Ok(Verdict::Hold(9)), None) },
                meeting(Err(FailureCause::Trap), None),
            ],
            fate: Fate::Dropped(DropReason::Plugin),
        };
        let line: Value = serde_json::from_str(&lines(2).of(&record)).unwrap();
        assert_eq!(
            line,
            json!({
                "time": "1970-01-01T00:00:01.500000Z", "worker": 1, "listener": "l", "session": "1000000001",
                "direction": "inbound", "sequence": 7, "kind": "text", "size": 3,
                // The second character does not fit.
                "payload": { "text": "a", "cut": true },
                "verdicts": [
                    { "plugin": "p", "generation": 3, "verdict": "change", "size": 2, "payload": { "base64": "//4=" },
                      "route": "group:room", "nanoseconds": 5 },
                    { "plugin": "p", "generation": 3, "verdict": "drop", "reason": "spam", "nanoseconds": 5 },
                    { "plugin": "p", "generation": 3, "verdict": "close", "code": 4000, "reason": "no", "nanoseconds": 5 },
                    { "plugin": "p", "generation": 3, "verdict": "hold", "hold_ms": 9, "released": true },
                    { "plugin": "p", "generation": 3, "verdict": "failed", "reason": "trap", "nanoseconds": 5 },
                ],
                "fate": "dropped", "reason": "plugin",
            })
        );
        let routed = Record { fate: Fate::Routed(to.clone()), hops: 1, ..record };
        let line: Value = serde_json::from_str(&lines(0).of(&routed)).unwrap();
        assert_eq!((&line["to"], &line["hops"]), (&json!("group:room"), &json!(1)));
        assert_eq!(line["payload"], json!({ "text": "", "cut": true }));
    }
}
