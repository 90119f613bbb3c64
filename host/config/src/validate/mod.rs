//! From raw to validated. Each check reports and goes on, so that one run finds everything; what is made of a faulty value does not
//! matter, because no configuration comes out once there is an error.

mod address;
mod cluster;
mod framing;
mod general;
mod limits;
mod listener;
mod offload;
mod overload;
mod plugin;
mod rates;
mod resume;
mod rollout;
mod slow;
mod tap;
mod text;
mod when;

use crate::error::ConfigError;
use crate::field::Field;
use crate::source::{Sources, Span};
use crate::value::{Size, Time, similar};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// The most bytes that any message may be allowed to have.
const MAX_MESSAGE: usize = 256 << 20;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// Longer silences are no timeouts.
const DAY: Duration = Duration::from_hours(24);

/// The checks under way: where the text is, and what was found.
pub(crate) struct Check<'a> {
    sources: &'a Sources,
    errors: Vec<ConfigError>,
}

/// Things that must differ, and where each was first met.
#[derive(Default)]
struct Seen(BTreeMap<String, Span>);

impl<'a> Check<'a> {
    pub(crate) fn new(sources: &'a Sources, errors: Vec<ConfigError>) -> Self {
        Self { sources, errors }
    }

    pub(crate) fn into_errors(self) -> Vec<ConfigError> {
        self.errors
    }

    fn blame(&mut self, span: &Span, message: impl Into<String>) {
        self.errors.push(self.sources.error(span, message.into(), None, None, None));
    }

    fn blame_with_help(&mut self, span: &Span, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(self.sources.error(span, message.into(), None, Some(help.into()), None));
    }

    /// The value, if the key is there and is one.
    fn read<'f, T>(&mut self, field: &'f Field<T>, key: &str) -> Option<(&'f T, &'f Span)> {
        let written = field.0.as_ref()?;
        match &written.value {
            Ok(value) => Some((value, &written.span)),
            Err(fault) => {
                let (message, help) = fault.explain(key);
                self.errors.push(self.sources.error(&written.span, message, None, help, None));
                None
            }
        }
    }

    fn read_or<T: Copy>(&mut self, field: &Field<T>, key: &str, default: T) -> T {
        self.read(field, key).map_or(default, |(value, _)| *value)
    }

    /// The items, each with its place; `None` when the key is not there.
    fn list<'f, T>(
        &mut self,
        list: Option<&'f Spanned<Vec<Field<T>>>>,
        key: &str,
    ) -> Option<Vec<(&'f T, &'f Span)>> {
        let items = list?.get_ref();
        Some(items.iter().filter_map(|item| self.read(item, key)).collect())
    }

    fn size(
        &mut self,
        field: &Field<Size>,
        key: &str,
        bounds: RangeInclusive<usize>,
        default: usize,
    ) -> usize {
        let Some((Size(size), span)) = self.read(field, key) else { return default };
        self.within(span, key, *size, &bounds, |bytes| Size(bytes).to_string());
        *size
    }

    fn count(&mut self, field: &Field<u64>, key: &str, bounds: RangeInclusive<u64>, default: u64) -> u64 {
        let Some((count, span)) = self.read(field, key) else { return default };
        self.within(span, key, *count, &bounds, |count| count.to_string());
        *count
    }

    fn time(
        &mut self,
        field: &Field<Time>,
        key: &str,
        bounds: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let Some((Time(time), span)) = self.read(field, key) else { return default };
        self.within(span, key, *time, &bounds, |time| humantime::format_duration(time).to_string());
        *time
    }

    fn within<T: PartialOrd + Copy, S: Display>(
        &mut self,
        span: &Span,
        key: &str,
        value: T,
        bounds: &RangeInclusive<T>,
        show: impl Fn(T) -> S,
    ) {
        if !bounds.contains(&value) {
            let (low, high) = (show(*bounds.start()), show(*bounds.end()));
            self.blame(span, format!("`{key}` must be from {low} to {high}, not {}", show(value)));
        }
    }

    /// A path as its file means it.
    fn path(&mut self, field: &Field<String>, key: &str) -> Option<PathBuf> {
        let (path, span) = self.read(field, key)?;
        if path.is_empty() {
            self.blame(span, format!("`{key}` is empty: it must be a path"));
        }
        Some(self.sources.resolve(span, path))
    }

    /// Reports a key that means nothing where it stands.
    fn belongs(&mut self, span: Option<&Span>, key: &str, to: &str, here: &str) {
        if let Some(span) = span {
            self.blame(span, format!("`{key}` belongs to {to}; this one is {here}"));
        }
    }

    /// Reports a name of something that is not there, with the one that was probably meant, or else `help`.
    fn nowhere<'n>(
        &mut self,
        span: &Span,
        message: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
        help: String,
    ) {
        if let Some(meant) = similar(name, known) {
            self.blame(span, format!("{message}: did you mean \"{meant}\"?"));
        } else {
            self.blame_with_help(span, message, help);
        }
    }

    /// Reports the second of two that must differ, and points at the first.
    fn differ(&mut self, seen: &mut Seen, value: &str, span: &Span, message: impl Into<String>) {
        let Some(first) = seen.0.get(value) else {
            seen.0.insert(value.to_owned(), span.clone());
            return;
        };
        let help = format!("the first is at {}", self.sources.position(first));
        let label = Some("again here".to_owned());
        let also = Some((first, "first here"));
        self.errors.push(self.sources.error(span, message.into(), label, Some(help), also));
    }
}
