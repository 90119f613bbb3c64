//! The audit log: a line of JSON for every change of a generation, and for every order.

use humantime::format_rfc3339_millis;
use serde_json::{Value, json};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use weir_plugin::{Change, Digest, Generation, Outcome};

/// Who or what led to a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The gateway was started, and found it.
    Start,
    /// A file of the plugin directory came, changed or went.
    File,
    /// The configuration was read again.
    Config,
    /// A trial came to its end, or the time of a replaced generation.
    Trial,
    /// Somebody ordered it.
    Operator(Operator),
}

/// Who gave an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// Where the request came from.
    pub(crate) peer: Arc<str>,
    /// What was said with it.
    pub(crate) note: Option<Box<str>>,
}

/// Where the lines go.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    path: Option<PathBuf>,
    failures: Arc<AtomicU64>,
}

impl Audit {
    /// `None`: nowhere.
    pub(crate) fn to(path: Option<&Path>) -> Self {
        Self { path: path.map(Path::to_owned), failures: Arc::default() }
    }

    /// From now on in another place.
    pub(crate) fn move_to(&mut self, path: Option<&Path>) {
        self.path = path.map(Path::to_owned);
    }

    /// Lines that could not be written.
    pub(crate) fn failures(&self) -> Arc<AtomicU64> {
        self.failures.clone()
    }

    /// Writes what became of a binding, if it is anything. The error is for the answer; it is logged and counted here.
    pub(crate) fn write(&self, outcome: &Outcome, by: &By) -> Result<(), String> {
        let Some(path) = &self.path else { return Ok(()) };
        let Some(line) = line(outcome, by, SystemTime::now()) else { return Ok(()) };
        let written = append(path, &line);
        written.map_err(|error| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            let said = format!("the audit log {} cannot be written: {error}", path.display());
            tracing::error!(
                lost = line.trim_end(),
                "{said}; make room or mend its permissions, or change plugins.audit"
            );
            said
        })
    }
}

/// One write for a line, to the file that has the name now: others may rotate it.
fn append(path: &Path, line: &str) -> io::Result<()> {
    // Opening a pipe would wait for somebody who reads it.
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(io::Error::other("it is no file"));
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())
}

/// The line, with its end. `None`: nothing happened.
fn line(outcome: &Outcome, by: &By, now: SystemTime) -> Option<String> {
    let mut line = Line(Vec::new());
    line.set("time", format_rfc3339_millis(now).to_string());
    let event = match &outcome.change {
        Change::Unchanged => return None,
        Change::Swapped(_) | Change::Restored(_) => "loaded",
        Change::Trying { .. } => "trial",
        Change::Promoted(_) => "promoted",
        Change::TakenBack { .. } => "taken-back",
        Change::Drained(_) => "drained",
        Change::Refused(_) => "refused",
        Change::Missing => "missing",
        Change::Disabled => "disabled",
        Change::Enabled => "enabled",
        Change::RolledBack { .. } => "rolled-back",
        Change::Pinned { .. } => "pinned",
        Change::Unpinned => "unpinned",
        Change::Accepted(_) => "accepted",
        Change::Forgotten => "forgotten",
        _ => "changed",
    };
    line.set("event", event);
    line.set("binding", &*outcome.binding);
    match &outcome.change {
        Change::Swapped(generation) | Change::Promoted(generation) | Change::Drained(generation) => {
            line.about(generation);
        }
        Change::Restored(generation) => {
            line.about(generation);
            line.set("reason", "what is offered is not to serve: what served before the restart does");
        }
        Change::Trying { generation, share, window } => {
            line.about(generation);
            line.set("share", *share);
            line.set("window_ms", window.as_millis() as u64);
        }
        Change::TakenBack { bad, serving, refusal } => {
            line.about(bad);
            line.serving(serving);
            line.set("reason", refusal.to_string());
        }
        Change::RolledBack { bad, serving } => {
            line.about(bad);
            line.serving(serving);
        }
        Change::Pinned { serving, called_off } => {
            line.about(serving);
            if let Some(canary) = called_off {
                line.set("reason", format!("the trial of generation {} is called off", canary.number()));
            }
        }
        Change::Refused(refusal) => {
            if let Some(offered) = &outcome.offered {
                line.digests(offered.file, offered.settings);
            }
            line.set("reason", refusal.to_string());
        }
        Change::Accepted(count) => line.set("count", *count),
        _ => {}
    }
    if let Some(before) = outcome.before {
        line.set("before", json!({ "generation": before.generation, "sha256": before.file }));
    }
    line.by(by);
    Some(line.to_string())
}

