//! Writing within bounds.

use crate::{End, Line, Why};
use std::io::{self, Write};

/// How much a recording may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of the file, the last line included.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

/// Room that is kept for the last line.
const LAST: u64 = 256;

/// Writes lines until one is too many; the file is then ended in order.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    bounds: Bounds,
    line: Vec<u8>,
    bytes: u64,
    messages: u64,
    lost: u64,
}

impl<W: Write> Writer<W> {
    /// Writes nothing yet; the first line is a [`Line::Recording`].
    pub fn new(output: W, bounds: Bounds) -> Self {
        Self { output, bounds, line: Vec::new(), bytes: 0, messages: 0, lost: 0 }
    }

    /// Writes a line whole, or not at all and says which bound is reached; then it is time to [end](Self::end).
    pub fn write(&mut self, line: &Line) -> io::Result<Option<Why>> {
        let is_message = matches!(line, Line::Message(_));
        if is_message && self.messages >= self.bounds.messages {
            return Ok(Some(Why::Messages));
        }
        self.encode(line)?;
        if self.bytes + self.line.len() as u64 + LAST > self.bounds.bytes {
            return Ok(Some(Why::Bytes));
        }
        self.put()?;
        self.messages += u64::from(is_message);
        if let Line::Gap(gap) = line {
            self.lost += gap.lost;
        }
        // Without waiting for a message that will not be taken.
        Ok((is_message && self.messages >= self.bounds.messages).then_some(Why::Messages))
    }

    /// Writes the last line. `lost`: what is missing and not told yet.
    pub fn end(mut self, at: u64, why: Why, lost: u64) -> io::Result<W> {
        let end = End { at, why, messages: self.messages, lost: self.lost + lost };
        self.encode(&Line::End(end))?;
        debug_assert!(self.line.len() as u64 <= LAST, "the last line is longer than its room");
        self.put()?;
        self.output.flush()?;
        Ok(self.output)
    }

    /// Where it is written.
    pub fn output(&mut self) -> &mut W {
        &mut self.output
    }

    /// Messages so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    fn encode(&mut self, line: &Line) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        Ok(())
    }

    fn put(&mut self) -> io::Result<()> {
        self.bytes += self.line.len() as u64;
        self.output.write_all(&self.line)
    }
}
