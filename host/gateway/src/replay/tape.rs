//! A recording as one plugin lived through it: the calls of it in the order in which they were made.

use super::compare::Outcome;
use super::show::count;
use std::collections::{BTreeSet, HashSet};
use std::io::BufRead;
use weir_core::Directions;
use weir_recording::{
    Answer, Body, Close, Direction, Effect, End, Header, Kind, Line, Message, Open, ReadError, Reader,
    Session, Told, Verdict,
};

/// What is replayed. It holds the payloads of the file in memory.
#[derive(Debug)]
pub(super) struct Tape {
    pub(super) header: Header,
    /// In the order of the calls.
    pub(super) steps: Vec<Step>,
    /// Messages in the file.
    pub(super) messages: u64,
    /// Messages whose payload is not in the file.
    pub(super) left_out: u64,
    /// Messages that another plugin kept from this one.
    pub(super) not_reached: u64,
    /// Messages for which the recorded version was not called at all, and the new one is.
    pub(super) not_asked: u64,
    pub(super) sessions: u64,
    /// Sessions that were open when the recording began.
    pub(super) sessions_before: u64,
    /// What is missing in the file.
    pub(super) lost: u64,
    /// How it ended; `None`: it was cut short.
    pub(super) end: Option<End>,
    /// The versions that gave the recorded verdicts.
    pub(super) generations: BTreeSet<u64>,
    /// When the last thing in it happened: microseconds since 1970.
    pub(super) last: u64,
}

/// Something that is told a plugin, or that it may see.
#[derive(Debug)]
pub(super) struct Step {
    /// In microseconds since 1970.
    pub(super) at: u64,
    worker: u8,
    order: u64,
    pub(super) session: Session,
    pub(super) event: Event,
}

#[derive(Debug)]
pub(super) enum Event {
    /// A session, and whether the plugin is told of it now.
    Open(Box<Open>, bool),
    /// The plugin is told of a session, with what the recorded version said to it.
    Told(Box<Verdict>),
    Message(Box<Met>),
    /// Groups that other plugins had sessions join or leave.
    Others(Vec<Effect>),
    Close {
        code: u16,
        reason: String,
    },
}

/// A message as the plugin meets it.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) direction: Direction,
    pub(super) sequence: u64,
    pub(super) kind: Kind,
    /// What the plugins before it made of it.
    pub(super) payload: Body,
    /// `None`: it was not called.
    pub(super) verdict: Option<Verdict>,
}

impl Step {
    fn is_from_before(&self) -> bool {
        matches!(&self.event, Event::Open(open, _) if open.before)
    }

    /// What the recording says; `None`: it does not say, or says nothing of the plugin.
    pub(super) fn expected(&self) -> Option<Outcome> {
        match &self.event {
            Event::Told(verdict) => recorded(verdict),
            // As if it were not there.
            Event::Open(_, told) => told.then(Outcome::untouched),
            Event::Message(met) => match &met.verdict {
                Some(verdict) => recorded(verdict),
                // As if it were not there.
                None => Some(Outcome::untouched()),
            },
            Event::Others(_) | Event::Close { .. } => None,
        }
    }
}

fn recorded(verdict: &Verdict) -> Option<Outcome> {
    // Nobody asked it: its last instance had failed, and the next was not due.
    let unasked = matches!(&verdict.answer, Answer::Failed { cause } if cause == "back_off");
    (!unasked).then(|| Outcome {
        answer: verdict.answer.clone(),
        effects: verdict.effects.clone(),
        detail: None,
        nanoseconds: Some(verdict.ns),
        fuel: None,
    })
}

impl Tape {
    /// Reads the rest of a file. `binding`: in whose place the new version stands, which wants messages of these directions.
    pub(super) fn load<R: BufRead>(
        header: Header,
        mut reader: Reader<R>,
        binding: Option<&str>,
        wants: Directions,
    ) -> Result<Self, ReadError> {
        let plugin = header.plugins.iter().find(|plugin| Some(plugin.name.as_str()) == binding);
        let asked: BTreeSet<Direction> =
            plugin.map(|plugin| plugin.directions.iter().copied().collect()).unwrap_or_default();
        let mut loading = Loading {
            binding,
            asked,
            wants,
            known: HashSet::new(),
            tape: Self {
                last: header.began,
                header,
                steps: Vec::new(),
                messages: 0,
                left_out: 0,
                not_reached: 0,
                not_asked: 0,
                sessions: 0,
                sessions_before: 0,
                lost: 0,
                end: None,
                generations: BTreeSet::new(),
            },
        };
        while let Some(line) = reader.read()? {
            loading.take(line);
        }
        let mut tape = loading.tape;
        // Those of one worker as they happened; those of several by time. Sessions that were open before are there from the beginning,
        // whichever of their messages the file was first told of.
        tape.steps.sort_by_key(|step| (!step.is_from_before(), step.at, step.worker, step.order));
        if let Some(step) = tape.steps.last() {
            tape.last = tape.last.max(step.at);
        }
        Ok(tape)
    }

