//! See `weir_upstream::fuzzing::endpoint`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_upstream::fuzzing::endpoint(data));
