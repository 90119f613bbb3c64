//! The texts that a configuration is made of, and one numbering of bytes over all of them.
//!
//! Each text begins at a `base`, so that a span alone says which file it is in: the files are merged before anything is read from
//! them, and an error still finds its line.

use crate::error::{ConfigError, Place};
use miette::{LabeledSpan, NamedSource};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of the whole configuration, over all files.
pub(crate) type Span = Range<usize>;

/// More bytes than this are no configuration that somebody wrote.
const MAX_FILE: u64 = 16 << 20;

/// The texts, in the order in which they are merged.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<SourceFile>,
}

/// One text.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) text: Arc<str>,
    pub(crate) base: usize,
}

impl Sources {
    /// Reads a file and puts it behind the others.
    pub(crate) fn read(&mut self, path: &Path) -> Result<(), ConfigError> {
        let failed =
            |message: String| ConfigError { message, help: None, file: path.to_owned(), place: None };
        let length =
            std::fs::metadata(path).map_err(|error| failed(format!("cannot be read: {error}")))?.len();
        if length > MAX_FILE {
            return Err(failed(format!(
                "has {length} bytes, more than any configuration needs ({MAX_FILE})"
            )));
        }
        let bytes = std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| failed("is not UTF-8 text".to_owned()))?;
        self.add(path, &text);
        Ok(())
    }

    /// Puts a text behind the others.
    pub(crate) fn add(&mut self, path: &Path, text: &str) {
        // One more than the length, so that the end of one file is not the beginning of the next.
        let base = self.files.last().map_or(0, |file| file.base + file.text.len() + 1);
        self.files.push(SourceFile { path: path.to_owned(), text: text.into(), base });
    }

    pub(crate) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The file that a span is in.
    pub(crate) fn file(&self, span: &Span) -> &SourceFile {
        let after = self.files.partition_point(|file| file.base <= span.start);
        &self.files[after.saturating_sub(1)]
    }

    /// A path as the file that names it means it: from the directory of that file.
    pub(crate) fn resolve(&self, span: &Span, path: &str) -> PathBuf {
        self.file(span).path.parent().map_or_else(|| PathBuf::from(path), |directory| directory.join(path))
    }

    /// `weir.toml:12:8`, for texts that point at another place.
    pub(crate) fn position(&self, span: &Span) -> String {
        let file = self.file(span);
        let (line, column) = file.position(span);
        format!("{}:{line}:{column}", file.path.display())
    }

    /// An error at a place; `label` stands at the caret, `also` marks another place, if it is in the same file.
    pub(crate) fn error(
        &self,
        span: &Span,
        message: String,
        label: Option<String>,
        help: Option<String>,
        also: Option<(&Span, &str)>,
    ) -> ConfigError {
        let file = self.file(span);
        let (line, column) = file.position(span);
        let mut labels = vec![file.label(span, label)];
        if let Some((span, text)) = also.filter(|(span, _)| std::ptr::eq(self.file(span), file)) {
            labels.push(file.label(span, Some(text.to_owned())));
        }
        let source = NamedSource::new(file.path.display().to_string(), file.text.clone());
        ConfigError {
            message,
            help,
            file: file.path.clone(),
            place: Some(Box::new(Place { source, labels, line, column })),
        }
    }
}

impl SourceFile {
    /// The span in this text alone, cut to its first line: a table is blamed at its head.
    fn local(&self, span: &Span) -> Span {
        let start = span.start.saturating_sub(self.base).min(self.text.len());
        let end = span.end.saturating_sub(self.base).clamp(start, self.text.len());
        let first_line = self.text[start..end].find('\n').map_or(end, |length| start + length);
        start..first_line
    }

    fn label(&self, span: &Span, text: Option<String>) -> LabeledSpan {
        let local = self.local(span);
        LabeledSpan::new(text, local.start, local.len())
    }

    /// Line and column in characters, from 1.
    fn position(&self, span: &Span) -> (usize, usize) {
        let before = &self.text[..self.local(span).start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