    /// Messages whose payload is there.
    pub(super) fn payloads(&self) -> u64 {
        self.messages - self.left_out
    }
}

struct Loading<'a> {
    binding: Option<&'a str>,
    /// Directions for which the recorded version was called.
    asked: BTreeSet<Direction>,
    wants: Directions,
    known: HashSet<Session>,
    tape: Tape,
}

impl Loading<'_> {
    fn take(&mut self, line: Line) {
        match line {
            Line::Open(open) => self.open(*open),
            Line::Told(told) => {
                let Told { worker, session, verdict } = *told;
                let at = verdict.at.unwrap_or_default();
                if Some(verdict.plugin.as_str()) == self.binding {
                    self.tape.generations.insert(verdict.generation);
                    self.add(at, worker, verdict.order, session, Event::Told(Box::new(verdict)));
                } else {
                    self.others(at, worker, session, verdict);
                }
            }
            Line::Message(message) => self.message(*message),
            Line::Close(Close { at, worker, order, session, code, reason })
                if self.known.remove(&session) =>
            {
                self.add(at, worker, order, session, Event::Close { code, reason });
            }
            Line::Gap(gap) => self.tape.lost += gap.lost,
            Line::End(end) => {
                self.tape.last = end.at;
                self.tape.lost = self.tape.lost.max(end.lost);
                self.tape.end = Some(end);
            }
            _ => {}
        }
    }

    fn add(&mut self, at: u64, worker: u8, order: u64, session: Session, event: Event) {
        self.tape.steps.push(Step { at, worker, order, session, event });
    }

    fn open(&mut self, open: Open) {
        let (at, worker, order, session) = (open.at, open.worker, open.order, open.session);
        self.known.insert(session);
        self.tape.sessions += 1;
        self.tape.sessions_before += u64::from(open.before);
        // Where the recorded chain had the plugin, what it was told has a line of its own.
        let told = !open.before && self.binding.is_none();
        self.add(at, worker, order, session, Event::Open(Box::new(open), told));
    }

    fn message(&mut self, message: Message) {
        let Message { at, worker, order, session, direction, sequence, kind, payload, verdicts, .. } =
            message;
        self.tape.messages += 1;
        self.tape.left_out += u64::from(payload.bytes().is_none());
        let asked = self.asked.contains(&direction);
        let wanted = match direction {
            Direction::Inbound => self.wants.inbound,
            Direction::Outbound => self.wants.outbound,
        };
        if !asked && wanted {
            self.tape.not_asked += 1;
            let met = Met { direction, sequence, kind, payload: payload.clone(), verdict: None };
            self.add(at, worker, order, session, Event::Message(Box::new(met)));
        }
        let mut reached = !asked;
        // What the plugins before made of it.
        let mut payload = payload;
        for verdict in verdicts {
            let own = Some(verdict.plugin.as_str()) == self.binding;
            let changed = match &verdict.answer {
                Answer::Forward { payload: Some(payload), .. } => Some(payload.clone()),
                _ => None,
            };
            // The word on a held message is an effect of another call.
            if own && !verdict.released {
                reached = true;
                self.tape.generations.insert(verdict.generation);
                let (at, order, payload) = (verdict.at.unwrap_or(at), verdict.order, payload.clone());
                let step = Met { direction, sequence, kind, payload, verdict: Some(verdict) };
                self.add(at, worker, order, session, Event::Message(Box::new(step)));
            } else if !own {
                self.others(at, worker, session, verdict);
            }
            if let Some(changed) = changed {
                payload = changed;
            }
        }
        self.tape.not_reached += u64::from(!reached);
    }

    /// Groups are seen by all plugins.
    fn others(&mut self, at: u64, worker: u8, session: Session, mut verdict: Verdict) {
        verdict.effects.retain(|effect| matches!(effect, Effect::Join { .. } | Effect::Leave { .. }));
        if !verdict.effects.is_empty() {
            let at = verdict.at.unwrap_or(at);
            self.add(at, worker, verdict.order, session, Event::Others(verdict.effects));
        }
    }
}

