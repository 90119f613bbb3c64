//! The text of cases. `docs/plugin-guide.md` describes it.

use super::{MAX_BYTES, MAX_CASES, MAX_STEPS};
use std::fmt::Write as _;
use weir_core::{Direction, Kind};

/// The cases of a plugin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cases {
    pub(crate) cases: Vec<Case>,
}

/// One case: an instance of its own, and what is done to it one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it is called.
    pub name: Box<str>,
    /// Its config; `Null` when it has none.
    pub(crate) config: serde_json::Value,
    /// What configuring it is to give.
    pub(crate) configured: Expected,
    /// Attributes that its session has at the beginning.
    pub(crate) attributes: Vec<(Box<str>, Box<str>)>,
    /// Of its session's upgrade request.
    pub(crate) headers: Vec<(Box<str>, Box<str>)>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// In the text of the cases, from 1.
    pub(crate) line: usize,
    /// As it is written.
    pub(crate) text: Box<str>,
    pub(crate) action: Action,
    pub(crate) expected: Expected,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Open,
    Message { direction: Direction, kind: Kind, payload: Vec<u8> },
    Timer,
    Close { code: u16, reason: Box<str> },
}

/// The answer and the effects, as they are written; `None`: whatever it is.
pub(crate) type Expected = Option<Vec<Box<str>>>;

/// Why a text is not one of cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct CaseError {
    /// From 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Cases {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let error = |line: usize, message: String| CaseError { line, message };
        if text.len() > MAX_BYTES {
            return Err(error(1, format!("the cases have {} bytes; the most is {MAX_BYTES}", text.len())));
        }
        let mut cases: Vec<Case> = Vec::new();
        let mut steps = 0;
        for (at, written) in text.lines().enumerate() {
            let line = at + 1;
            let fail = |message: String| Err(error(line, message));
            let trimmed = written.trim_end();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let (word, rest) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
            if word == "case" {
                if rest.trim().is_empty() {
                    return fail("a case has a name: `case NAME`".into());
                }
                if cases.len() >= MAX_CASES {
                    return fail(format!("there are more than {MAX_CASES} cases"));
                }
                cases.push(Case::new(rest.trim()));
                continue;
            }
            let Some(case) = cases.last_mut() else {
                return fail("a case begins with its name: `case NAME`".into());
            };
            if let Err(message) = case.take(word, rest, line, trimmed) {
                return fail(message);
            }
            steps += usize::from(case.steps.last().is_some_and(|step| step.line == line));
            if steps > MAX_STEPS {
                return fail(format!("there are more than {MAX_STEPS} steps"));
            }
        }
        Ok(Self { cases })
    }

    /// In their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Case> {
        self.cases.iter()
    }
}

impl Case {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            config: serde_json::Value::Null,
            configured: None,
            attributes: Vec::new(),
            headers: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn take(&mut self, word: &str, rest: &str, line: usize, text: &str) -> Result<(), String> {
        let early = self.steps.is_empty();
        let action = match word {
            "config" | "attribute" | "header" if !early => {
                return Err(format!("`{word}` stands before what is done"));
            }
            "config" => {
                self.config =
                    serde_json::from_str(rest).map_err(|error| format!("the config is not JSON: {error}"))?;
                return Ok(());
            }
            "attribute" | "header" => {
                let (name, value) = rest
                    .split_once(' ')
                    .ok_or_else(|| format!("`{word}` has a name and a value: `{word} NAME VALUE`"))?;
                let list = if word == "header" { &mut self.headers } else { &mut self.attributes };
                list.push((name.into(), value.into()));
                return Ok(());
            }
            "=" | "+" => {
                let expected = match self.steps.last_mut() {
                    Some(step) => &mut step.expected,
                    None => &mut self.configured,
                };
                match (word, expected) {
                    ("=", expected @ None) => *expected = Some(vec![rest.trim_start().into()]),
                    ("+", Some(expected)) => expected.push(rest.trim_start().into()),
                    ("=", Some(_)) => return Err("there is one answer: a second `=`".into()),
                    _ => return Err("effects stand below the answer: `=` before `+`".into()),
                }
                return Ok(());
            }
            "open" if !early => return Err("a session opens before anything else".into()),
            "open" => Action::Open,
            ">" | "<" => {
                let direction = if word == ">" { Direction::Inbound } else { Direction::Outbound };
                let (kind, payload) = payload(rest)?;
                Action::Message { direction, kind, payload }
            }
            "timer" => Action::Timer,
            "end" => {
                let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                let code = code.parse().map_err(|_| "an end has a code: `end 1000 REASON`".to_owned())?;
                Action::Close { code, reason: reason.into() }
            }
            _ => {
                return Err(format!(
                    "`{word}` is none of case, config, attribute, header, open, >, <, timer, end, = and +"
                ));
            }
        };
        self.steps.push(Step { line, text: text.into(), action, expected: None });
        Ok(())
    }
}

