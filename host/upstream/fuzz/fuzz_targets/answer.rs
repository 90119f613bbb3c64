//! See `weir_upstream::fuzzing::answer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_upstream::fuzzing::answer(data));
