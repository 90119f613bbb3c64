//! Keys and values of one binding, shared by its instances on all workers.
//!
//! Shards with a lock each; an operation holds one of them for as long as it takes to look up and copy a value of at most 64 KiB.
//! Expired keys are dropped when met, a few with each write, and by [`Kv::sweep`].

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes in a key.
pub const MAX_KEY: usize = 1024;
/// The most bytes in a value.
pub const MAX_VALUE: usize = 64 << 10;
/// What a key is counted as beside its bytes: the table entries and allocations that keep it.
const OVERHEAD: usize = 96;
const SHARDS: usize = 16;
/// Expired keys that one write clears away at most, so that no call pays for another's thousands.
const CLEARED_PER_WRITE: usize = 4;
/// Expired keys that a sweep clears away while it holds a shard's lock, so that no worker waits for thousands.
const CLEARED_PER_LOCK: usize = 256;

/// Why an operation was refused; the call traps with this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// The key is longer than [`MAX_KEY`].
    #[error("a kv key of {0} bytes; the most is {MAX_KEY}")]
    KeyTooLong(usize),
    /// The value is longer than [`MAX_VALUE`].
    #[error("a kv value of {0} bytes; the most is {MAX_VALUE}")]
    ValueTooLong(usize),
    /// The store is at its limit of bytes or keys.
    #[error(
        "the kv store of the binding is full ({bytes} bytes in {keys} keys): delete keys or give them a ttl, or raise kv_bytes or kv_keys"
    )]
    Full {
        /// Bytes in use.
        bytes: usize,
        /// Keys in use.
        keys: usize,
    },
    /// `increment` met bytes that another call wrote.
    #[error("kv.increment met a value that is no decimal number")]
    NotANumber,
    /// `increment` went beyond what 64 bits hold.
    #[error("kv.increment went beyond the 64 bits of a number")]
    Overflow,
}

/// The store. Times are milliseconds of the runtime's monotonic clock, given by the caller.
#[derive(Debug)]
pub struct Kv {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    bytes: AtomicUsize,
    keys: AtomicUsize,
}

/// What a store may hold. Whoever writes says it: it is the generation's that writes, and the store outlives generations. A store that
/// holds more than that already takes nothing more until it holds less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes, with what the keys cost beside their text.
    pub bytes: usize,
    /// Keys.
    pub keys: usize,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Arc<str>, Entry>,
    /// Every entry with an end, by end.
    ends: BTreeSet<(u64, Arc<str>)>,
}

#[derive(Debug)]
struct Entry {
    value: Box<[u8]>,
    end: Option<u64>,
}

impl Default for Kv {
    /// An empty store.
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            bytes: AtomicUsize::new(0),
            keys: AtomicUsize::new(0),
        }
    }
}

impl Kv {
    /// Bytes in use, with what the keys cost beside their text.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keys in use, expired ones that nobody met yet among them.
    pub fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// The value, if the key is there.
    pub fn get(&self, key: &str, now: u64) -> Option<Vec<u8>> {
        let mut shard = self.lock(key);
        self.live(&mut shard, key, now).map(|entry| entry.value.to_vec())
    }

    /// Sets a key, for so many milliseconds or for good.
    pub fn set(
        &self,
        key: &str,
        value: &[u8],
        ttl: Option<u64>,
        now: u64,
        room: Room,
    ) -> Result<(), KvError> {
        check(key, value)?;
        self.write(key, now, |kv, shard| kv.put(shard, key, value, end(now, ttl), room))
    }

    /// Removes a key; whether it was there.
    pub fn delete(&self, key: &str, now: u64) -> bool {
        let mut shard = self.lock(key);
        let there = self.live(&mut shard, key, now).is_some();
        self.remove(&mut shard, key);
        there
    }

    /// Adds to a number; an absent key counts as 0 and gets the ttl, which is not moved afterwards.
    pub fn increment(
        &self,
        key: &str,
        by: i64,
        ttl: Option<u64>,
        now: u64,
        room: Room,
    ) -> Result<i64, KvError> {
        check(key, &[])?;
        self.write(key, now, |kv, shard| {
            let (old, end) = match kv.live(shard, key, now) {
                Some(entry) => (number(&entry.value)?, entry.end),
                None => (0, end(now, ttl)),
            };
            let new = old.checked_add(by).ok_or(KvError::Overflow)?;
            kv.put(shard, key, new.to_string().as_bytes(), end, room)?;
            Ok(new)
        })
    }