impl Tape {
    /// What is told of a file beside its messages, for people.
    pub(super) fn notes(&self) -> Vec<String> {
        let numbers = [
            (self.lost, "record", "missing in the file: messages, openings or ends of sessions"),
            (
                self.sessions_before,
                "session",
                "open when the recording began: no on-open is called, and what the plugin kept of it elsewhere than in attributes is \
                 not known",
            ),
            (self.left_out, "message", "without payload in the file, not replayed"),
            (self.not_reached, "message", "kept from the plugin by others"),
            (self.not_asked, "message", "for which nothing like it was called, compared with forward"),
        ];
        let told = numbers.into_iter().filter(|(number, ..)| *number > 0);
        let mut notes: Vec<_> =
            told.map(|(number, what, which)| format!("{} {which}", count(number, what))).collect();
        if self.end.is_none() {
            notes.push("the file was cut short: what is whole of it is replayed".into());
        }
        if self.header.redaction.hides() {
            notes.push("values are redacted: the plugin sees \"[redacted]\" in their places".into());
        }
        if self.generations.len() > 1 {
            let generations: Vec<_> = self.generations.iter().map(u64::to_string).collect();
            notes.push(format!(
                "the binding changed during the recording: generations {}",
                generations.join(", ")
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A chain of `first`, for inbound messages, and `second`, for both ways.
    fn tape(lines: &[Value], binding: Option<&str>, wants: Directions) -> Tape {
        let plugin = |name: &str, directions: &[&str]| {
            json!({
                "name": name, "generation": 1, "sha256": "", "directions": directions, "on_failure": "closed", "grants": [],
                "limits": {
                    "deadline_us": 1, "setup_deadline_us": 1, "memory": 1, "table_elements": 1, "max_output": 1, "max_effects": 1,
                },
            })
        };
        let mut file = json!({
            "type": "recording", "version": 1, "weir": "0", "began": 100, "monotonic": 0, "listener": "l",
            "plugins": [plugin("first", &["inbound"]), plugin("second", &["inbound", "outbound"])],
            "redaction": { "payloads": true, "pointers": [], "credentials": false, "config": true },
        })
        .to_string();
        for line in lines {
            file.push('\n');
            file.push_str(&line.to_string());
        }
        file.push('\n');
        let (header, reader) = Reader::begin(file.as_bytes()).unwrap();
        Tape::load(header, reader, binding, wants).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "shorter where it is called")]
    fn message(order: u64, direction: &str, text: &str, verdicts: Vec<Value>) -> Value {
        json!({
            "type": "message", "at": 200, "worker": 0, "order": order, "session": "1", "direction": direction, "sequence": order,
            "kind": "text", "payload": { "text": text, "size": text.len() }, "verdicts": verdicts, "fate": "queued",
        })
    }

    #[expect(clippy::needless_pass_by_value, reason = "shorter where it is called")]
    fn verdict(plugin: &str, order: u64, said: Value) -> Value {
        let mut verdict = json!({ "plugin": plugin, "generation": order, "order": order, "ns": 1 });
        verdict.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        verdict
    }

    fn changed(text: &str) -> Value {
        json!({ "verdict": "forward", "payload": { "text": text, "size": text.len() } })
    }

    fn told(tape: &Tape) -> Vec<String> {
        let told = |step: &Step| match &step.event {
            Event::Message(met) => {
                let recorded =
                    step.expected().map_or("unjudged".into(), |expected| format!("{:?}", expected.answer));
                let recorded = recorded.split([' ', '{']).next().unwrap_or_default().to_owned();
                format!("{} {recorded}", String::from_utf8_lossy(met.payload.bytes().unwrap_or(b"?")))
            }
            Event::Open(_, now) => format!("open {now}"),
            Event::Told(_) => "told".into(),
            Event::Others(effects) => format!("others {}", effects.len()),
            Event::Close { code, .. } => format!("close {code}"),
        };
        tape.steps.iter().map(told).collect()
    }

    const BOTH: Directions = Directions { inbound: true, outbound: true };
    const INBOUND: Directions = Directions { inbound: true, outbound: false };

    fn lines() -> Vec<Value> {
        let join = json!({
            "verdict": "forward",
            "effects": [{ "effect": "join", "session": "1", "group": "g" }, { "effect": "every", "milliseconds": 10 }],
        });
        let mut told = verdict(
            "second",
            2,
            json!({ "verdict": "forward", "type": "told", "at": 150, "worker": 0, "session": "1" }),
        );
        told["type"] = json!("told");
        let mut later = verdict("second", 20, json!({ "verdict": "forward" }));
        later["at"] = json!(300);
        vec![
            json!({
                "type": "open", "at": 150, "worker": 0, "order": 1, "session": "1", "transport": "tcp", "peer": "p", "attributes": {},
            }),
            told,
            // The echo has met its fate before the message.
            message(
                9,
                "outbound",
                "echo",
                vec![verdict("second", 10, json!({ "verdict": "failed", "cause": "back_off" }))],
            ),
            message(
                3,
                "inbound",
                "a",
                vec![verdict("first", 4, changed("b")), verdict("second", 5, changed("c"))],
            ),
            message(
                11,
                "inbound",
                "held",
                vec![
                    verdict("first", 12, json!({ "verdict": "hold", "milliseconds": 9 })),
                    verdict(
                        "first",
                        13,
                        json!({ "verdict": "forward", "released": true, "payload": { "text": "late", "size": 4 } }),
                    ),
                    later,
                ],
            ),
            message(
                14,
                "inbound",
                "dropped",
                vec![verdict("first", 15, json!({ "verdict": "drop", "reason": "x" }))],
            ),
            message(
                16,
                "inbound",
                "join",
                vec![verdict("first", 17, join), verdict("second", 18, changed("d"))],
            ),
            json!({ "type": "close", "at": 400, "worker": 0, "order": 30, "session": "1", "code": 1000, "reason": "" }),
            json!({ "type": "close", "at": 400, "worker": 0, "order": 31, "session": "2", "code": 1000, "reason": "" }),
        ]
    }

    #[test]
    fn a_plugin_is_told_what_those_before_it_made_of_a_message() {
        let tape = tape(&lines(), Some("second"), BOTH);
        assert_eq!(
            told(&tape),
            [
                "open false",
                "told",
                "b Forward",
                "echo unjudged",
                "others 1",
                "join Forward",
                "late Forward",
                "close 1000"
            ]
        );
        assert_eq!((tape.messages, tape.not_reached, tape.sessions, tape.not_asked), (5, 1, 1, 0));
        assert_eq!(tape.generations.into_iter().collect::<Vec<_>>(), [2, 5, 10, 18, 20]);
        assert!(tape.end.is_none());
    }

    #[test]
    fn a_session_from_before_is_there_from_the_beginning() {
        // What the file tells of it stands before the echo, and the message before both.
        let open = json!({
            "type": "open", "at": 200, "worker": 0, "order": 9, "session": "1", "before": true, "transport": "tcp", "peer": "",
            "attributes": {},
        });
        let said = vec![verdict("second", 4, json!({ "verdict": "forward" }))];
        let lines = [open, message(9, "outbound", "echo", vec![]), message(3, "inbound", "a", said)];
        assert_eq!(told(&tape(&lines, Some("second"), BOTH)), ["open false", "a Forward"]);
    }

    #[test]
    fn the_word_on_a_held_message_is_no_call_of_its_own() {
        let tape = tape(&lines(), Some("first"), INBOUND);
        let told = told(&tape);
        assert_eq!(
            told,
            ["open false", "a Forward", "held Hold", "dropped Drop", "join Forward", "close 1000"]
        );
    }

    #[test]
    fn what_nothing_was_called_for_is_compared_with_nothing() {
        // The recorded version had no interest in what goes out; the new one has.
        let before = tape(&lines(), Some("first"), BOTH);
        assert_eq!(before.not_asked, 1);
        assert!(told(&before).contains(&"echo Forward".to_owned()));
        let added = tape(&lines(), None, INBOUND);
        assert_eq!(
            told(&added).into_iter().filter(|step| !step.starts_with("others")).collect::<Vec<_>>(),
            ["open true", "a Forward", "held Forward", "dropped Forward", "join Forward", "close 1000"]
        );
        assert_eq!((added.not_asked, added.not_reached), (4, 0));
    }
}
