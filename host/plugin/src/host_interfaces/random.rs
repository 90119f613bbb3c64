//! `weir:plugin/random`.

use super::{Breach, Host};
use crate::contract::v0_1::imports::random;
use crate::script::Script;
use std::sync::Arc;
use wasmtime::Result;

/// Where chance comes from.
pub(super) enum Chance {
    /// The system's generator, fit for secrets.
    System,
    /// A script: the numbers drawn so far in a call.
    Script { script: Arc<Script>, call: u64, drawn: u64 },
}

impl Chance {
    pub(super) fn of(script: Option<&Arc<Script>>) -> Self {
        script.map_or(Self::System, |script| Self::Script { script: script.clone(), call: 0, drawn: 0 })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> std::result::Result<(), Breach> {
        match self {
            Self::System => getrandom::fill(bytes).map_err(Breach::Random),
            Self::Script { script, call, drawn } => {
                let now = script.moment().call;
                if *call != now {
                    (*call, *drawn) = (now, 0);
                }
                script.fill(now, drawn, bytes);
                Ok(())
            }
        }
    }
}

impl random::Host for Host {
    fn bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        self.step()?;
        let count = count as usize;
        if count > self.limits.max_output {
            return Err(Breach::Output(self.limits.max_output).into());
        }
        let mut bytes = vec![0; count];
        self.chance.fill(&mut bytes)?;
        Ok(bytes)
    }
}
