//! `weir:plugin/kv`.

use super::{Breach, Host};
use crate::contract::v0_1::imports::kv;
use crate::store::Room;
use wasmtime::Result;

impl kv::Host for Host {
    fn get(&mut self, key: String) -> Result<Option<Vec<u8>>> {
        self.step()?;
        Ok(self.store.kv().get(&key, self.clock.monotonic()))
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<()> {
        self.step()?;
        let now = self.clock.monotonic();
        Ok(self.store.kv().set(&key, &value, ttl_ms, now, self.room()).map_err(Breach::Kv)?)
    }

    fn delete(&mut self, key: String) -> Result<bool> {
        self.step()?;
        Ok(self.store.kv().delete(&key, self.clock.monotonic()))
    }

    fn increment(&mut self, key: String, by: i64, ttl_ms: Option<u64>) -> Result<i64> {
        self.step()?;
        let now = self.clock.monotonic();
        Ok(self.store.kv().increment(&key, by, ttl_ms, now, self.room()).map_err(Breach::Kv)?)
    }

    fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<bool> {
        self.step()?;
        let now = self.clock.monotonic();
        let room = self.room();
        let set = self.store.kv().compare_and_set(&key, expected.as_deref(), &value, ttl_ms, now, room);
        Ok(set.map_err(Breach::Kv)?)
    }
}

impl Host {
    fn room(&self) -> Room {
        Room { bytes: self.limits.kv_bytes, keys: self.limits.kv_keys }
    }
}
