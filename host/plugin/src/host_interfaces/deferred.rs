//! What a call for several messages writes and measures.
//!
//! Where such a call fails, the messages are given to a fresh instance one by one, and all of it is said again. So it is kept until the
//! call has succeeded, and forgotten when it has not: neither a line nor a count comes twice.

use super::{Breach, Host};
use crate::contract::v0_1::imports::log::Level;

/// The most that is kept; a call that wants more has failed, and its messages go one by one.
const MOST: usize = 256;
/// Bytes of lines and names, likewise.
const BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Deferred {
    said: Vec<Said>,
    bytes: usize,
}

#[derive(Debug)]
pub(super) enum Said {
    Line(Level, String),
    Count(String, u64),
    Gauge(String, f64),
    Observe(String, f64),
}

impl Host {
    /// From now on what is written and measured waits.
    pub(crate) fn defer(&mut self) {
        self.deferred = Some(Deferred::default());
    }

    /// The call has succeeded: what waits happens, in the order in which it was asked for. Otherwise it never does.
    pub(crate) fn settle(&mut self, succeeded: bool) {
        let Some(deferred) = self.deferred.take().filter(|_| succeeded) else { return };
        for said in deferred.said {
            match said {
                Said::Line(level, text) => self.write_line(level, &text),
                Said::Count(name, by) => self.raise(&name, by),
                Said::Gauge(name, value) => self.set_gauge(&name, value),
                Said::Observe(name, value) => self.record(&name, value),
            }
        }
    }

    /// Keeps what is said if it is to wait; gives it back if it is to happen now.
    pub(super) fn wait(&mut self, bytes: usize, said: Said) -> Result<Option<Said>, Breach> {
        let Some(deferred) = &mut self.deferred else { return Ok(Some(said)) };
        deferred.bytes = deferred.bytes.saturating_add(bytes);
        if deferred.said.len() >= MOST || deferred.bytes > BYTES {
            return Err(Breach::Deferred);
        }
        deferred.said.push(said);
        Ok(None)
    }
}
