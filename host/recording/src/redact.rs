//! What is not to leave the gateway.

use crate::json;
use crate::{Answer, Body, Effect, Line, Open, Target, Verdict};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What stands in the place of what is not in the file.
pub const REDACTED: &str = "[redacted]";

/// Values that are looked for in what plugins made of a message.
const MAX_SECRETS: usize = 64;
/// A shorter one is anywhere by chance.
const SHORTEST_SECRET: usize = 3;
/// The longest pointer, in tokens.
const MAX_TOKENS: usize = 32;
/// Headers that say who somebody is.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "sec-websocket-protocol"];

/// What is left out of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// Whether payloads are in it.
    pub payloads: bool,
    /// Places in JSON payloads whose values are not. With any, a payload that is no JSON is left out, because nobody can tell what is in
    /// it; and so are values of attributes that plugins set, and what else contains one of the values.
    pub pointers: Vec<Pointer>,
    /// Whether headers that say who somebody is are in it, and the query of the path.
    pub credentials: bool,
    /// Attributes that plugins set and that are in it all the same.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Whether the configuration of the plugins is in it.
    pub config: bool,
}

/// A JSON pointer (RFC 6901), in which `*` stands for every member or element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer {
    text: String,
    tokens: Vec<String>,
}

/// What is no JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no JSON pointer: it begins with / and names members, e.g. /user/email, or /users/*/email")]
pub struct BadPointer(String);

impl TryFrom<String> for Pointer {
    type Error = BadPointer;

    fn try_from(text: String) -> Result<Self, BadPointer> {
        let mut parts = text.split('/');
        let rooted = parts.next() == Some("") && !text.is_empty();
        let tokens: Option<Vec<_>> = parts.map(unescape).collect();
        match tokens {
            Some(tokens) if rooted && tokens.len() <= MAX_TOKENS => Ok(Self { text, tokens }),
            _ => Err(BadPointer(text)),
        }
    }
}

impl Pointer {
    /// From the names on the way.
    pub fn of(tokens: &[String]) -> Result<Self, BadPointer> {
        let escaped = tokens.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1")));
        escaped.collect::<String>().try_into()
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.text
    }
}

impl std::str::FromStr for Pointer {
    type Err = BadPointer;

    fn from_str(text: &str) -> Result<Self, BadPointer> {
        text.to_owned().try_into()
    }
}

