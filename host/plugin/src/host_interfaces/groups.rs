//! `weir:plugin/groups`.

use super::{Host, Mistake};
use crate::contract::v0_1::imports::groups;
use std::sync::Arc;
use wasmtime::Result;
use weir_core::{Effect, MAX_GROUP_NAME, SessionId};

impl groups::Host for Host {
    fn join(&mut self, session: u64, group: String) -> Result<()> {
        self.step()?;
        let session = SessionId::from_raw(session);
        let Some(group) = self.group(&group) else { return Ok(()) };
        Ok(self.ask("groups.join", group.len(), Effect::Join { session, group })?)
    }

    fn leave(&mut self, session: u64, group: String) -> Result<()> {
        self.step()?;
        let session = SessionId::from_raw(session);
        let Some(group) = self.group(&group) else { return Ok(()) };
        Ok(self.ask("groups.leave", group.len(), Effect::Leave { session, group })?)
    }

    fn members(&mut self, group: String) -> Result<u64> {
        self.step()?;
        Ok(self.directory.members(&group))
    }
}

impl Host {
    fn group(&mut self, name: &str) -> Option<Arc<str>> {
        if name.is_empty() || name.len() > MAX_GROUP_NAME {
            self.refuse(
                Mistake::GroupName,
                &format_args!(
                    "the plugin named a group with {} bytes; a name has 1 to {MAX_GROUP_NAME}",
                    name.len()
                ),
            );
            return None;
        }
        Some(name.into())
    }
}
