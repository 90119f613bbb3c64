//! See `weir_transport::fuzzing::request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_transport::fuzzing::request(data));
