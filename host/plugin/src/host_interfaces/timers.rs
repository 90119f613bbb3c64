//! `weir:plugin/timers`.

use super::{Host, Mistake};
use crate::contract::v0_1::imports::timers;
use wasmtime::Result;
use weir_core::Effect;

/// The shortest interval, in milliseconds.
const SHORTEST: u32 = 10;

impl timers::Host for Host {
    fn every(&mut self, milliseconds: u32) -> Result<()> {
        self.step()?;
        if milliseconds != 0 && milliseconds < SHORTEST {
            self.refuse(
                Mistake::TimerTooShort,
                &format_args!(
                    "the plugin asked to be called every {milliseconds} ms; the least is {SHORTEST}"
                ),
            );
            return Ok(());
        }
        Ok(self.ask("timers.every", 0, Effect::Every { milliseconds })?)
    }
}
