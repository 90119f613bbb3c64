//! `weir:plugin/messaging`.

use super::Host;
use crate::contract::v0_1::imports::messaging;
use crate::contract::v0_1::imports::types::{Direction, Kind, Target, Verdict};
use crate::contract::v0_1::{Converter, direction, kind};
use wasmtime::Result;
use weir_core::{Effect, SessionId};

impl messaging::Host for Host {
    // Text that is not UTF-8 is the core's to drop and count, as for every other message that is sent.
    fn send(&mut self, to: Target, message_kind: Kind, payload: Vec<u8>) -> Result<()> {
        self.step()?;
        let to = Converter(self).target(to)?;
        let length = payload.len();
        let effect = Effect::Send { to, kind: kind(message_kind), payload: payload.into() };
        Ok(self.ask("messaging.send", length, effect)?)
    }

    fn release(&mut self, session: u64, way: Direction, sequence: u64, verdict: Verdict) -> Result<()> {
        self.step()?;
        // Of which kind the held message is, only its owner knows; the core checks a text's payload when it applies this.
        let verdict = Converter(self).verdict(verdict, false)?;
        let session = SessionId::from_raw(session);
        let effect = Effect::Release { session, direction: direction(way), sequence, verdict };
        Ok(self.ask("messaging.release", 0, effect)?)
    }
}
