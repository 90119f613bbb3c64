//! Forwards everything: the message is read, the verdict is one byte.

use extism_pdk::{FnResult, plugin_fn};

#[plugin_fn]
pub fn message(payload: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(vec![u8::from(!payload.is_empty())])
}
