//! What is printed: text for people, or a JSON object a line.

use super::compare::{Difference, Outcome};
use super::excerpt::{beginning, excerpts};
use super::settings::{Bound, Place};
use super::stage::Stage;
use super::summary::{Spread, Summary};
use super::tape::{Event, Step, Tape};
use crate::cli::Replay;
use serde_json::{Value, json};
use std::io::{self, Write};
use weir_plugin::Generation;
use weir_recording::{Answer, Direction, Effect, Target};

/// Prints to somewhere.
pub(super) struct Show<'a> {
    out: &'a mut dyn Write,
    json: bool,
    /// Differences that are shown to people; the rest is counted. JSON has them all.
    most: u64,
    shown: u64,
}

/// What is said first.
pub(super) struct Heading<'a> {
    pub(super) options: &'a Replay,
    pub(super) tape: &'a Tape,
    pub(super) bound: &'a Bound,
}

impl<'a> Show<'a> {
    pub(super) fn new(out: &'a mut dyn Write, json: bool, most: u64) -> Self {
        Self { out, json, most, shown: 0 }
    }

    pub(super) fn begin(
        &mut self,
        heading: &Heading<'_>,
        new: &Stage,
        old: Option<&Stage>,
    ) -> io::Result<()> {
        let Heading { options, tape, bound } = heading;
        let header = &tape.header;
        let seconds = tape.last.saturating_sub(header.began) as f64 / 1e6;
        let recorded = match &bound.place {
            Place::Of(plugin) => Some(plugin),
            Place::Added => None,
        };
        if self.json {
            let generation = |generation: &Generation| {
                json!({
                    "name": generation.manifest().name,
                    "version": generation.manifest().version,
                    "sha256": generation.digest().to_string(),
                })
            };
            return self.line(&json!({
                "type": "replay",
                "file": options.file.display().to_string(),
                "listener": header.listener,
                "began": header.began,
                "seconds": seconds,
                "messages": tape.messages,
                "sessions": tape.sessions,
                "binding": recorded.map(|plugin| &plugin.name),
                "recorded_sha256": recorded.map(|plugin| &plugin.sha256),
                "against": old.map(|old| generation(old.generation())),
                "new": generation(new.generation()),
                "notes": tape.notes(),
            }));
        }
        writeln!(
            self.out,
            "{}: listener \"{}\", {}, {} of {}, {seconds:.3} s",
            options.file.display(),
            header.listener,
            utc(header.began),
            count(tape.messages, "message"),
            count(tape.sessions, "session"),
        )?;
        match (old, recorded) {
            (Some(old), _) => writeln!(self.out, "  before  {}", about(old.generation()))?,
            (None, Some(plugin)) => {
                let generations: Vec<_> = tape.generations.iter().map(u64::to_string).collect();
                let generations = if generations.is_empty() {
                    "no verdict".into()
                } else {
                    format!("generation {}", generations.join(", "))
                };
                writeln!(
                    self.out,
                    "  before  as recorded: \"{}\", {generations}, sha256 {}",
                    plugin.name,
                    short(&plugin.sha256)
                )?;
            }
            (None, None) => writeln!(self.out, "  before  nothing like it in the chain")?,
        }
        writeln!(self.out, "  now     {}", about(new.generation()))?;
        for note in tape.notes() {
            writeln!(self.out, "  note    {note}")?;
        }
        Ok(())
    }

