//! Reading, with what may be wrong with a file.

use crate::{Header, Line, VERSION};
use std::io::{self, BufRead, Read as _};

/// The longest line that is read, in bytes; it grows as it is read.
const MAX_LINE: u64 = 1 << 30;

/// Reads line by line, and never more than one into memory.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Of the line read last, from 1.
    number: u64,
    longest: u64,
    ended: bool,
    cut: bool,
}

/// Why a file is not read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing in it.
    #[error("it is empty: the recording ended before it began; look at what `weir record` said")]
    Empty,
    /// Another kind of file.
    #[error("it is not a recording: its first line is not what `weir record` writes")]
    Foreign,
    /// Of a later gateway.
    #[error(
        "it is a recording of format {version}, made by weir {weir}; this weir reads up to {VERSION}: \
         replay it with weir {weir} or newer"
    )]
    Newer {
        /// Of its format.
        version: u64,
        /// Of the gateway.
        weir: String,
    },
    /// A line in the middle.
    #[error("line {line} is not what a recording has: {why}; cut the file before it to use what is whole")]
    Line {
        /// From 1.
        line: u64,
        /// What the parser says.
        why: String,
    },
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    pub fn begin(input: R) -> Result<(Header, Self), ReadError> {
        Self::within(input, MAX_LINE)
    }

    pub(crate) fn within(input: R, longest: u64) -> Result<(Header, Self), ReadError> {
        let mut reader = Self { input, buffer: Vec::new(), number: 0, longest, ended: false, cut: false };
        if !reader.fill()? {
            return Err(if reader.buffer.is_empty() { ReadError::Empty } else { ReadError::Foreign });
        }
        // What every version has.
        let first: serde_json::Value =
            serde_json::from_slice(&reader.buffer).map_err(|_| ReadError::Foreign)?;
        let version = first["version"].as_u64();
        match (first["type"].as_str(), version) {
            (Some("recording"), Some(version)) if version > u64::from(VERSION) => {
                let weir = first["weir"].as_str().unwrap_or("of unknown version");
                return Err(ReadError::Newer { version, weir: weir.chars().take(64).collect() });
            }
            (Some("recording"), Some(_)) => {}
            _ => return Err(ReadError::Foreign),
        }
        match reader.parse()? {
            Line::Recording(header) => Ok((*header, reader)),
            _ => Err(ReadError::Foreign),
        }
    }

    /// The next line; `None`: there are no more.
    pub fn read(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            if !self.fill()? {
                return Ok(None);
            }
            match self.parse()? {
                Line::Unknown => {}
                line => {
                    self.ended = matches!(line, Line::End(_));
                    return Ok(Some(line));
                }
            }
        }
    }

    /// Of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// After the last line: whether the file was cut short. What was read is whole all the same.
    pub fn is_cut(&self) -> bool {
        self.cut || !self.ended
    }

    /// Reads a line into the buffer. False: there is no whole one.
    fn fill(&mut self) -> Result<bool, ReadError> {
        self.buffer.clear();
        let mut limited = (&mut self.input).take(self.longest);
        let read = limited.read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.buffer.last() == Some(&b'\n') {
            return Ok(true);
        }
        if read as u64 == self.longest {
            return Err(self.line(format_args!("it is longer than {} bytes", self.longest)));
        }
        self.cut = true;
        Ok(false)
    }

    fn parse(&self) -> Result<Line, ReadError> {
        serde_json::from_slice(&self.buffer).map_err(|error| self.line(error))
    }

    fn line(&self, why: impl std::fmt::Display) -> ReadError {
        ReadError::Line { line: self.number, why: why.to_string() }
    }
}
