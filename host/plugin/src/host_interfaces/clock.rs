//! `weir:plugin/clock`.

use super::Host;
use crate::contract::v0_1::imports::clock;
use wasmtime::Result;

impl clock::Host for Host {
    fn now(&mut self) -> Result<u64> {
        self.step()?;
        Ok(self.clock.wall())
    }

    fn monotonic(&mut self) -> Result<u64> {
        self.step()?;
        Ok(self.clock.monotonic())
    }
}
