//! A store of keys and values that all instances of a binding share and that outlives a reload. A capability: `kv`.
//!
//! Operations are atomic and act at once; they stay when the call panics later. A key has at most 1 KiB, a value 64 KiB;
//! a value that is larger, or a store that is full, traps. A time to live is in milliseconds.

use super::host::kv;

/// The value of a key.
pub fn get(key: &str) -> Option<Vec<u8>> {
    kv::get(key)
}

/// Sets a key until it is deleted.
pub fn set(key: &str, value: impl AsRef<[u8]>) {
    kv::set(key, value.as_ref(), None);
}

/// Sets a key for so many milliseconds.
pub fn set_for(key: &str, value: impl AsRef<[u8]>, ttl_ms: u64) {
    kv::set(key, value.as_ref(), Some(ttl_ms));
}

/// Deletes a key. Says whether it was there.
pub fn delete(key: &str) -> bool {
    kv::delete(key)
}

/// Adds to a counter and gives its new value. A key that is absent counts as 0; one whose value is no decimal number
/// traps.
pub fn increment(key: &str, by: i64) -> i64 {
    kv::increment(key, by, None)
}

/// Adds to the counter of a window: the key lives for so many milliseconds from when it is made, whatever is added later.
///
/// ```
/// # use weir_sdk::{Message, Verdict, kv, plugin, test::Harness};
/// /// At most two messages a second from each session.
/// #[plugin]
/// fn throttle(message: &Message) -> Verdict {
///     match kv::increment_for(&format!("sent:{}", message.session), 1, 1_000) {
///         ..=2 => Verdict::forward(),
///         _ => Verdict::drop("too-fast"),
///     }
/// }
/// # fn main() {
/// # let mut harness = Harness::<throttle>::new("");
/// # harness.message("1");
/// # harness.message("2");
/// # assert_eq!(harness.message("3").verdict(), &Verdict::drop("too-fast"));
/// # harness.advance(1_000);
/// # assert_eq!(harness.message("4").verdict(), &Verdict::forward());
/// # }
/// ```
pub fn increment_for(key: &str, by: i64, ttl_ms: u64) -> i64 {
    kv::increment(key, by, Some(ttl_ms))
}

/// Sets a key if its value is `expected` (`None`: if it is absent), and says whether it did.
pub fn compare_and_set(key: &str, expected: Option<&[u8]>, value: &[u8], ttl_ms: Option<u64>) -> bool {
    kv::compare_and_set(key, expected, value, ttl_ms)
}