    pub(super) fn difference(
        &mut self,
        tape: &Tape,
        step: &Step,
        expected: &Outcome,
        said: &Outcome,
        differences: &[Difference],
    ) -> io::Result<()> {
        self.shown += 1;
        if self.json {
            let labels: Vec<_> = differences.iter().map(Difference::label).collect();
            let mut line = json!({
                "type": "difference",
                "at": step.at,
                "session": step.session,
                "call": function(step),
                "kinds": labels,
                "before": outcome(expected),
                "now": outcome(said),
            });
            if let Event::Message(met) = &step.event {
                line["direction"] = json!(met.direction);
                line["sequence"] = json!(met.sequence);
                line["payload"] = json!(met.payload);
            }
            return self.line(&line);
        }
        if self.shown > self.most {
            return Ok(());
        }
        let since = step.at.saturating_sub(tape.header.began) as f64 / 1e6;
        let what = match &step.event {
            Event::Message(met) => format!("{} message {}", way(met.direction), met.sequence),
            _ => function(step).to_owned(),
        };
        writeln!(self.out, "\n+{since:.3} s, session {}, {what}", step.session)?;
        writeln!(self.out, "  before  {}", sentence(expected))?;
        writeln!(self.out, "  now     {}", sentence(said))?;
        let given = match &step.event {
            Event::Message(met) => met.payload.bytes(),
            _ => None,
        };
        let goes_on = |outcome: &Outcome| match &outcome.answer {
            Answer::Forward { payload: Some(payload), .. } => payload.bytes().map(<[u8]>::to_vec),
            Answer::Forward { payload: None, .. } => given.map(<[u8]>::to_vec),
            _ => None,
        };
        if differences.contains(&Difference::Payload) {
            if let (Some(one), Some(other)) = (goes_on(expected), goes_on(said)) {
                let (one, other) = excerpts(&one, &other);
                writeln!(self.out, "        - {one}")?;
                writeln!(self.out, "        + {other}")?;
            }
        } else if let Some(given) = given {
            writeln!(self.out, "  said    {}", beginning(given))?;
        }
        if differences.contains(&Difference::Effects) {
            for effect in expected.effects.iter().filter(|effect| !said.effects.contains(effect)) {
                writeln!(self.out, "        - {}", wish(effect))?;
            }
            for effect in said.effects.iter().filter(|effect| !expected.effects.contains(effect)) {
                writeln!(self.out, "        + {}", wish(effect))?;
            }
        }
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        tape: &Tape,
        summary: &mut Summary,
        new: &Stage,
        old: Option<&Stage>,
    ) -> io::Result<()> {
        let (recorded, fuel, fuel_before) = (summary.recorded(), summary.fuel(), summary.fuel_before());
        if self.json {
            let spread = |spread: Option<Spread>| {
                spread.map(|spread| json!({ "p50": spread.median, "p99": spread.p99, "max": spread.most }))
            };
            let causes = |failures: &std::collections::BTreeMap<String, (u64, String)>| {
                failures
                    .iter()
                    .map(|(cause, (count, first))| (cause.clone(), json!({ "count": count, "first": first })))
                    .collect::<serde_json::Map<_, _>>()
            };
            self.line(&json!({
                "type": "summary",
                "compared": summary.compared,
                "same": summary.compared - summary.different,
                "different": summary.different,
                "kinds": summary.kinds,
                "unjudged": summary.unjudged,
                "left_out": tape.left_out,
                "failures": causes(&summary.failures),
                "failures_before": causes(&summary.failures_before),
                "other_failures": causes(&new.beside_failures),
                "other_failures_before": old.map(|old| causes(&old.beside_failures)),
                "timer_calls": new.timer_calls,
                "instances": new.instances,
                "recorded_ns": spread(recorded),
                "fuel": spread(fuel),
                "fuel_before": spread(fuel_before),
            }))?;
            return self.out.flush();
        }
        if self.shown > self.most {
            writeln!(self.out, "\n… and {} more; --show N shows more, --json all", self.shown - self.most)?;
        }
        writeln!(
            self.out,
            "\n{} compared: {} the same, {} different",
            count(summary.compared, "call"),
            summary.compared - summary.different,
            summary.different
        )?;
        for (kind, number) in &summary.kinds {
            writeln!(self.out, "  {number:>8}  {kind}")?;
        }
        if summary.unjudged > 0 {
            writeln!(
                self.out,
                "  {:>8}  without a verdict to compare with: no instance was there",
                summary.unjudged
            )?;
        }
        for (cause, (number, first)) in summary.failures.iter().chain(&new.beside_failures) {
            writeln!(self.out, "now failed {number} times with {cause}, first: {first}")?;
        }
        for (cause, (number, first)) in &summary.failures_before {
            let first = if first.is_empty() { String::new() } else { format!(", first: {first}") };
            writeln!(self.out, "failed before {number} times with {cause}{first}")?;
        }
        if let Some(Spread { median, p99, most }) = recorded {
            writeln!(
                self.out,
                "a message took when recorded: p50 {median} ns, p99 {p99} ns, at most {most} ns"
            )?;
        }
        if let Some(Spread { median, p99, most }) = fuel_before {
            writeln!(self.out, "fuel for a message before:    p50 {median}, p99 {p99}, at most {most}")?;
        }
        if let Some(Spread { median, p99, most }) = fuel {
            writeln!(self.out, "fuel for a message now:       p50 {median}, p99 {p99}, at most {most}")?;
        }
        self.out.flush()
    }

