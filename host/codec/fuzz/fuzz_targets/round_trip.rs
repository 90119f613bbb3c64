//! See `weir_codec::fuzzing::round_trip`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_codec::fuzzing::round_trip(data));
