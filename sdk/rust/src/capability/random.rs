//! Randomness from the gateway, fit for keys and tokens. A capability: `random`.

use super::host::random;

/// So many random bytes: at most the binding's `max_output` at once, by default 256 KiB; more traps.
pub fn bytes(count: u32) -> Vec<u8> {
    random::bytes(count)
}

/// A random number.
pub fn u64() -> u64 {
    let bytes = bytes(8);
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
