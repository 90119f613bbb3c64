//! What is wrong with a configuration, for people: where, what, and what to do.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct ConfigError {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// Where none of the text is to blame (the file cannot be read), only the file is known.
    pub(crate) file: PathBuf,
    pub(crate) place: Option<Box<Place>>,
}

/// A place in a file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) source: NamedSource<Arc<str>>,
    /// The first is the one to blame.
    pub(crate) labels: Vec<LabeledSpan>,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl ConfigError {
    /// What is wrong, in one sentence without its place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file to blame.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Line and column in characters, both from 1; `None` when the file could not be read.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }
}

/// One line: `weir.toml:12:8: what is wrong`, and what to do in brackets.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.position() {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        Some(Box::new(place.labels.iter().cloned()))
    }
}

/// Everything that was found wrong, at least one error, in the order of the text.
#[derive(Clone, Debug)]
pub struct Errors(Vec<ConfigError>);

impl Errors {
    pub(crate) fn new(mut errors: Vec<ConfigError>) -> Self {
        debug_assert!(!errors.is_empty(), "no error is no Errors");
        // Files keep the order in which they were met; the sort is stable.
        let mut files: Vec<PathBuf> = Vec::new();
        for error in &errors {
            if !files.contains(&error.file) {
                files.push(error.file.clone());
            }
        }
        errors.sort_by_key(|error| (files.iter().position(|file| *file == error.file), error.position()));
        Self(errors)
    }

    /// The errors.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// The report for a terminal: each error with the lines around it and a caret. `colour` says whether the terminal shows
    /// colours; without them the report is plain text.
    pub fn report(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
        let mut text = String::new();
        for error in self {
            // Writing to a string fails only where a Display does; the one-line form is then as much as there is.
            if handler.render_report(&mut text, &Report(error)).is_err() {
                text.push_str(&error.to_string());
            }
        }
        text
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line an error.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// An error as the report shows it: the place and the advice stand beside the message, not in it.
#[derive(Debug)]
struct Report<'a>(&'a ConfigError);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.place.is_none() {
            write!(f, "{}: ", self.0.file.display())?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.labels()
    }
}
