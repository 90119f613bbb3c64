//! `weir:plugin/attributes`.

use super::{Host, Mistake};
use crate::contract::v0_1::imports::attributes;
use std::sync::Arc;
use wasmtime::Result;
use weir_core::{Effect, MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTE_VALUE, SessionId};

/// Names that the gateway sets.
const RESERVED: &str = "weir.";

impl attributes::Host for Host {
    fn get(&mut self, session: u64, name: String) -> Result<Option<String>> {
        self.step()?;
        let asked = SessionId::from_raw(session);
        // What this call has set, the last one first.
        let pending = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::SetAttribute { session, name: set, value } if *session == asked && **set == *name => {
                Some(value)
            }
            _ => None,
        });
        if let Some(value) = pending {
            return Ok(value.as_deref().map(Into::into));
        }
        let value = match &self.session {
            Some((session, attributes)) if *session == asked => attributes.get(&*name).cloned(),
            _ => self.directory.attributes(asked).and_then(|attributes| attributes.get(&*name).cloned()),
        };
        Ok(value.map(|value| (*value).into()))
    }

    fn set(&mut self, session: u64, name: String, value: String) -> Result<()> {
        self.step()?;
        self.change(session, &name, Some(&value))
    }

    fn remove(&mut self, session: u64, name: String) -> Result<()> {
        self.step()?;
        self.change(session, &name, None)
    }
}

impl Host {
    fn change(&mut self, session: u64, name: &str, value: Option<&str>) -> Result<()> {
        if name.starts_with(RESERVED) {
            self.refuse(
                Mistake::GatewayAttribute,
                &format_args!(
                    "the plugin set an attribute that begins with {RESERVED}, which only the gateway may"
                ),
            );
            return Ok(());
        }
        let length = value.map_or(0, str::len);
        if name.is_empty() || name.len() > MAX_ATTRIBUTE_NAME || length > MAX_ATTRIBUTE_VALUE {
            self.refuse(
                Mistake::AttributeTooLong,
                &format_args!(
                    "the plugin set an attribute with a name of {} and a value of {length} bytes; \
                     a name has 1 to {MAX_ATTRIBUTE_NAME}, a value at most {MAX_ATTRIBUTE_VALUE}",
                    name.len()
                ),
            );
            return Ok(());
        }
        let effect = Effect::SetAttribute {
            session: SessionId::from_raw(session),
            name: name.into(),
            value: value.map(Arc::from),
        };
        Ok(self.ask("attributes.set", name.len() + length, effect)?)
    }
}
