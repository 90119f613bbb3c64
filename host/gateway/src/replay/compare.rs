//! Whether two versions said the same.

use super::tape::{Event, Step};
use weir_recording::{Answer, Body, Effect, REDACTED, Redaction, Target};

/// What one version said of one step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) effects: Vec<Effect>,
    /// Of a failure, for people.
    pub(super) detail: Option<String>,
    /// How long it took when it was recorded.
    pub(super) nanoseconds: Option<u64>,
    /// What it used when it was replayed.
    pub(super) fuel: Option<u64>,
}

impl Outcome {
    /// The message goes on as if there were no plugin.
    pub(super) fn untouched() -> Self {
        let answer = Answer::Forward { payload: None, to: None };
        Self { answer, effects: Vec::new(), detail: None, nanoseconds: None, fuel: None }
    }
}

/// What is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Another verdict.
    Verdict { from: &'static str, to: &'static str },
    /// The same verdict with another payload.
    Payload,
    /// The same with another target.
    Route,
    /// The same with another reason, code, time or cause.
    Reason,
    /// Other effects.
    Effects,
}

impl Difference {
    /// For the summary.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Verdict { from, to } => format!("{from} → {to}"),
            Self::Payload => "payload".into(),
            Self::Route => "route".into(),
            Self::Reason => "reason".into(),
            Self::Effects => "effects".into(),
        }
    }
}

/// The word for an answer.
pub(super) fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Forward { .. } => "forward",
        Answer::Drop { .. } => "drop",
        Answer::Close { .. } => "close",
        Answer::Hold { .. } => "hold",
        Answer::Failed { .. } => "failed",
    }
}

/// Compares within what the file tells: of what was redacted nothing is different.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) redaction: &'a Redaction,
}

