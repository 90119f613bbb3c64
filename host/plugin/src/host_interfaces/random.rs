//! `weir:plugin/random`.

use super::{Breach, Host};
use crate::contract::v0_1::imports::random;
use wasmtime::Result;

impl random::Host for Host {
    fn bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        self.step()?;
        let count = count as usize;
        if count > self.limits.max_output {
            return Err(Breach::Output(self.limits.max_output).into());
        }
        let mut bytes = vec![0; count];
        getrandom::fill(&mut bytes).map_err(Breach::Random)?;
        Ok(bytes)
    }
}
