//! From what was seen to lines, without what is to stay secret, and no longer than may be.

use super::recorder::Event;
use crate::replay::convert;
use std::collections::{BTreeMap, HashMap};
use weir_core::{Attributes, Excerpt, Fate, Meeting, Record, SessionId, SessionInfo, Time};
use weir_recording::{
    Answer, Body, Bounds, Close, Gap, Header, Line, Message, Open, Redaction, Tls, Told, Verdict, Why, Writer,
};

/// Writes a recording into memory, from where it is taken piece by piece.
#[derive(Debug)]
pub(crate) struct Scribe {
    writer: Writer<Vec<u8>>,
    redaction: Redaction,
    /// When the time zero of the workers was, in microseconds since 1970.
    zero: u64,
    transport: &'static str,
    /// The sessions that are in the file and open, with their attributes when they opened: as many as the file has room for.
    sessions: HashMap<SessionId, BTreeMap<String, String>>,
    /// What is told of what was lost, by why.
    told: (u64, u64),
    /// What was lost and found no room to be told.
    untold: u64,
}

impl Scribe {
    /// Begins with the first line. `zero`: when the time zero of the workers was, in microseconds since 1970; `transport`: of the
    /// listener. `Some`: there is no room for more.
    pub(crate) fn begin(
        header: Header,
        bounds: Bounds,
        zero: u64,
        transport: &'static str,
    ) -> (Self, Option<Why>) {
        let mut scribe = Self {
            writer: Writer::new(Vec::new(), bounds),
            redaction: header.redaction.clone(),
            zero,
            transport,
            sessions: HashMap::new(),
            told: (0, 0),
            untold: 0,
        };
        let full = scribe.write(Line::Recording(Box::new(header)));
        (scribe, full)
    }

    /// Writes what was seen. `Some`: there is no room for more.
    pub(crate) fn take(&mut self, event: Event) -> Option<Why> {
        match event {
            Event::Opened { at, order, info } => {
                let open = Open {
                    at: self.at(at),
                    worker: info.id.worker().0,
                    order,
                    session: convert::session(info.id),
                    before: false,
                    transport: info.transport.as_str().into(),
                    peer: (*info.peer).into(),
                    tls: info.tls.as_ref().map(convert::tls),
                    request: info
                        .request
                        .iter()
                        .map(|(name, value)| ((**name).into(), (**value).into()))
                        .collect(),
                    attributes: attributes_of(&info),
                };
                self.open(info.id, open)
            }
            Event::Told { session, meeting } => {
                let opening = self.sessions.get(&session)?;
                let verdict = verdict(&meeting, opening, Some(self.at(meeting.time)));
                let told = Told { worker: session.worker().0, session: convert::session(session), verdict };
                self.write(Line::Told(Box::new(told)))
            }
            Event::Message(record) => self.message(&record),
            Event::Ended { at, order, session, said } => {
                self.sessions.remove(&session)?;
                self.write(Line::Close(Close {
                    at: self.at(at),
                    worker: session.worker().0,
                    order,
                    session: convert::session(session),
                    code: said.code,
                    reason: said.reason.into(),
                }))
            }
        }
    }

    /// Tells of what did not fit, where that is news. `lost`: in all, because the reader was slow, and because too much was under way.
    pub(crate) fn gap(&mut self, now: u64, lost: (u64, u64)) -> Option<Why> {
        let news = [(lost.0 - self.told.0, "buffer"), (lost.1 - self.told.1, "open")];
        self.told = lost;
        let mut full = None;
        for (count, why) in news.into_iter().filter(|(count, _)| *count > 0) {
            let why = why.into();
            let written = self.write(Line::Gap(Gap { at: now, lost: count, why }));
            self.untold += if written.is_some() { count } else { 0 };
            full = full.or(written);
        }
        full
    }

