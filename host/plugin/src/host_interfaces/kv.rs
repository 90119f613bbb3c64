//! `weir:plugin/kv`.

use super::{Breach, Host};
use crate::contract::v0_1::imports::kv;
use wasmtime::Result;

impl kv::Host for Host {
    fn get(&mut self, key: String) -> Result<Option<Vec<u8>>> {
        Ok(self.store.kv().get(&key, self.clock.monotonic()))
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<()> {
        let now = self.clock.monotonic();
        Ok(self.store.kv().set(&key, &value, ttl_ms, now).map_err(Breach::Kv)?)
    }

    fn delete(&mut self, key: String) -> Result<bool> {
        Ok(self.store.kv().delete(&key, self.clock.monotonic()))
    }

    fn increment(&mut self, key: String, by: i64, ttl_ms: Option<u64>) -> Result<i64> {
        let now = self.clock.monotonic();
        Ok(self.store.kv().increment(&key, by, ttl_ms, now).map_err(Breach::Kv)?)
    }

    fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<bool> {
        let now = self.clock.monotonic();
        let set = self.store.kv().compare_and_set(&key, expected.as_deref(), &value, ttl_ms, now);
        Ok(set.map_err(Breach::Kv)?)
    }
}