/// RFC 6901, section 4.
fn unescape(token: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = token.chars();
    while let Some(next) = rest.next() {
        plain.push(match next {
            '~' => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

impl Default for Redaction {
    /// Everything but credentials.
    fn default() -> Self {
        Self {
            payloads: true,
            pointers: Vec::new(),
            credentials: false,
            attributes: Vec::new(),
            config: true,
        }
    }
}

impl Redaction {
    /// Whether something of what clients say is left out.
    pub fn hides(&self) -> bool {
        !self.payloads || !self.pointers.is_empty()
    }

    /// A payload without what is redacted; without more than its length where that cannot be told.
    pub fn body(&self, body: &mut Body) {
        self.strip(body, &mut Secrets::default());
    }

    /// Takes out of a line what is not to be in the file.
    pub fn clean(&self, line: &mut Line) {
        match line {
            Line::Recording(header) => {
                if !self.config {
                    header.plugins.iter_mut().for_each(|plugin| plugin.config = None);
                }
            }
            Line::Open(open) => self.open(open),
            Line::Told(told) => self.verdict(&mut told.verdict, &mut Secrets::default()),
            Line::Message(message) => {
                let mut secrets = Secrets::default();
                self.strip(&mut message.payload, &mut secrets);
                for verdict in &mut message.verdicts {
                    self.verdict(verdict, &mut secrets);
                }
                if let crate::Fate::Routed(to) = &mut message.fate {
                    secrets.target(to);
                }
            }
            Line::Close(close) => {
                if self.hides() {
                    hide(&mut close.reason);
                }
            }
            Line::Gap(_) | Line::End(_) | Line::Unknown => {}
        }
    }

    fn open(&self, open: &mut Open) {
        if !self.credentials {
            for (name, value) in &mut open.request {
                if name == ":path" {
                    cut_query(value);
                } else if CREDENTIALS.contains(&name.to_ascii_lowercase().as_str()) {
                    hide(value);
                }
            }
            if let Some(path) = open.attributes.get_mut("weir.path") {
                cut_query(path);
            }
        }
        for (name, value) in &mut open.attributes {
            if !self.keeps(name) {
                hide(value);
            }
        }
    }

    fn verdict(&self, verdict: &mut Verdict, secrets: &mut Secrets) {
        self.answer(&mut verdict.answer, secrets);
        for effect in &mut verdict.effects {
            match effect {
                Effect::Send { to, payload, .. } => {
                    secrets.target(to);
                    self.derived(payload, secrets);
                }
                Effect::Release { answer, .. } => self.answer(answer, secrets),
                Effect::Join { group, .. } | Effect::Leave { group, .. } => secrets.scrub(group),
                Effect::Attribute { name, value, .. } => {
                    if let Some(value) = value.as_mut().filter(|_| !self.keeps(name)) {
                        hide(value);
                    }
                }
                Effect::Every { .. } => {}
            }
        }
        self.attributes(&mut verdict.attributes);
    }

    fn attributes(&self, attributes: &mut BTreeMap<String, Option<String>>) {
        for (name, value) in attributes {
            if let Some(value) = value.as_mut().filter(|_| !self.keeps(name)) {
                hide(value);
            }
        }
    }

    /// Whether an attribute is in the file: the gateway's own do not come from payloads.
    fn keeps(&self, name: &str) -> bool {
        !self.hides() || name.starts_with("weir.") || self.attributes.iter().any(|kept| kept == name)
    }

    fn answer(&self, answer: &mut Answer, secrets: &mut Secrets) {
        match answer {
            Answer::Forward { payload, to } => {
                if let Some(payload) = payload {
                    self.derived(payload, secrets);
                }
                if let Some(to) = to {
                    secrets.target(to);
                }
            }
            Answer::Close { reason, .. } if !self.payloads => hide(reason),
            Answer::Drop { reason } | Answer::Close { reason, .. } => secrets.scrub(reason),
            Answer::Hold { .. } | Answer::Failed { .. } => {}
        }
    }

    /// What a plugin made, perhaps of the secrets of a message.
    fn derived(&self, body: &mut Body, secrets: &mut Secrets) {
        self.strip(body, secrets);
        let leaks = body.bytes().is_some_and(|bytes| {
            !self.pointers.is_empty()
                && serde_json::from_slice::<Value>(bytes).map_or(true, |value| secrets.are_in(&value))
        });
        if leaks {
            *body = Body::left_out(body.size());
        }
    }

    fn strip(&self, body: &mut Body, secrets: &mut Secrets) {
        if !self.payloads {
            *body = Body::left_out(body.size());
        }
        let Some(bytes) = body.bytes().filter(|_| !self.pointers.is_empty()) else { return };
        let json =
            std::str::from_utf8(bytes).ok().filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        let Some(json) = json else {
            *body = Body::left_out(body.size());
            return;
        };
        let mut places = Vec::new();
        for pointer in &self.pointers {
            json::places(json, &pointer.tokens, &mut places);
        }
        // Of one inside another the outer comes first.
        places.sort_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
        let mut stripped = String::with_capacity(json.len());
        let mut done = 0;
        for place in places {
            if place.start < done {
                continue;
            }
            secrets.learn(&json[place.clone()]);
            stripped.push_str(&json[done..place.start]);
            stripped.push('"');
            stripped.push_str(REDACTED);
            stripped.push('"');
            done = place.end;
        }
        if done > 0 {
            stripped.push_str(&json[done..]);
            *body = body.with(stripped.into_bytes());
        }
    }
}

/// The values that were redacted in one message.
#[derive(Debug, Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn learn(&mut self, json: &str) {
        if let Ok(value) = serde_json::from_str::<Value>(json) {
            self.learn_value(&value);
        }
    }

    fn learn_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Number(number) => self.add(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.learn_value(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn_value(member)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn add(&mut self, text: &str) {
        if text.len() >= SHORTEST_SECRET && text != REDACTED && self.0.len() < MAX_SECRETS {
            self.0.push(text.to_owned());
        }
    }

    fn is_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.as_str()))
    }

    fn are_in(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in(text),
            Value::Number(number) => self.is_in(&number.to_string()),
            Value::Array(items) => items.iter().any(|item| self.are_in(item)),
            Value::Object(members) => {
                members.iter().any(|(name, member)| self.is_in(name) || self.are_in(member))
            }
            Value::Null | Value::Bool(_) => false,
        }
    }

    fn scrub(&self, text: &mut String) {
        if self.is_in(text) {
            hide(text);
        }
    }

    fn target(&self, to: &mut Target) {
        if let Target::Cluster(name) | Target::Group(name) = to {
            self.scrub(name);
        }
    }
}

fn hide(text: &mut String) {
    if !text.is_empty() {
        REDACTED.clone_into(text);
    }
}

fn cut_query(path: &mut String) {
    if let Some((plain, _)) = path.split_once('?') {
        *path = format!("{plain}?{REDACTED}");
    }
}
