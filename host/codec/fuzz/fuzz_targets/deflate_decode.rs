//! See `weir_codec::fuzzing::deflate_decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_codec::fuzzing::deflate_decode(data));
