//! Messages for people: one line each.

use serde_json::Value;
use std::fmt::Write as _;

/// Writes lines, with colours on a terminal.
#[derive(Debug)]
pub(super) struct Printer {
    colours: bool,
    lost: Option<Value>,
}

const GREY: &str = "90";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";
const CYAN: &str = "36";

impl Printer {
    pub(super) fn new(colours: bool) -> Self {
        Self { colours, lost: None }
    }

    /// `20:48:17.123456 chat 1000000 in #7 34 B {"a":1} | wordfilter@3 change 12 µs {"a":"***"} | > group:lobby`.
    pub(super) fn message(&self, record: &Value) -> String {
        let time = text(record, "time").split_once('T').map_or("", |(_, time)| time.trim_end_matches('Z'));
        let way = if record["direction"] == "inbound" { "in " } else { "out" };
        let mut line = format!(
            "{} {} {} {way} #{} {} {}",
            self.colour(GREY, time),
            plain(text(record, "listener")),
            self.colour(CYAN, text(record, "session")),
            record["sequence"],
            size(record),
            payload(&record["payload"]),
        );
        for said in record["verdicts"].as_array().into_iter().flatten() {
            let verdict = text(said, "verdict");
            let colour = match verdict {
                "forward" => GREY,
                "change" | "hold" => YELLOW,
                _ => RED,
            };
            let later = if said["released"] == true { " later" } else { "" };
            let _ = write!(line, " | {}@{}{later} ", plain(text(said, "plugin")), said["generation"]);
            let code = said["code"].as_u64().map_or(String::new(), |code| format!(" {code}"));
            let hold = said["hold_ms"].as_u64().map_or(String::new(), |time| format!(" {time} ms"));
            let reason =
                said["reason"].as_str().map_or(String::new(), |reason| format!(" {}", plain(reason)));
            line += &self.colour(colour, &format!("{verdict}{code}{hold}{reason}"));
            if let Some(time) = said["nanoseconds"].as_u64() {
                line += &self.colour(GREY, &format!(" {}", duration(time)));
            }
            if said["payload"].is_object() {
                let _ = write!(line, " {} {}", size(said), payload(&said["payload"]));
            }
            if let Some(to) = said["route"].as_str() {
                let _ = write!(line, " to {}", plain(to));
            }
        }
        line += " > ";
        line += &match text(record, "fate") {
            "routed" => self.colour(GREEN, &plain(text(record, "to"))),
            "dropped" => self.colour(RED, &format!("dropped: {}", plain(text(record, "reason")))),
            fate => self.colour(GREEN, &plain(fate)),
        };
        line
    }

    /// What is missing, if that is news.
    pub(super) fn status(&mut self, status: &Value) -> Option<String> {
        let lost = &status["lost"];
        let known = self.lost.replace(lost.clone());
        let count = |lost: &Value, why: &str| lost[why].as_u64().unwrap_or(0);
        let news: Vec<String> = [
            ("rate", "more a second than --rate"),
            ("buffer", "read too slowly"),
            ("crowded", "too many under way"),
        ]
        .into_iter()
        .filter_map(|(key, why)| {
            let more =
                count(lost, key) - known.as_ref().map_or(0, |known| count(known, key)).min(count(lost, key));
            (more > 0).then(|| format!("{more} not shown: {why}"))
        })
        .collect();
        (!news.is_empty()).then(|| self.colour(YELLOW, &format!("-- {}", news.join("; "))))
    }

    fn colour(&self, code: &str, text: &str) -> String {
        if self.colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What peers and plugins wrote, without what would steer a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Control characters, and those that turn the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn size(value: &Value) -> String {
    format!("{} B", value["size"])
}

fn payload(payload: &Value) -> String {
    if let Some(why) = payload["withheld"].as_str() {
        return format!("({why})");
    }
    let more = if payload["cut"] == true { "…" } else { "" };
    if let Some(base64) = payload["base64"].as_str() {
        return format!("base64:{base64}{more}");
    }
    let mut shown = String::new();
    for c in text(payload, "text").chars() {
        match c {
            '\n' => shown += "\\n",
            '\r' => shown += "\\r",
            '\t' => shown += "\\t",
            c if steers(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", c as u32);
            }
            c => shown.push(c),
        }
    }
    format!("{shown}{more}")
}

/// Three digits and a unit.
fn duration(nanoseconds: u64) -> String {
    let number = nanoseconds as f64;
    let (number, unit) = match nanoseconds {
        0..1_000 => (number, "ns"),
        1_000..1_000_000 => (number / 1e3, "µs"),
        1_000_000..1_000_000_000 => (number / 1e6, "ms"),
        _ => (number / 1e9, "s"),
    };
    let digits = usize::from(number < 10.0 && unit != "ns");
    format!("{number:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_a_line() {
        let record = json!({
            "time": "2026-11-21T20:48:17.123456Z", "listener": "chat", "session": "1000000", "direction": "inbound",
            "sequence": 7, "kind": "text", "size": 9, "payload": { "text": "a\n\u{1b}[2Jbc", "cut": true },
            "verdicts": [
                { "plugin": "filter", "generation": 3, "verdict": "change", "nanoseconds": 1234, "size": 2, "payload": { "base64": "//4=" } },
                { "plugin": "route", "generation": 1, "verdict": "change", "nanoseconds": 999, "route": "group:room" },
                { "plugin": "wait", "generation": 1, "verdict": "hold", "hold_ms": 5, "nanoseconds": 12_000_000 },
                { "plugin": "wait", "generation": 1, "verdict": "close", "code": 4000, "reason": "no", "released": true },
            ],
            "fate": "dropped", "reason": "session_rejected",
        });
        assert_eq!(
            Printer::new(false).message(&record),
            "20:48:17.123456 chat 1000000 in  #7 9 B a\\n\\u{1b}[2Jbc… | filter@3 change 1.2 µs 2 B base64://4= \
             | route@1 change 999 ns to group:room | wait@1 hold 5 ms 12 ms | wait@1 later close 4000 no > dropped: session_rejected"
        );
    }

    #[test]
    fn what_is_missing_is_told_once() {
        let mut printer = Printer::new(false);
        let status = |rate: u64, buffer: u64| json!({ "shown": 1, "lost": { "rate": rate, "buffer": buffer, "crowded": 0 } });
        assert_eq!(printer.status(&status(0, 0)), None);
        assert_eq!(printer.status(&status(3, 0)).unwrap(), "-- 3 not shown: more a second than --rate");
        assert_eq!(printer.status(&status(3, 0)), None);
        let both = printer.status(&status(4, 2)).unwrap();
        assert_eq!(both, "-- 1 not shown: more a second than --rate; 2 not shown: read too slowly");
    }
}
