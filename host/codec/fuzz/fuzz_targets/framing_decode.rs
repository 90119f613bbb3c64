//! See `weir_codec::fuzzing::framing_decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_codec::fuzzing::framing_decode(data));
