//! The kv store of the mock host.

use std::collections::BTreeMap;

const LONGEST_KEY: usize = 1024;
const LONGEST_VALUE: usize = 64 * 1024;

/// Keys with their values; what has expired is absent. Time is an argument, in milliseconds.
#[derive(Default)]
pub(super) struct Store {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    value: Vec<u8>,
    expires: Option<u64>,
}

impl Store {
    pub(super) fn get(&self, now: u64, key: &str) -> Option<&[u8]> {
        let entry = self.entries.get(key)?;
        let live = entry.expires.is_none_or(|expires| now < expires);
        live.then_some(entry.value.as_slice())
    }

    pub(super) fn set(&mut self, now: u64, key: &str, value: &[u8], ttl: Option<u64>) {
        assert!(
            key.len() <= LONGEST_KEY,
            "kv: a key has at most {LONGEST_KEY} bytes, this one has {}",
            key.len()
        );
        let length = value.len();
        assert!(
            length <= LONGEST_VALUE,
            "kv: a value has at most {LONGEST_VALUE} bytes, that of {key:?} has {length}"
        );
        let expires = ttl.map(|ttl| now.saturating_add(ttl));
        self.entries.insert(key.to_owned(), Entry { value: value.to_vec(), expires });
    }

    pub(super) fn delete(&mut self, now: u64, key: &str) -> bool {
        let there = self.get(now, key).is_some();
        self.entries.remove(key);
        there
    }

    pub(super) fn increment(&mut self, now: u64, key: &str, by: i64, ttl: Option<u64>) -> i64 {
        let Some(value) = self.get(now, key) else {
            self.set(now, key, by.to_string().as_bytes(), ttl);
            return by;
        };
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
        let number =
            number.unwrap_or_else(|| panic!("kv: the value of {key:?} is no decimal number: {value:?}"));
        let sum = number.checked_add(by).unwrap_or_else(|| panic!("kv: the counter {key:?} overflows"));
        if let Some(entry) = self.entries.get_mut(key) {
            entry.value = sum.to_string().into_bytes();
        }
        sum
    }

    pub(super) fn compare_and_set(
        &mut self,
        now: u64,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl: Option<u64>,
    ) -> bool {
        let equal = self.get(now, key) == expected;
        if equal {
            self.set(now, key, value, ttl);
        }
        equal
    }
}

#[cfg(test)]
mod tests {
    use super::Store;

    #[test]
    fn a_counter_keeps_the_time_to_live_it_was_made_with() {
        let mut store = Store::default();
        assert_eq!(store.increment(0, "n", 2, Some(100)), 2);
        assert_eq!(store.increment(99, "n", 2, Some(100)), 4);
        assert_eq!(store.increment(100, "n", 2, Some(100)), 2);
    }

    #[test]
    fn compare_and_set_compares_absence_too() {
        let mut store = Store::default();
        assert!(store.compare_and_set(0, "k", None, b"1", None));
        assert!(!store.compare_and_set(0, "k", None, b"2", None));
        assert!(store.compare_and_set(0, "k", Some(b"1"), b"2", Some(10)));
        assert_eq!(store.get(9, "k"), Some(&b"2"[..]));
        assert_eq!(store.get(10, "k"), None);
        assert!(!store.delete(10, "k"));
    }

    #[test]
    #[should_panic(expected = "no decimal number")]
    fn incrementing_other_bytes_traps() {
        let mut store = Store::default();
        store.set(0, "k", b"x", None);
        store.increment(0, "k", 1, None);
    }
}
