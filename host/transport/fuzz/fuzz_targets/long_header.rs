//! See `weir_transport::fuzzing::long_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_transport::fuzzing::long_header(data));