    fn line(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.out, "{value}")
    }
}

fn about(generation: &Generation) -> String {
    let manifest = generation.manifest();
    format!("{} {}, sha256 {}", manifest.name, manifest.version, short(&generation.digest().to_string()))
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// `1 message`, `2 messages`.
pub(super) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn function(step: &Step) -> &'static str {
    match step.event {
        Event::Open(..) | Event::Told(_) => "on-open",
        Event::Message(_) => "on-message",
        Event::Close { .. } => "on-close",
        Event::Others(_) => "",
    }
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn outcome(outcome: &Outcome) -> Value {
    let mut value = json!(outcome.answer);
    if !outcome.effects.is_empty() {
        value["effects"] = json!(outcome.effects);
    }
    if let Some(detail) = &outcome.detail {
        value["detail"] = json!(detail);
    }
    if let Some(fuel) = outcome.fuel {
        value["fuel"] = json!(fuel);
    }
    if let Some(nanoseconds) = outcome.nanoseconds {
        value["ns"] = json!(nanoseconds);
    }
    value
}

fn sentence(outcome: &Outcome) -> String {
    let mut said = verdict(&outcome.answer);
    if let Some(detail) = &outcome.detail {
        said = format!("{said}: {detail}");
    }
    if !outcome.effects.is_empty() {
        said = format!("{said}, {}", count(outcome.effects.len() as u64, "effect"));
    }
    said
}

fn verdict(answer: &Answer) -> String {
    match answer {
        Answer::Forward { payload, to } => {
            let mut said = String::from("forward");
            if let Some(to) = to {
                said = format!("{said} to {}", place(to));
            }
            if let Some(payload) = payload {
                said = format!("{said}, changed, {} bytes", payload.size());
            }
            said
        }
        Answer::Drop { reason } => format!("drop \"{}\"", reason.escape_debug()),
        Answer::Close { code, reason } => format!("close {code} \"{}\"", reason.escape_debug()),
        Answer::Hold { milliseconds } => format!("hold {milliseconds} ms"),
        Answer::Failed { cause } => format!("failed, {cause}"),
    }
}

fn place(to: &Target) -> String {
    match to {
        Target::Cluster(name) => format!("cluster \"{}\"", name.escape_debug()),
        Target::Group(name) => format!("group \"{}\"", name.escape_debug()),
        Target::Session(session) => format!("session {session}"),
        Target::Echo => "its sender".into(),
    }
}

fn wish(effect: &Effect) -> String {
    match effect {
        Effect::Send { to, payload, .. } => {
            let shown = payload.bytes().map_or_else(|| format!("{} bytes", payload.size()), beginning);
            format!("send to {}: {shown}", place(to))
        }
        Effect::Release { session, direction, sequence, answer } => {
            format!(
                "release {} message {sequence} of session {session}: {}",
                way(*direction),
                verdict(answer)
            )
        }
        Effect::Join { session, group } => format!("session {session} joins \"{}\"", group.escape_debug()),
        Effect::Leave { session, group } => format!("session {session} leaves \"{}\"", group.escape_debug()),
        Effect::Attribute { session, name, value: Some(value) } => {
            format!("session {session}: {} = \"{}\"", name.escape_debug(), value.escape_debug())
        }
        Effect::Attribute { session, name, value: None } => {
            format!("session {session}: {} removed", name.escape_debug())
        }
        Effect::Every { milliseconds } => format!("on-timer every {milliseconds} ms"),
    }
}

/// Microseconds since 1970 as a date and a time. Days to dates after Howard Hinnant, "chrono-compatible low-level date algorithms".
fn utc(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_732_222_097_123_456), "2024-11-21 20:48:17 UTC");
        assert_eq!(utc(4_107_542_399_999_999), "2100-02-28 23:59:59 UTC");
    }
}