    /// What was written since the last time.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.output())
    }

    /// Writes the last line, and gives what was written.
    pub(crate) fn end(self, now: u64, why: Why, lost: (u64, u64)) -> Vec<u8> {
        let news = (lost.0 - self.told.0) + (lost.1 - self.told.1);
        // Memory takes what is written.
        self.writer.end(now, why, news + self.untold).unwrap_or_default()
    }

    fn message(&mut self, record: &Record) -> Option<Why> {
        if !self.sessions.contains_key(&record.session) {
            let seen = record.meetings.iter().find_map(|meeting| meeting.attributes.as_ref());
            let open = self.known_late(record, seen);
            if let Some(full) = self.open(record.session, open) {
                return Some(full);
            }
        }
        let opening = self.sessions.get(&record.session)?;
        let meetings = record.meetings.iter();
        let verdicts = meetings.map(|meeting| {
            let later = (meeting.time > record.time).then(|| self.at(meeting.time));
            verdict(meeting, opening, later)
        });
        let message = Message {
            at: self.at(record.time),
            worker: record.worker.0,
            order: record.order,
            session: convert::session(record.session),
            direction: convert::direction(record.direction),
            sequence: record.sequence,
            kind: convert::kind(record.kind),
            payload: body(&record.payload),
            verdicts: verdicts.collect(),
            fate: match &record.fate {
                Fate::Routed(to) => weir_recording::Fate::Routed(convert::target(to)),
                Fate::Queued => weir_recording::Fate::Queued,
                Fate::Dropped(reason) => weir_recording::Fate::Dropped(reason.label().into()),
            },
        };
        self.write(Line::message(message))
    }

    /// A session that was open before, as far as its attributes tell of it.
    fn known_late(&self, record: &Record, seen: Option<&Attributes>) -> Open {
        let attributes: BTreeMap<String, String> = seen
            .into_iter()
            .flat_map(|seen| seen.iter())
            .map(|(name, value)| ((**name).into(), (**value).into()))
            .collect();
        let word = |name: &str| attributes.get(name).cloned();
        let (sni, alpn) = (word("weir.tls.sni"), word("weir.tls.alpn"));
        let tls = sni.is_some() || alpn.is_some();
        Open {
            at: self.at(record.time),
            worker: record.worker.0,
            order: record.order,
            session: convert::session(record.session),
            before: true,
            transport: word("weir.transport").unwrap_or_else(|| self.transport.into()),
            peer: word("weir.peer").unwrap_or_default(),
            tls: tls.then_some(Tls { sni, alpn, client_subject: None }),
            request: word("weir.path").map(|path| (":path".into(), path)).into_iter().collect(),
            attributes,
        }
    }

    fn open(&mut self, session: SessionId, open: Open) -> Option<Why> {
        self.sessions.insert(session, open.attributes.clone());
        self.write(Line::Open(Box::new(open)))
    }

    fn write(&mut self, mut line: Line) -> Option<Why> {
        self.redaction.clean(&mut line);
        // Memory takes what is written.
        self.writer.write(&line).unwrap_or(Some(Why::Bytes))
    }

    /// In microseconds since 1970.
    fn at(&self, time: Time) -> u64 {
        self.zero.saturating_add(time.0)
    }
}

/// The attributes that the gateway gives a session.
fn attributes_of(info: &SessionInfo) -> BTreeMap<String, String> {
    let tls = info.tls.as_ref();
    let path = info.request.iter().find(|(name, _)| &**name == ":path").map(|(_, path)| &**path);
    let known = [
        ("weir.listener", Some(&*info.listener)),
        ("weir.transport", Some(info.transport.as_str())),
        ("weir.peer", Some(&*info.peer)),
        ("weir.path", path),
        ("weir.tls.sni", tls.and_then(|tls| tls.sni.as_deref())),
        ("weir.tls.alpn", tls.and_then(|tls| tls.alpn.as_deref())),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

fn verdict(meeting: &Meeting, opening: &BTreeMap<String, String>, at: Option<u64>) -> Verdict {
    let answer = match &meeting.answer {
        Ok(verdict) => convert::answer(verdict, meeting.changed.as_ref().map(body)),
        Err(cause) => Answer::Failed { cause: cause.label().into() },
    };
    Verdict {
        plugin: (*meeting.name).into(),
        generation: meeting.generation,
        order: meeting.order,
        at,
        released: meeting.released,
        answer,
        effects: meeting.effects.iter().map(convert::effect).collect(),
        attributes: meeting.attributes.as_ref().map_or_else(BTreeMap::new, |seen| since(opening, seen)),
        ns: meeting.nanoseconds,
    }
}

/// What is other than when the session opened; `None`: gone.
fn since(opening: &BTreeMap<String, String>, seen: &Attributes) -> BTreeMap<String, Option<String>> {
    let mut changed = BTreeMap::new();
    for (name, value) in
        seen.iter().filter(|(name, value)| opening.get(&***name).is_none_or(|was| **was != ***value))
    {
        changed.insert((**name).into(), Some((**value).into()));
    }
    for name in opening.keys().filter(|name| !seen.contains_key(name.as_str())) {
        changed.insert(name.clone(), None);
    }
    changed
}

fn body(excerpt: &Excerpt) -> Body {
    if excerpt.is_whole() { Body::new(excerpt.bytes.to_vec()) } else { Body::left_out(excerpt.size as u64) }
}