/// `hex:0a0b` is binary; everything else is text, with `\n`, `\r`, `\t`, `\\` and `\xHH` for what a line cannot have.
fn payload(written: &str) -> Result<(Kind, Vec<u8>), String> {
    if let Some(digits) = written.strip_prefix("hex:") {
        let digits = digits.as_bytes();
        let pairs =
            digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
        let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<Vec<u8>>>();
        return bytes
            .map(|bytes| (Kind::Binary, bytes))
            .ok_or_else(|| "`hex:` is followed by pairs of digits".into());
    }
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).map_err(|_| "`\\x` is followed by two digits".to_owned())?
            }
            _ => return Err("after `\\` stands n, r, t, \\ or xHH".into()),
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((Kind::Text, text.into_bytes())),
        Err(_) => Err("text is UTF-8: write other bytes as `hex:`".into()),
    }
}

/// The same the other way round.
pub(crate) fn shown(kind: Kind, payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if kind == Kind::Text => {
            let mut shown = String::with_capacity(text.len());
            for letter in text.chars() {
                match letter {
                    '\n' => shown.push_str("\\n"),
                    '\r' => shown.push_str("\\r"),
                    '\t' => shown.push_str("\\t"),
                    '\\' => shown.push_str("\\\\"),
                    control if (control as u32) < 0x20 => {
                        // Writing to a string cannot fail.
                        let _ = write!(shown, "\\x{:02x}", control as u32);
                    }
                    other => shown.push(other),
                }
            }
            shown
        }
        _ => payload.iter().fold("hex:".to_owned(), |shown, byte| shown + &format!("{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_cases() {
        let cases = Cases::parse(
            "# about\n\ncase one\nconfig {\"longest\": 5}\nattribute color dark red\nheader :path /x\nopen\n= accept\n\
             > hello\n= drop too-long\n+ set color red\n< hex:0aff\ntimer\nend 1000 bye\ncase two\n= refused: no\n",
        )
        .unwrap();
        let [one, two] = &cases.cases[..] else { panic!() };
        assert_eq!((&*one.name, &one.config), ("one", &serde_json::json!({"longest": 5})));
        assert_eq!(one.attributes, [("color".into(), "dark red".into())]);
        assert_eq!(one.headers, [(":path".into(), "/x".into())]);
        let actions: Vec<_> = one.steps.iter().map(|step| (step.line, &step.action)).collect();
        let message =
            |direction, kind, payload: &[u8]| Action::Message { direction, kind, payload: payload.to_vec() };
        let expected = [
            (7, Action::Open),
            (9, message(Direction::Inbound, Kind::Text, b"hello")),
            (12, message(Direction::Outbound, Kind::Binary, &[10, 255])),
            (13, Action::Timer),
            (14, Action::Close { code: 1000, reason: "bye".into() }),
        ];
        assert_eq!(actions, expected.iter().map(|(line, action)| (*line, action)).collect::<Vec<_>>());
        assert_eq!(one.steps[1].expected, Some(vec!["drop too-long".into(), "set color red".into()]));
        assert_eq!(one.steps[2].expected, None);
        assert_eq!(two.configured, Some(vec!["refused: no".into()]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, told) in [
            ("> x", 1, "begins with its name"),
            ("case", 1, "has a name"),
            ("case a\nconfig {", 2, "not JSON"),
            ("case a\n> x\nconfig {}", 3, "before what is done"),
            ("case a\n> x\n+ set a b", 3, "`=` before `+`"),
            ("case a\n> x\n= forward\n= forward", 4, "second"),
            ("case a\n> x\nopen", 3, "before anything else"),
            ("case a\n> hex:0", 2, "pairs of digits"),
            ("case a\n> \\y", 2, "after `\\`"),
            ("case a\n> \\xff", 2, "UTF-8"),
            ("case a\nend soon", 2, "has a code"),
            ("case a\nwait 5", 2, "none of case"),
            ("case a\nattribute x", 2, "a name and a value"),
        ] {
            let error = Cases::parse(text).unwrap_err();
            assert!(error.line == line && error.message.contains(told), "{text}: {error}");
        }
        assert!(
            Cases::parse(&"case a\n".repeat(MAX_CASES + 1)).unwrap_err().message.contains("more than 256")
        );
        let long = format!("case a\n{}", "timer\n".repeat(MAX_STEPS + 1));
        assert!(Cases::parse(&long).unwrap_err().message.contains("more than 4096 steps"));
        assert!(Cases::parse(&"#".repeat(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn payloads_are_shown_as_they_are_written() {
        for written in ["plain", "a\\nb\\r\\t\\\\", "\\x01", "ü😀", ""] {
            let (kind, bytes) = payload(written).unwrap();
            assert_eq!(shown(kind, &bytes), written);
        }
        assert_eq!(payload("hex:00ff").unwrap(), (Kind::Binary, vec![0, 255]));
        assert_eq!(shown(Kind::Binary, b"ab"), "hex:6162");
    }
}