impl Judge<'_> {
    pub(super) fn compare(&self, step: &Step, expected: &Outcome, said: &Outcome) -> Vec<Difference> {
        let payload = match &step.event {
            Event::Message(met) => met.payload.bytes(),
            _ => None,
        };
        let mut differences = self.answers(&expected.answer, &said.answer, payload);
        // What a failed call asked for does not happen.
        let same = expected.effects.len() == said.effects.len()
            && expected.effects.iter().zip(&said.effects).all(|(one, other)| self.same_effect(one, other));
        if !same {
            differences.push(Difference::Effects);
        }
        differences
    }

    fn answers(&self, expected: &Answer, said: &Answer, given: Option<&[u8]>) -> Vec<Difference> {
        let when = |different: bool, difference| if different { vec![difference] } else { Vec::new() };
        match (expected, said) {
            (Answer::Forward { payload: one, to }, Answer::Forward { payload: other, to: now }) => {
                let mut differences =
                    when(!self.same_payload(one.as_ref(), other.as_ref(), given), Difference::Payload);
                if !self.same_target(to.as_ref(), now.as_ref()) {
                    differences.push(Difference::Route);
                }
                differences
            }
            (Answer::Drop { reason: one }, Answer::Drop { reason: other }) => {
                when(!self.same_text(one, other), Difference::Reason)
            }
            (Answer::Close { code, reason }, Answer::Close { code: now, reason: other }) => {
                when(code != now || !self.same_text(reason, other), Difference::Reason)
            }
            (Answer::Hold { milliseconds: one }, Answer::Hold { milliseconds: other }) => {
                when(one != other, Difference::Reason)
            }
            (Answer::Failed { cause: one }, Answer::Failed { cause: other }) => {
                when(one != other, Difference::Reason)
            }
            _ => vec![Difference::Verdict { from: word(expected), to: word(said) }],
        }
    }

    /// What goes on counts: a payload put in place of the same one is none.
    fn same_payload(&self, one: Option<&Body>, other: Option<&Body>, given: Option<&[u8]>) -> bool {
        let goes_on = |body: Option<&Body>| match body {
            Some(body) => {
                let mut body = body.clone();
                self.redaction.body(&mut body);
                body.bytes().map(<[u8]>::to_vec)
            }
            None => given.map(<[u8]>::to_vec),
        };
        match (goes_on(one), goes_on(other)) {
            (Some(one), Some(other)) => one == other,
            // Left out of the file: only that there was one is known.
            _ => one.is_some() == other.is_some(),
        }
    }

    fn same_body(&self, one: &Body, other: &Body) -> bool {
        self.same_payload(Some(one), Some(other), None)
    }

    fn same_target(&self, one: Option<&Target>, other: Option<&Target>) -> bool {
        match (one, other) {
            (Some(Target::Group(one)), Some(Target::Group(other)))
            | (Some(Target::Cluster(one)), Some(Target::Cluster(other))) => self.same_text(one, other),
            _ => one == other,
        }
    }

    fn same_text(&self, one: &str, other: &str) -> bool {
        one == other || self.redaction.hides() && one == REDACTED
    }

    fn same_effect(&self, one: &Effect, other: &Effect) -> bool {
        match (one, other) {
            (
                Effect::Send { to, kind, payload },
                Effect::Send { to: other_to, kind: other_kind, payload: other_payload },
            ) => {
                kind == other_kind
                    && self.same_target(Some(to), Some(other_to))
                    && self.same_body(payload, other_payload)
            }
            (
                Effect::Release { session, direction, sequence, answer },
                Effect::Release { session: of, direction: way, sequence: number, answer: now },
            ) => {
                (session, direction, sequence) == (of, way, number)
                    && self.answers(answer, now, None).is_empty()
            }
            (Effect::Join { session, group }, Effect::Join { session: of, group: other })
            | (Effect::Leave { session, group }, Effect::Leave { session: of, group: other }) => {
                session == of && self.same_text(group, other)
            }
            (
                Effect::Attribute { session, name, value },
                Effect::Attribute { session: of, name: other_name, value: other_value },
            ) => {
                let same = match (value, other_value) {
                    (Some(value), Some(other)) => self.same_text(value, other),
                    _ => value == other_value,
                };
                session == of && name == other_name && same
            }
            _ => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(payload: Option<&str>) -> Answer {
        Answer::Forward { payload: payload.map(|text| Body::new(text.into())), to: None }
    }

    fn differences(redaction: &Redaction, one: &Answer, other: &Answer) -> Vec<Difference> {
        Judge { redaction }.answers(one, other, Some(b"given"))
    }

    #[test]
    fn what_goes_on_counts() {
        let open = Redaction::default();
        assert!(differences(&open, &forward(None), &forward(Some("given"))).is_empty());
        assert_eq!(differences(&open, &forward(None), &forward(Some("other"))), [Difference::Payload]);
        let dropped = Answer::Drop { reason: "spam".into() };
        let verdict = Difference::Verdict { from: "forward", to: "drop" };
        assert_eq!(differences(&open, &forward(None), &dropped), [verdict]);
        let other = Answer::Drop { reason: "ham".into() };
        assert_eq!(differences(&open, &dropped, &other), [Difference::Reason]);
        let elsewhere = Answer::Forward { payload: None, to: Some(Target::Echo) };
        assert_eq!(differences(&open, &forward(None), &elsewhere), [Difference::Route]);
    }

    #[test]
    fn of_what_was_redacted_nothing_is_different() {
        let hiding = Redaction { pointers: vec!["/password".parse().unwrap()], ..Redaction::default() };
        let recorded = forward(Some(r#"{"password":"[redacted]","n":1}"#));
        assert!(differences(&hiding, &recorded, &forward(Some(r#"{"password":"x","n":1}"#))).is_empty());
        assert_eq!(
            differences(&hiding, &recorded, &forward(Some(r#"{"password":"x","n":2}"#))),
            [Difference::Payload]
        );
        let left_out = Answer::Forward { payload: Some(Body::left_out(9)), to: None };
        assert!(differences(&hiding, &left_out, &forward(Some("anything"))).is_empty());
        assert_eq!(differences(&hiding, &left_out, &forward(None)), [Difference::Payload]);
        let said = |reason: &str| Answer::Drop { reason: reason.into() };
        assert!(differences(&hiding, &said(REDACTED), &said("hunter2")).is_empty());
        assert_eq!(differences(&Redaction::default(), &said(REDACTED), &said("x")), [Difference::Reason]);
    }
}