/// Members in the order in which people look for them.
struct Line(Vec<(&'static str, Value)>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}\"{key}\":{value}", if at == 0 { '{' } else { ',' })?;
        }
        f.write_str("}\n")
    }
}

impl Line {
    fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.push((key, value.into()));
    }

    /// Which generation it is that something happened to.
    fn about(&mut self, generation: &Generation) {
        self.set("generation", generation.number());
        self.set("version", &*generation.manifest().version);
        self.digests(generation.digest(), generation.settings_digest());
    }

    fn digests(&mut self, file: Digest, settings: Digest) {
        self.set("sha256", file.to_string());
        self.set("settings", settings.to_string());
    }

    fn serving(&mut self, generation: &Generation) {
        self.set("serving", json!({ "generation": generation.number(), "sha256": generation.digest() }));
    }

    fn by(&mut self, by: &By) {
        let word = match by {
            By::Start => "start",
            By::File => "file",
            By::Config => "config",
            By::Trial => "trial",
            By::Operator(_) => "operator",
        };
        self.set("by", word);
        if let By::Operator(Operator { peer, note }) = by {
            self.set("peer", &**peer);
            if let Some(note) = note {
                self.set("note", &**note);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;
    use weir_plugin::{Offered, Refusal, Was};

    fn outcome(change: Change) -> Outcome {
        let before = Some(Was { generation: 3, file: Digest::of(b"x") });
        Outcome { binding: "p".into(), change, before, offered: None }
    }

    fn read(outcome: &Outcome, by: &By) -> Value {
        let line = line(outcome, by, SystemTime::UNIX_EPOCH + Duration::from_millis(1)).unwrap();
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_line_says_what_when_and_by_whom() {
        let note: Option<Box<str>> = Some("too loud\n\"now\"".into());
        let operator = By::Operator(Operator { peer: "127.0.0.1:9".into(), note });
        let digest = Digest::of(b"x").to_string();
        assert_eq!(
            read(&outcome(Change::Disabled), &operator),
            json!({
                "time": "1970-01-01T00:00:00.001Z", "event": "disabled", "binding": "p",
                "before": { "generation": 3, "sha256": digest }, "by": "operator", "peer": "127.0.0.1:9",
                "note": "too loud\n\"now\"",
            })
        );
        let mut refused = outcome(Change::Refused(Refusal::NotWasm));
        refused.offered = Some(Offered { file: Digest::of(b"f"), settings: Digest::of(b"s") });
        let line = read(&refused, &By::Start);
        assert_eq!(line["sha256"], Digest::of(b"f").to_string());
        assert_eq!((&line["event"], &line["by"]), (&json!("refused"), &json!("start")));
        assert!(line["reason"].as_str().unwrap().contains("not WebAssembly"));
        for (change, event) in [
            (Change::Missing, "missing"),
            (Change::Enabled, "enabled"),
            (Change::Unpinned, "unpinned"),
            (Change::Accepted(2), "accepted"),
            (Change::Forgotten, "forgotten"),
        ] {
            assert_eq!(read(&outcome(change), &By::File)["event"], event);
        }
        assert!(line_of_nothing().is_none());
    }

    fn line_of_nothing() -> Option<String> {
        line(&outcome(Change::Unchanged), &By::File, SystemTime::now())
    }

    #[test]
    fn the_file_is_private_and_may_be_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let mut audit = Audit::to(Some(&path));
        audit.write(&outcome(Change::Disabled), &By::File).unwrap();
        audit.write(&outcome(Change::Unchanged), &By::File).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::rename(&path, dir.path().join("audit.1")).unwrap();
        audit.write(&outcome(Change::Enabled), &By::File).unwrap();
        audit.write(&outcome(Change::Disabled), &By::File).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert_eq!(fs::read_to_string(dir.path().join("audit.1")).unwrap().lines().count(), 1);
        audit.move_to(None);
        audit.write(&outcome(Change::Enabled), &By::File).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_said() {
        let dir = tempfile::tempdir().unwrap();
        // A directory is none, and one that is not there is not made.
        for path in [dir.path().to_owned(), dir.path().join("nowhere/audit.jsonl")] {
            let audit = Audit::to(Some(&path));
            let said = audit.write(&outcome(Change::Disabled), &By::File).unwrap_err();
            assert!(said.contains("audit log") && said.contains(&*path.to_string_lossy()), "{said}");
            assert_eq!(audit.failures().load(Ordering::Relaxed), 1);
        }
    }
}
