//! See `weir_recording::fuzzing::read`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_recording::fuzzing::read(data));
