//! What of the options cannot be, and what to do about it.

use super::{Groups, LONGEST, Settings};
use crate::options::Options;
use crate::template::{Filling, Template};
use crate::{Error, marker};
use bytes::BytesMut;
use weir_codec::Kind;

pub(super) fn wrong(option: &'static str, problem: impl Into<String>) -> Error {
    Error::Option { option, problem: problem.into() }
}

pub(super) fn numbers(options: &Options) -> Result<(), Error> {
    if !(1..=marker::MOST_CONNECTIONS).contains(&options.connections) {
        return Err(wrong("connections", format!("takes 1 to {}", marker::MOST_CONNECTIONS)));
    }
    if !(1..=1_024).contains(&options.threads) {
        return Err(wrong("threads", "takes 1 to 1024"));
    }
    if options.in_flight > 1_000_000 {
        return Err(wrong("in-flight", "takes 0 to 1000000"));
    }
    for (option, value) in [("rate", options.rate), ("ramp", options.ramp)] {
        if value.is_some_and(|value| !(0.001..=1e9).contains(&value)) {
            return Err(wrong(option, "takes a number a second, from 0.001 to 1000000000"));
        }
    }
    if options.duration.is_zero() {
        return Err(wrong("duration", "must be longer than nothing"));
    }
    if options.timeout.is_zero() {
        return Err(wrong("timeout", "must be longer than nothing"));
    }
    if !(1..=1_000).contains(&options.pairs) {
        return Err(wrong("pairs", "takes 1 to 1000"));
    }
    Ok(())
}

pub(super) fn groups(options: &Options) -> Result<Option<Groups>, Error> {
    let Some(count) = options.groups else { return Ok(None) };
    if count == 0 || options.publishers == 0 {
        return Err(wrong("groups", "needs one group and one publisher at least"));
    }
    let least = u64::from(count) * (u64::from(options.publishers) + 1);
    if u64::from(options.connections) < least {
        let problem = format!(
            "{count} groups with {} publishers and one subscriber each need {least} connections; there are {} (--connections)",
            options.publishers, options.connections
        );
        return Err(wrong("groups", problem));
    }
    Ok(Some(Groups { count, publishers: options.publishers }))
}

pub(super) fn header(header: &str) -> Result<(String, String), Error> {
    let split = header.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    split
        .filter(|(name, value)| {
            !name.is_empty()
                && name.bytes().all(token)
                && !value.bytes().any(|byte| byte < b' ' || byte == 0x7f)
        })
        .map(|(name, value)| (name.into(), value.into()))
        .ok_or_else(|| wrong("header", format!("{header:?} is no \"Name: value\"")))
}

impl Settings {
    /// What cannot be framed, or is no text, is found before anything is sent. Gives the length of the longest message in its frame.
    pub(super) fn longest_frame(&self) -> Result<usize, Error> {
        let payload = self.payloads.longest();
        if self.kind == Kind::Text && std::str::from_utf8(payload).is_err() {
            return Err(wrong("payload", "is no UTF-8, as messages of --text are; leave --text out"));
        }
        let (group, number) = (self.groups.map_or(0, |groups| groups.count - 1), self.connections - 1);
        let filled = |template: &Template| {
            let mut message = Vec::new();
            template.fill(Filling { payload, group, number }, &mut message);
            message
        };
        let publishers = self.publisher_target.as_ref().unwrap_or(&self.target);
        let mut said = vec![("publish", publishers, filled(&self.publish))];
        said.extend(self.hello.as_ref().map(|hello| ("hello", &self.target, filled(hello))));
        let hello = self.hello_publishers.as_ref();
        said.extend(hello.map(|hello| ("hello-publishers", publishers, filled(hello))));
        said.extend(self.answers.iter().map(|(_, answer)| ("answer", &self.target, answer.clone())));
        let mut longest = 0;
        for (option, target, message) in said {
            if message.len() > LONGEST {
                return Err(wrong(option, "makes messages of more than 64 MiB"));
            }
            if self.kind == Kind::Text && std::str::from_utf8(&message).is_err() {
                return Err(wrong(option, "is no UTF-8, as messages of --text are; leave --text out"));
            }
            let mut frame = BytesMut::new();
            self.wire(target).encode(self.kind, &message, [0; 4], &mut frame).map_err(|error| {
                wrong("framing", format!("cannot carry what --{option} makes of this payload: {error}"))
            })?;
            longest = longest.max(frame.len());
        }
        Ok(longest)
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::settings;

    #[test]
    fn what_cannot_be_sent_is_found_before_anything_is() {
        let dir = std::env::temp_dir().join(format!("weir-bench-settings-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            std::fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (lines, binary) = (file("lines", b"{marker}\nand more"), file("binary", b"{marker}\xff"));
        for (words, says) in [
            (&["tcp://127.0.0.1:1", "--framing", "line", "--payload", &lines][..], "--framing"),
            (&["tcp://127.0.0.1:1", "--framing", "line", "--hello", r"a\nb"], "--hello"),
            (&["ws://127.0.0.1:1", "--text", "--payload", &binary], "--payload"),
            (&["ws://127.0.0.1:1", "--text", "--publish", r"\xff{payload}"], "--publish"),
            (&["ws://127.0.0.1:1", "--text", "--answer", r"a=\xff"], "--answer"),
            (&["tcp://127.0.0.1:1", "--framing", "length:u8", "--size", "256"], "--framing"),
        ] {
            let error = settings(words).unwrap_err().to_string();
            assert!(error.contains(says), "{words:?}: {error}");
        }
        settings(&["ws://127.0.0.1:1", "--payload", &binary]).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
