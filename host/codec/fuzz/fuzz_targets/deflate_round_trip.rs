//! See `weir_codec::fuzzing::deflate_round_trip`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_codec::fuzzing::deflate_round_trip(data));