    /// Sets the key if its value is what was expected (`None`: absent); whether it did.
    pub fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl: Option<u64>,
        now: u64,
        room: Room,
    ) -> Result<bool, KvError> {
        check(key, value)?;
        self.write(key, now, |kv, shard| {
            if kv.live(shard, key, now).map(|entry| &*entry.value) != expected {
                return Ok(false);
            }
            kv.put(shard, key, value, end(now, ttl), room)?;
            Ok(true)
        })
    }

    /// Drops everything that has expired. For a timer: what is never asked for again must not stay.
    pub fn sweep(&self, now: u64) {
        for shard in &self.shards {
            while self.clear_expired(&mut lock(shard), now, CLEARED_PER_LOCK) == CLEARED_PER_LOCK {}
        }
    }

    /// Does a write; when the store is full, once more after everything that has expired is gone.
    fn write<R>(
        &self,
        key: &str,
        now: u64,
        write: impl Fn(&Self, &mut Shard) -> Result<R, KvError>,
    ) -> Result<R, KvError> {
        let first = {
            let mut shard = self.lock(key);
            self.clear_expired(&mut shard, now, CLEARED_PER_WRITE);
            write(self, &mut shard)
        };
        match first {
            Err(KvError::Full { .. }) => {
                self.sweep(now);
                write(self, &mut self.lock(key))
            }
            done => done,
        }
    }

    fn lock(&self, key: &str) -> MutexGuard<'_, Shard> {
        lock(&self.shards[self.hasher.hash_one(key) as usize % SHARDS])
    }

    fn live<'a>(&self, shard: &'a mut Shard, key: &str, now: u64) -> Option<&'a Entry> {
        if shard.entries.get(key)?.end.is_some_and(|end| end <= now) {
            self.remove(shard, key);
        }
        shard.entries.get(key)
    }

    fn put(
        &self,
        shard: &mut Shard,
        key: &str,
        value: &[u8],
        end: Option<u64>,
        room: Room,
    ) -> Result<(), KvError> {
        let old = shard.entries.get(key);
        let freed = old.map_or(0, |entry| entry.value.len());
        let fresh = if old.is_none() { key.len() + OVERHEAD } else { 0 };
        self.reserve(value.len() + fresh, freed, usize::from(old.is_none()), room)?;
        let name: Arc<str> = match shard.entries.get_key_value(key) {
            Some((name, entry)) => {
                let name = name.clone();
                if let Some(end) = entry.end {
                    shard.ends.remove(&(end, name.clone()));
                }
                name
            }
            None => key.into(),
        };
        if let Some(end) = end {
            shard.ends.insert((end, name.clone()));
        }
        shard.entries.insert(name, Entry { value: value.into(), end });
        Ok(())
    }

    /// Counts what is about to be stored, or nothing when it does not fit.
    fn reserve(&self, added: usize, freed: usize, keys: usize, room: Room) -> Result<(), KvError> {
        let full = |kv: &Self| Err(KvError::Full { bytes: kv.bytes(), keys: kv.keys() });
        if self.keys.fetch_add(keys, Ordering::Relaxed) + keys > room.keys && keys > 0 {
            self.keys.fetch_sub(keys, Ordering::Relaxed);
            return full(self);
        }
        if self.bytes.fetch_add(added, Ordering::Relaxed) + added - freed > room.bytes && added > freed {
            self.bytes.fetch_sub(added, Ordering::Relaxed);
            self.keys.fetch_sub(keys, Ordering::Relaxed);
            return full(self);
        }
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        Ok(())
    }

    fn remove(&self, shard: &mut Shard, key: &str) {
        let Some((name, entry)) = shard.entries.remove_entry(key) else { return };
        self.keys.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(name.len() + OVERHEAD + entry.value.len(), Ordering::Relaxed);
        if let Some(end) = entry.end {
            shard.ends.remove(&(end, name));
        }
    }

    /// How many it cleared away.
    fn clear_expired(&self, shard: &mut Shard, now: u64, most: usize) -> usize {
        for cleared in 0..most {
            match shard.ends.first() {
                Some((end, name)) if *end <= now => {
                    let name = name.clone();
                    self.remove(shard, &name);
                }
                _ => return cleared,
            }
        }
        most
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(key: &str, value: &[u8]) -> Result<(), KvError> {
    if key.len() > MAX_KEY {
        return Err(KvError::KeyTooLong(key.len()));
    }
    if value.len() > MAX_VALUE {
        return Err(KvError::ValueTooLong(value.len()));
    }
    Ok(())
}

fn end(now: u64, ttl: Option<u64>) -> Option<u64> {
    ttl.map(|ttl| now.saturating_add(ttl))
}

fn number(value: &[u8]) -> Result<i64, KvError> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(KvError::NotANumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(bytes: usize, keys: usize) -> Room {
        Room { bytes, keys }
    }

    #[test]
    fn values_come_and_go() {
        let kv = Kv::default();
        let room = of(10_000, 10);
        kv.set("a", b"1", None, 0, room).unwrap();
        assert_eq!(kv.get("a", 0).unwrap(), b"1");
        assert!(kv.delete("a", 0));
        assert!(!kv.delete("a", 0));
        assert_eq!((kv.bytes(), kv.keys()), (0, 0));
    }

    #[test]
    fn a_ttl_ends_a_key_when_it_is_met_or_swept() {
        let kv = Kv::default();
        let room = of(10_000, 10);
        kv.set("a", b"1", Some(10), 100, room).unwrap();
        kv.set("b", b"1", Some(10), 100, room).unwrap();
        assert!(kv.get("a", 109).is_some());
        assert!(kv.get("a", 110).is_none());
        assert_eq!(kv.keys(), 1);
        kv.sweep(110);
        assert_eq!((kv.bytes(), kv.keys()), (0, 0));
    }

    #[test]
    fn a_sweep_leaves_nothing_that_expired_however_much_that_is() {
        const MANY: usize = 3 * SHARDS * CLEARED_PER_LOCK;
        let kv = Kv::default();
        let room = of(usize::MAX / 2, MANY);
        for number in 0..MANY {
            kv.set(&number.to_string(), b"", Some(10), 0, room).unwrap();
        }
        kv.sweep(9);
        assert_eq!(kv.keys(), MANY);
        kv.sweep(10);
        assert_eq!((kv.bytes(), kv.keys()), (0, 0));
    }

    #[test]
    fn a_ttl_that_is_replaced_no_longer_counts() {
        let kv = Kv::default();
        let room = of(10_000, 10);
        kv.set("a", b"1", Some(10), 0, room).unwrap();
        kv.set("a", b"2", None, 5, room).unwrap();
        kv.sweep(1000);
        assert_eq!(kv.get("a", 1000).unwrap(), b"2");
    }

    #[test]
    fn a_counter_of_a_window_keeps_its_end() {
        let kv = Kv::default();
        let room = of(10_000, 10);
        assert_eq!(kv.increment("n", 2, Some(10), 0, room), Ok(2));
        assert_eq!(kv.increment("n", 3, Some(10), 9, room), Ok(5));
        assert_eq!(kv.get("n", 9).unwrap(), b"5");
        assert_eq!(kv.increment("n", 1, Some(10), 10, room), Ok(1));
    }

    #[test]
    fn increment_refuses_what_is_no_number() {
        let kv = Kv::default();
        let room = of(10_000, 10);
        kv.set("n", b"x", None, 0, room).unwrap();
        assert_eq!(kv.increment("n", 1, None, 0, room), Err(KvError::NotANumber));
        kv.set("n", i64::MAX.to_string().as_bytes(), None, 0, room).unwrap();
        assert_eq!(kv.increment("n", 1, None, 0, room), Err(KvError::Overflow));
    }

    #[test]
    fn compare_and_set_tells_absent_from_empty() {
        let kv = Kv::default();
        let room = of(10_000, 10);
        assert_eq!(kv.compare_and_set("a", Some(b""), b"1", None, 0, room), Ok(false));
        assert_eq!(kv.compare_and_set("a", None, b"", None, 0, room), Ok(true));
        assert_eq!(kv.compare_and_set("a", None, b"1", None, 0, room), Ok(false));
        assert_eq!(kv.compare_and_set("a", Some(b""), b"1", None, 0, room), Ok(true));
    }

    #[test]
    fn a_full_store_says_so_and_takes_more_once_something_expired() {
        let kv = Kv::default();
        let room = of(100_000, 2);
        kv.set("a", b"1", Some(10), 0, room).unwrap();
        kv.set("b", b"1", None, 0, room).unwrap();
        assert!(matches!(kv.set("c", b"1", None, 0, room), Err(KvError::Full { keys: 2, .. })));
        kv.set("b", b"22", None, 0, room).unwrap();
        kv.set("c", b"1", None, 10, room).unwrap();
        assert!(kv.get("a", 10).is_none());

        let kv = Kv::default();
        let room = of(1000, 100);
        assert!(matches!(kv.set("a", &[0; 1000], None, 0, room), Err(KvError::Full { .. })));
        assert_eq!((kv.bytes(), kv.keys()), (0, 0));
        assert!(matches!(kv.set(&"k".repeat(MAX_KEY + 1), b"", None, 0, room), Err(KvError::KeyTooLong(_))));
        assert!(matches!(kv.set("k", &vec![0; MAX_VALUE + 1], None, 0, room), Err(KvError::ValueTooLong(_))));
    }

    #[test]
    fn increments_of_several_threads_all_count() {
        let kv = Kv::default();
        let room = of(10_000, 10);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        kv.increment("n", 1, None, 0, room).unwrap();
                    }
                });
            }
        });
        assert_eq!(kv.get("n", 0).unwrap(), b"40000");
    }
}
